"""Colours: as many as the terminal has, in order, and none where none are wanted."""

from __future__ import annotations

import pytest
from rich.color import Color, ColorSystem
from textual.color import Color as TextualColor
from textual.filter import NoColor

from ktop.ui.charts.heat_grid import HEAT_STEPS
from ktop.ui.palette import ThemedApp, UnknownThemeError, palette
from ktop.ui.terminal.colors import detect, no_color
from ktop.ui.theme import ANSI, DARK, LIGHT, THEMES


@pytest.mark.parametrize(
    ("environ", "system"),
    [
        ({}, "standard"),
        ({"TERM": "xterm"}, "standard"),
        ({"TERM": "linux"}, "standard"),
        ({"TERM": "screen"}, "standard"),
        ({"TERM": "screen", "TMUX": "/tmp/tmux-0/default,1,0"}, "truecolor"),
        ({"TERM": "screen-256color"}, "256"),
        ({"TERM": "screen-256color", "TMUX": "/tmp/tmux-0/default,1,0"}, "truecolor"),
        ({"TERM": "tmux-256color"}, "truecolor"),
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm-kitty"}, "truecolor"),
        ({"TERM": "xterm-ghostty"}, "truecolor"),
        ({"TERM": "foot"}, "truecolor"),
        ({"TERM": "xterm-direct"}, "truecolor"),
        ({"TERM": "tmux-256color", "TEXTUAL_COLOR_SYSTEM": "standard"}, "standard"),
        ({"TERM": "xterm-256color", "TEXTUAL_COLOR_SYSTEM": "auto"}, "256"),
    ],
)
def test_color_system(environ, system):
    assert detect(environ) == system


def test_no_color_is_set_and_not_empty():
    assert no_color({"NO_COLOR": "1"})
    assert no_color({"TERM": "dumb"})
    assert not no_color({"NO_COLOR": "", "TERM": "xterm"})


@pytest.mark.parametrize("theme", [DARK, LIGHT])
@pytest.mark.parametrize("system", [ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT])
def test_heat_goes_one_way(theme, system):
    variables = next(known for known in THEMES if known.name == theme).variables
    steps = [Color.parse(variables[f"heat-{step}"]).downgrade(system) for step in range(1, HEAT_STEPS + 1)]
    triplets = [step.get_truecolor() for step in steps]
    light = [0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 for red, green, blue in triplets]
    assert light == sorted(light, reverse=theme == LIGHT)
    assert len(set(triplets)) >= HEAT_STEPS - 1


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_hues_are_the_same_in_256_colours(theme):
    variables = next(known for known in THEMES if known.name == theme).variables
    for name in ("warn", "hot", "series-1", "series-2", "series-3", "series-4"):
        wanted = Color.parse(variables[name])
        assert wanted.downgrade(ColorSystem.EIGHT_BIT).get_truecolor() == wanted.triplet, name


def test_every_theme_has_every_variable():
    names = {"muted", "faint", "strong", "chart", "warn", "hot", "kernel"}
    for theme in THEMES:
        assert names <= set(theme.variables)
        assert f"heat-{HEAT_STEPS}" in theme.variables


@pytest.mark.parametrize(
    ("environ", "theme"),
    [
        ({"TERM": "tmux-256color"}, DARK),
        ({"TERM": "linux"}, ANSI),
        ({"TERM": "tmux-256color", "NO_COLOR": "1"}, ANSI),
    ],
)
def test_theme_follows_the_terminal(environ, theme):
    app = ThemedApp(environ=environ)
    assert app.theme == theme
    assert palette(app).glyphs == (theme == ANSI)


def test_no_color_leaves_nothing_but_attributes():
    app = ThemedApp(theme="dark", environ={"TERM": "tmux-256color", "NO_COLOR": "1"})
    assert [type(each) for each in app.get_line_filters()] == [NoColor]


def test_theme_by_name():
    environ = {"TERM": "tmux-256color"}
    assert ThemedApp(theme="light", environ=environ).theme == LIGHT
    assert ThemedApp(theme="nord", environ=environ).theme == "nord"
    with pytest.raises(UnknownThemeError):
        ThemedApp(theme="no such theme", environ=environ)


async def test_changing_the_theme_changes_the_palette():
    app = ThemedApp(environ={"TERM": "tmux-256color"})
    async with app.run_test():
        dark = palette(app).heat
        app.theme = LIGHT
        assert palette(app).heat != dark
        assert (
            palette(app).heat[1].triplet
            == TextualColor.parse(THEMES[1].variables["heat-1"]).rich_color.triplet
        )
        app.theme = "nord"
        assert palette(app).style("hot").color is not None


def test_nothing_is_written_in_colours_that_black_swallows():
    variables = next(known for known in THEMES if known.name == ANSI).variables
    grounds = {name for name in variables if name.endswith("background")}
    swallowed = {"ansi_blue", "ansi_red"}
    assert not {name for name, color in variables.items() if color in swallowed} - grounds


def luminance(color: str) -> float:
    """Return the relative luminance of WCAG 2."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in TextualColor.parse(color).normalized
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_all_that_is_written_can_be_read(theme):
    """WCAG 2, level AA: 4.5 to 1; on the cursor's row, which is looked at for long, a little less."""
    known = next(each for each in THEMES if each.name == theme)
    texts = {name: known.variables[name] for name in ("muted", "strong", "warn", "hot", "kernel")}
    texts["foreground"] = known.foreground or ""
    grounds = {"background": known.background, "surface": known.surface}
    grounds["cursor"] = known.variables["block-cursor-background"]
    for text, color in texts.items():
        for ground, below in grounds.items():
            brighter, darker = sorted((luminance(color), luminance(below or "")), reverse=True)
            needed = 4.5 if ground == "background" else 4.3 if ground == "surface" else 3.3
            assert (brighter + 0.05) / (darker + 0.05) >= needed, (text, ground)
