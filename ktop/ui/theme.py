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

from typing import Any

from textual.theme import Theme

DARK, LIGHT, ANSI = "ktop-dark", "ktop-light", "ktop-ansi"

# In each table a column for each of these.  The last is the terminal's own colours.  Its ground may be dark
# or light, so nothing is black, white or a grey, and the charts carry density in their glyphs as well.
# Blue and red are the bright ones wherever they are a text: on black the others cannot be read.
_OF_TEXTUAL = """
primary                         #5fafff  #005faf  ansi_bright_blue
secondary                       #8a8a8a  #626262  ansi_cyan
accent                          #5fafff  #005faf  ansi_bright_blue
foreground                      #d0d0d0  #303030  ansi_default
background                      #121212  #ffffff  ansi_default
surface                         #1c1c1c  #f5f5f5  ansi_default
panel                           #262626  #eeeeee  ansi_default
boost                           #303030  #e4e4e4  ansi_default
success                         #5fd7af  #00875f  ansi_green
warning                         #ffd75f  #875f00  ansi_yellow
error                           #ff5f5f  #d70000  ansi_bright_red
"""
"""The colours that a Textual theme is made from."""
_VARIABLES = """
muted                           #8a8a8a  #626262  ansi_bright_black
faint                           #444444  #c6c6c6  ansi_bright_black
strong                          #eeeeee  #000000  ansi_default
chart                           #1c1c1c  #f5f5f5  ansi_default
series-1                        #5fafff  #005faf  ansi_bright_blue
series-2                        #ffaf5f  #af5f00  ansi_yellow
series-3                        #5fd7af  #00875f  ansi_green
series-4                        #d787d7  #875faf  ansi_magenta
warn                            #ffd75f  #875f00  ansi_yellow
hot                             #ff5f5f  #d70000  ansi_bright_red
kernel                          #ffaf5f  #af5f00  ansi_yellow
block-cursor-background         #303030  #dadada  ansi_blue
block-cursor-foreground         #eeeeee  #000000  ansi_bright_white
block-cursor-text-style         none     none     none
block-cursor-blurred-background #262626  #eeeeee  ansi_default
block-cursor-blurred-foreground #d0d0d0  #303030  ansi_default
block-cursor-blurred-text-style none     none     underline
border                          #444444  #c6c6c6  ansi_bright_black
border-blurred                  #303030  #dadada  ansi_bright_black
scrollbar                       #444444  #c6c6c6  ansi_bright_black
scrollbar-hover                 #585858  #a8a8a8  ansi_bright_black
scrollbar-active                #808080  #808080  ansi_default
scrollbar-background            #121212  #ffffff  ansi_default
scrollbar-background-hover      -        -        ansi_default
scrollbar-background-active     -        -        ansi_default
input-selection-background      #005f87  #afd7ff  -
ansi-background                 -        -        ansi_default
ansi-foreground                 -        -        ansi_default
"""
"""Those for the style sheets; -: as Textual makes it from the others."""

# Even steps of OKLCH lightness (0.30 to 0.97), hue from 262 to 115 degrees; still
# distinct, and in order, when Rich rounds them to 256 colours.
_HEAT = (
    "#1a2d51 #17436d #005b86 #007699 #0092a4 #00aca8 #4ac5a9 #82dba9 #c2eab5 #f3fad4",
    "#d5f0e0 #a8decd #77cbc2 #45b6b9 #009eb2 #0084a9 #006a98 #135183 #153b69 #122750",
    "ansi_bright_blue " * 4 + "ansi_cyan " * 4 + "ansi_bright_cyan " * 2,
)


def _column(table: str, number: int) -> dict[str, Any]:
    """Return what ``table`` has for the theme of that number, by name."""
    rows = (line.split() for line in table.strip().splitlines())
    return {name: colors[number] for name, *colors in rows if colors[number] != "-"}


def _theme(number: int, name: str) -> Theme:
    heat = {f"heat-{step}": color for step, color in enumerate(_HEAT[number].split(), start=1)}
    variables = heat | _column(_VARIABLES, number)
    own = _column(_OF_TEXTUAL, number)
    return Theme(name=name, dark=name != LIGHT, ansi=name == ANSI, variables=variables, **own)


THEMES: tuple[Theme, ...] = tuple(_theme(*each) for each in enumerate((DARK, LIGHT, ANSI)))
NAMES = {"dark": DARK, "light": LIGHT, "terminal": ANSI, "ansi": ANSI}
"""What ``--theme`` takes, beside the full names and those of Textual's own themes."""
