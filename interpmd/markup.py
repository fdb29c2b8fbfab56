"""Text that becomes HTML or stands in a script: what comes from data never becomes markup.

All HTML of the package is made here. A template holds the tags, and whatever is put into it is
escaped, unless it is `Markup` already.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

#: Words of a heading cell in a table of pandas.
HEADING = re.compile(r"(?<=<th>)[^<]+(?=</th>)")


class Markup(str):
    """HTML that was made here, which is not escaped again."""

    __slots__ = ()


def escaped(value: object) -> Markup:
    """A value as text of HTML, in elements and in quoted attributes."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value), quote=True))


def markup(template: str, /, *values: object, **named: object) -> Markup:
    """A template of `str.format` with values in it, each of them escaped.

    >>> markup("<b>{}</b>", "1 < 2")
    '<b>1 &lt; 2</b>'
    """
    return Markup(
        template.format(*map(escaped, values), **{k: escaped(v) for k, v in named.items()})
    )


def joined(parts: Iterable[object], between: str = "") -> Markup:
    """Parts one after the other, each escaped unless it is markup."""
    return Markup(between.join(map(escaped, parts)))


def table(frame: pd.DataFrame, **options: Any) -> Markup:
    """A table of pandas, cells and names escaped; options as of `DataFrame.to_html`.

    Headings may break at underscores, so that a table fits into a narrow page.
    """
    made = frame.to_html(**options, escape=True)
    return Markup(HEADING.sub(lambda cell: cell[0].replace("_", "_<wbr>"), made))


def in_script(data: Any) -> Markup:
    """JSON for the inside of a script element.

    No "<" remains, so that nothing in it ends the script ("</script>") or makes the browser look
    for another end ("<!--<script>").
    """
    text = json.dumps(data)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)
