"""The pictures of the README: all there, self-contained, and the same each time."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tests.demo.screenshots import SHOTS, TARGET, take
from tests.demo.svg import CELL_HEIGHT, CELL_WIDTH, PADDING, svg

SVG = "{http://www.w3.org/2000/svg}"


def test_the_pictures_are_those_that_the_command_makes():
    assert {path.stem for path in TARGET.iterdir()} == {shot.file for shot in SHOTS}


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.file)
async def test_the_pictures_are_of_this_version(shot):
    assert words(await take(shot)) == words((TARGET / f"{shot.file}.svg").read_text(encoding="utf-8"))


def words(picture: str) -> list[str | None]:
    return [each.text for each in ET.fromstring(picture).iter(f"{SVG}text")]


def test_pictures_need_nothing_from_elsewhere():
    for path in TARGET.glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        ET.fromstring(text)
        assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
        assert "font-face" not in text
        assert len(text) < 200_000


async def test_the_same_recording_gives_the_same_picture():
    assert await take(SHOTS[0]) == await take(SHOTS[0])


def test_blocks_and_dots_are_shapes_and_text_stands_in_its_cells():
    strip = Strip([Segment("ab ▄▄ "), Segment("\u2801 <", Style(color="#ff0000", bgcolor="#0000ff"))])
    document = ET.fromstring(svg([strip], 9, "#111111", "a picture"))
    texts = [(each.text, float(each.attrib["x"])) for each in document.iter(f"{SVG}text")]
    assert texts == [("ab", PADDING), ("<", PADDING + 8 * CELL_WIDTH)]
    bars = [each.attrib for each in document.iter(f"{SVG}rect") if each.attrib["fill"] == "#cccccc"]
    assert [(float(bar["x"]), float(bar["width"]), float(bar["height"])) for bar in bars] == [
        (PADDING + 3 * CELL_WIDTH, 2 * CELL_WIDTH, CELL_HEIGHT / 2)
    ]
    (dots,) = document.iter(f"{SVG}path")
    assert (dots.attrib["stroke"], dots.attrib["d"].count("M")) == ("#ff0000", 1)
    (field,) = (each for each in document.iter(f"{SVG}rect") if each.attrib["fill"] == "#0000ff")
    assert float(field.attrib["width"]) == 3 * CELL_WIDTH
