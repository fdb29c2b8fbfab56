"""Names of periodic images: "O4 (+1,0,0)" is O4 in the next cell along the first vector."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

#: An atom or molecule in a label, as "O4" or "H2O(3)", and the image in which it takes part.
_NAMED = re.compile(r"((?:[A-Z][a-z]?\d*)+\(\d+\)|\b[A-Z][a-z]?\d+)(?: \(([+−\d,]+)\))?")


def image_sign(shift: Sequence[int]) -> str:
    """An image in cell vectors, as " (+1,0,−2)"; nothing for the home cell."""
    if not any(shift):
        return ""
    signs = ("−" if s < 0 else "+" if s > 0 else "" for s in shift)
    return " (" + ",".join(f"{sign}{abs(s)}" for sign, s in zip(signs, shift, strict=True)) + ")"


def seen_from(label: str, names: Collection[str]) -> str:
    """A label as seen from an atom: the first of these names stands in the home cell.

    Args:
        label: as "contact O12···O15 (0,0,−1)".
        names: of the atom and of its molecule, as "O15" and "H2O(15)".
    """
    found = [(m.group(1), _shift(m.group(2))) for m in _NAMED.finditer(label)]
    home = next((shift for name, shift in found if name in names), (0, 0, 0))
    if not any(home):
        return label

    def moved(match: re.Match[str]) -> str:
        shift = _shift(match.group(2))
        return match.group(1) + image_sign([s - h for s, h in zip(shift, home, strict=True)])

    return _NAMED.sub(moved, label)


def _shift(text: str | None) -> tuple[int, ...]:
    return (0, 0, 0) if text is None else tuple(int(s.replace("−", "-")) for s in text.split(","))
