"""The palette: greys for everything, and a hue only where it says something.

The greys are neutral and the hues are corners of the 256-colour cube, so that
a terminal without true colour (sudo and ssh drop ``COLORTERM``) shows the same
picture.  Blue against orange, and the heat ramp's steady rise in lightness,
can be told apart by colour-blind eyes.

Variables for the style sheets, beside Textual's own:

``$muted`` labels, units, what is not measured; ``$faint`` rules, empty places;
``$strong`` what the eye is to find first; ``$chart`` the ground of a chart;
``$series-1`` to ``$series-4`` lines of a chart;
``$warn`` ``$hot`` states, from bad to worse; ``$kernel`` kernel code;
``$heat-1`` to ``$heat-10`` few to many.
"""

from __future__ import annotations

from textual.theme import Theme

DARK, LIGHT, ANSI = "ktop-dark", "ktop-light", "ktop-ansi"

# Even steps of OKLCH lightness (0.30 to 0.97), hue from 262 to 115 degrees; still
# distinct, and in order, when Rich rounds them to 256 colours.
_HEAT_DARK = "1a2d51 17436d 005b86 007699 0092a4 00aca8 4ac5a9 82dba9 c2eab5 f3fad4"
_HEAT_LIGHT = "d5f0e0 a8decd 77cbc2 45b6b9 009eb2 0084a9 006a98 135183 153b69 122750"


def _heat(colors: str) -> dict[str, str]:
    return {f"heat-{step}": f"#{color}" for step, color in enumerate(colors.split(), start=1)}


_CURSOR = {"block-cursor-text-style": "none", "block-cursor-blurred-text-style": "none"}

_dark = Theme(
    name=DARK,
    dark=True,
    primary="#5fafff",
    secondary="#8a8a8a",
    accent="#5fafff",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    boost="#303030",
    success="#5fd7af",
    warning="#ffd75f",
    error="#ff5f5f",
    variables={
        **_heat(_HEAT_DARK),
        **_CURSOR,
        "muted": "#808080",
        "faint": "#444444",
        "strong": "#eeeeee",
        "chart": "#1c1c1c",
        "series-1": "#5fafff",
        "series-2": "#ffaf5f",
        "series-3": "#5fd7af",
        "series-4": "#d787d7",
        "warn": "#ffd75f",
        "hot": "#ff5f5f",
        "kernel": "#ffaf5f",
        "block-cursor-background": "#303030",
        "block-cursor-foreground": "#eeeeee",
        "block-cursor-blurred-background": "#262626",
        "block-cursor-blurred-foreground": "#d0d0d0",
        "border": "#444444",
        "border-blurred": "#303030",
        "scrollbar": "#444444",
        "scrollbar-hover": "#585858",
        "scrollbar-active": "#808080",
        "scrollbar-background": "#121212",
        "scrollbar-corner-color": "#121212",
        "footer-background": "#1c1c1c",
        "footer-key-foreground": "#d0d0d0",
        "footer-description-foreground": "#808080",
        "input-selection-background": "#005f87",
    },
)

_light = Theme(
    name=LIGHT,
    dark=False,
    primary="#005faf",
    secondary="#767676",
    accent="#005faf",
    foreground="#303030",
    background="#ffffff",
    surface="#f5f5f5",
    panel="#eeeeee",
    boost="#e4e4e4",
    success="#00875f",
    warning="#af8700",
    error="#d70000",
    variables={
        **_heat(_HEAT_LIGHT),
        **_CURSOR,
        "muted": "#767676",
        "faint": "#c6c6c6",
        "strong": "#000000",
        "chart": "#f5f5f5",
        "series-1": "#005faf",
        "series-2": "#af5f00",
        "series-3": "#00875f",
        "series-4": "#875faf",
        "warn": "#af8700",
        "hot": "#d70000",
        "kernel": "#af5f00",
        "block-cursor-background": "#dadada",
        "block-cursor-foreground": "#000000",
        "block-cursor-blurred-background": "#eeeeee",
        "block-cursor-blurred-foreground": "#303030",
        "border": "#c6c6c6",
        "border-blurred": "#dadada",
        "scrollbar": "#c6c6c6",
        "scrollbar-hover": "#a8a8a8",
        "scrollbar-active": "#808080",
        "scrollbar-background": "#ffffff",
        "scrollbar-corner-color": "#ffffff",
        "footer-background": "#eeeeee",
        "footer-key-foreground": "#303030",
        "footer-description-foreground": "#767676",
        "input-selection-background": "#afd7ff",
    },
)

# The terminal's own colours.  Its ground may be dark or light, so nothing is
# black, white or a grey, and the charts carry density in their glyphs as well.
# Blue is the bright one wherever it is a text: on black the other cannot be read.
_ansi = Theme(
    name=ANSI,
    ansi=True,
    dark=True,
    primary="ansi_bright_blue",
    secondary="ansi_cyan",
    accent="ansi_bright_blue",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    variables={
        **{f"heat-{step}": "ansi_bright_blue" for step in range(1, 5)},
        **{f"heat-{step}": "ansi_cyan" for step in range(5, 9)},
        **{f"heat-{step}": "ansi_bright_cyan" for step in range(9, 11)},
        "muted": "ansi_bright_black",
        "faint": "ansi_bright_black",
        "strong": "ansi_default",
        "chart": "ansi_default",
        "series-1": "ansi_bright_blue",
        "series-2": "ansi_yellow",
        "series-3": "ansi_green",
        "series-4": "ansi_magenta",
        "warn": "ansi_yellow",
        "hot": "ansi_red",
        "kernel": "ansi_yellow",
        "block-cursor-background": "ansi_blue",
        "block-cursor-foreground": "ansi_bright_white",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "ansi_default",
        "block-cursor-blurred-foreground": "ansi_default",
        "block-cursor-blurred-text-style": "underline",
        "border": "ansi_bright_black",
        "border-blurred": "ansi_bright_black",
        "scrollbar": "ansi_bright_black",
        "scrollbar-hover": "ansi_bright_black",
        "scrollbar-active": "ansi_default",
        "scrollbar-background": "ansi_default",
        "scrollbar-background-hover": "ansi_default",
        "scrollbar-background-active": "ansi_default",
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "footer-key-foreground": "ansi_default",
        "footer-description-foreground": "ansi_bright_black",
    },
)

THEMES: tuple[Theme, ...] = (_dark, _light, _ansi)
NAMES = {"dark": DARK, "light": LIGHT, "terminal": ANSI, "ansi": ANSI}
"""What ``--theme`` takes, beside the full names and those of Textual's own themes."""
