"""The theme's colours as Rich styles, and the Application base that sets the theme up.

Widgets that draw their own lines take their colours here: what a style looks
like with 16 colours or none is decided once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

from rich.color import ColorSystem as RichSystem
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter, NoColor

from ktop.ui.blocks import Parts
from ktop.ui.charts.heat_grid import HEAT_STEPS
from ktop.ui.terminal import colors
from ktop.ui.theme import ANSI, DARK, LIGHT, NAMES, THEMES

_RICH_SYSTEMS = {
    "truecolor": RichSystem.TRUECOLOR,
    "256": RichSystem.EIGHT_BIT,
    "standard": RichSystem.STANDARD,
}

Words: TypeAlias = Sequence[tuple[str, str]]
"""Pieces of text, each with how it is written: a variable of the theme, then attributes ("warn bold")."""


class Palette:
    """Rich styles by meaning; made once for each theme."""

    def __init__(self, variables: Mapping[str, str], *, glyphs: bool) -> None:
        """Take the theme's ``variables``.

        ``glyphs``: density has to be read from glyphs, because the terminal has
        16 colours or none.
        """
        self._variables = variables
        self._styles: dict[tuple[str, str, str], Style] = {}
        self.glyphs = glyphs

    def style(self, name: str, ground: str = "", attributes: str = "") -> Style:
        """Return the style of the variable ``name`` (without ``$``) on ``ground``.

        Empty names leave the colour as it is.  ``attributes``: "bold", "reverse" ...
        """
        key = (name, ground, attributes)
        style = self._styles.get(key)
        if style is None:
            style = Style.from_color(self._color(name), self._color(ground))
            if attributes:
                style += Style.parse(attributes)
            # Solarized and others make "bright black" the very colour of the
            # ground; dim text is readable everywhere.
            if self.glyphs and name in {"muted", "faint"}:
                style = Style.from_color(None, self._color(ground)) + Style(dim=True)
            self._styles[key] = style
        return style

    def parts(self, words: Words) -> Parts:
        """Return ``words`` in the styles of this palette; without a name they are as what is around them."""
        return [(text, self._named(name) if name else None) for text, name in words]

    def _named(self, written: str) -> Style:
        name, _, attributes = written.partition(" ")
        return self.style(name, attributes=attributes)

    def _color(self, name: str) -> Any:
        return Color.parse(self._variables[name]).rich_color if name else None

    @cached_property
    def heat(self) -> list[Any]:
        """Rich colours from the chart's ground (nothing) to ``$heat-10``: HEAT_STEPS + 1 of them."""
        return [self._color("chart"), *(self._color(f"heat-{step}") for step in range(1, HEAT_STEPS + 1))]


_palettes: dict[tuple[str, bool], Palette] = {}


def palette(app: App[Any]) -> Palette:
    """Return the palette of the theme that ``app`` has now."""
    key = (app.theme, app.no_color or app.native_ansi_color)
    look = _palettes.get(key)
    if look is None:
        # Not theme_variables: those change only when the style sheets have been read again.
        look = _palettes[key] = Palette(app.get_css_variables(), glyphs=key[1])
    return look


class UnknownThemeError(KeyError):
    """There is no theme of that name."""


class ThemedApp(App[None]):
    """An application in ktop's themes, with as many colours as the terminal has."""

    def __init__(self, *, theme: str | None = None, environ: Mapping[str, str] = os.environ) -> None:
        """Show ``theme``; without one, the best for the terminal that ``environ`` describes.

        Raises UnknownThemeError when there is no such theme.
        """
        super().__init__()
        for known in THEMES:
            self.register_theme(known)
        system = colors.detect(environ)
        # Textual reads its variable once, at import, from Rich's guess.
        self.console._color_system = _RICH_SYSTEMS[system]  # noqa: SLF001 - see above
        self.no_color = colors.no_color(environ)
        self._no_color_filters = [NoColor()]
        name = NAMES.get(theme, theme) if theme else (ANSI if system == "standard" else DARK)
        if name not in self.available_themes:
            raise UnknownThemeError(name)
        self.theme = ANSI if self.no_color else name

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return the filters of lines; under NO_COLOR the one that leaves no colour at all.

        Textual's own choice there is grey levels, which are colours to a terminal.
        """
        if self.no_color:
            return self._no_color_filters
        # Textual's replaces the terminal's own colours, of which these themes have none.
        return [] if self.theme in {DARK, LIGHT} else super().get_line_filters()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return ktop's variables, so that Textual's own themes can be used as well."""
        return dict(THEMES[0].variables)
