"""What a terminal shows, as an SVG that needs no font: blocks, bars and braille are drawn as shapes.

Text is set in whatever monospaced font the viewer has, each run stretched to its cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, BASELINE = 9, 19, 14.9, 14
PADDING = 12
FONTS = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"

Box = tuple[float, float, float, float]
"""Left, top, width, height, in parts of a cell."""

_LOWER = {chr(0x2580 + n): (0.0, 1 - n / 8, 1.0, n / 8) for n in range(1, 9)}
_LEFT = {chr(0x2590 - n): (0.0, 0.0, n / 8, 1.0) for n in range(1, 8)}
_BARS = {"▀": (0.0, 0.0, 1.0, 0.5), "▐": (0.5, 0.0, 0.5, 1.0), "▔": (0.0, 0.0, 1.0, 0.125)}
_RULES = {
    "─": (0.0, 0.47, 1.0, 0.06),
    "━": (0.0, 0.43, 1.0, 0.14),
    "│": (0.44, 0.0, 0.12, 1.0),
    "┃": (0.38, 0.0, 0.24, 1.0),
    "▕": (0.875, 0.0, 0.125, 1.0),
}
SHAPES: dict[str, Box] = {**_LOWER, **_LEFT, **_BARS, **_RULES}
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each bit of a braille pattern."""


def svg(strips: Sequence[Strip], width: int, background: str, title: str) -> str:
    """Return ``strips``, a screen of ``width`` cells, as one SVG document."""
    across = width * CELL_WIDTH + 2 * PADDING
    down = len(strips) * CELL_HEIGHT + 2 * PADDING
    styles: dict[str, str] = {}
    parts: list[str] = []
    for y, strip in enumerate(strips):
        parts += _line(strip, y, background, styles)
    rules = "".join(f".{name}{{{rule}}}" for rule, name in styles.items())
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {down}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>text{{font:{FONT_SIZE}px {FONTS};white-space:pre}}{rules}</style>",
            f'<rect width="{across}" height="{down}" rx="8" fill="{background}"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def _line(strip: Strip, y: int, background: str, styles: dict[str, str]) -> list[str]:
    fields: list[str] = []
    marks: list[str] = []
    x = 0
    for text, style, _control in Segment.simplify(strip):
        front, back, rule = _look(style or Style.null(), background)
        if back != background:
            fields.append(_rect((x, y, cell_len(text), 1), back))
        for run, is_shape in _runs(text):
            size = cell_len(run)
            if is_shape:
                marks += _shapes(run, x, y, front)
            elif run.strip():
                blank = len(run) - len(run.lstrip())
                marks.append(_text(run.strip(), x + blank, y, styles.setdefault(rule, f"s{len(styles)}")))
            x += size
    return fields + marks


def _look(style: Style, background: str) -> tuple[str, str, str]:
    """Return colours of front and back, and the CSS rule for text."""
    front = style.color.get_truecolor().hex if style.color is not None else "#cccccc"
    back = style.bgcolor.get_truecolor(foreground=False).hex if style.bgcolor is not None else background
    if style.reverse:
        front, back = back, front
    rule = f"fill:{front}"
    for on, more in ((style.bold, "font-weight:bold"), (style.italic, "font-style:italic")):
        rule += f";{more}" if on else ""
    return front, back, rule + (";text-decoration:underline" if style.underline else "")


def _runs(text: str) -> Iterable[tuple[str, bool]]:
    """Yield ``text`` in pieces that are all shapes, or have none and no wide gap."""
    piece, was_shape = "", False
    for char in text:
        is_shape = char in SHAPES or "\u2800" <= char <= "\u28ff"
        # A run is stretched as a whole, so that what stands in columns must begin one.
        if piece and (is_shape != was_shape or (char != " " and piece.endswith("  "))):
            yield piece, was_shape
            piece = ""
        piece, was_shape = piece + char, is_shape
    if piece:
        yield piece, was_shape


def _text(run: str, x: int, y: int, name: str) -> str:
    length = cell_len(run) * CELL_WIDTH
    return (
        f'<text class="{name}" x="{PADDING + x * CELL_WIDTH}" y="{PADDING + y * CELL_HEIGHT + BASELINE}"'
        f' textLength="{length}" lengthAdjust="spacingAndGlyphs">{escape(run, quote=False)}</text>'
    )


def _shapes(run: str, x: int, y: int, color: str) -> list[str]:
    """Return ``run`` as rectangles, equal neighbours as one, and dots."""
    out: list[str] = []
    begin = 0
    while begin < len(run):
        end = begin + 1
        char = run[begin]
        if char not in SHAPES:
            out += _braille(ord(char) - 0x2800, x + begin, y, color)
        else:
            left, top, wide, high = SHAPES[char]
            while wide == 1.0 and end < len(run) and run[end] == char:
                end += 1
            out.append(_rect((x + begin + left, y + top, wide + end - begin - 1, high), color))
        begin = end
    return out


def _braille(bits: int, x: int, y: int, color: str) -> list[str]:
    dots = [
        f"M{_short(PADDING + (x + 0.28 + 0.5 * column) * CELL_WIDTH)},"
        f"{_short(PADDING + (y + 0.125 + 0.25 * row) * CELL_HEIGHT)}h0"
        for bit, (column, row) in enumerate(_DOTS)
        if bits >> bit & 1
    ]
    if not dots:
        return []
    return [f'<path d="{"".join(dots)}" stroke="{color}" stroke-width="3" stroke-linecap="round"/>']


def _rect(box: Box, color: str) -> str:
    left, top, wide, high = box
    return (
        f'<rect x="{_short(PADDING + left * CELL_WIDTH)}" y="{_short(PADDING + top * CELL_HEIGHT)}"'
        f' width="{_short(wide * CELL_WIDTH)}" height="{_short(high * CELL_HEIGHT)}" fill="{color}"'
        ' shape-rendering="crispEdges"/>'
    )


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
