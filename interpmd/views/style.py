"""One look for all pictures: colours that colour-blind people tell apart, and never colour alone.

Colours: Okabe and Ito, Color Universal Design (2008).
"""

from __future__ import annotations

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#E69F00", "#777777"

#: Colour, hatch and line style of the first, second, ... series.
SERIES = (
    (BLUE, "", "-"),
    (ORANGE, "//", "--"),
    (GREEN, "..", "-."),
    (PURPLE, "xx", ":"),
    (YELLOW, "\\\\", (0, (5, 1, 1, 1))),
    (SKY, "++", (0, (3, 1))),
    (GREY, "oo", (0, (1, 1))),
)

#: Colour and hatch of contributions along (+) and against (-) a direction.
ALONG, AGAINST = (BLUE, ""), (ORANGE, "//")
