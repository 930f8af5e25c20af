"""What was seen: the Frames of the last ten minutes, in bounded memory, and a process across them."""
