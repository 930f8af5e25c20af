"""Frames in a file: the format, its writer and reader, and a recording as a source."""
