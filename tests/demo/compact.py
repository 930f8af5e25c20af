"""A recording in fewer and larger blocks, compressed as well as can be: for the package."""

from __future__ import annotations

from pathlib import Path

import zstandard

from ktop.recording import file
from ktop.recording.codec import encode_each


def compact(source: Path, target: Path, seconds: float = 30.0, level: int = 19) -> None:
    """Write ``source`` to ``target`` (new) with the Frames of ``seconds`` in one block: a third the size."""
    summary = file.describe(source)
    frames = [frame for block in file.blocks(source, summary.end) for frame in block.frames()]
    compressor = zstandard.ZstdCompressor(level=level, write_content_size=True)
    with target.open("xb") as out:
        content = file._header(summary.identity, summary.interval_s, summary.panes)
        out.write(file._header_bytes(file._KIND_HEADER, content, 0.0, 0.0) + content)
        while frames:
            first = frames[0].ts
            count = next((i for i, frame in enumerate(frames) if frame.ts > first + seconds), len(frames))
            for some, packed in encode_each(frames[:count]):
                content = compressor.compress(zstandard.decompress(packed))
                out.write(file._header_bytes(file._KIND_FRAMES, content, some[0].ts, some[-1].ts) + content)
            frames = frames[count:]
