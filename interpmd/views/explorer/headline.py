"""The answer in one sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from interpmd.attribution.over_time.drivers import Drivers
from interpmd.units import number_sign, unit_sign
from interpmd.views.explorer.bars import Bar

#: eV or eV/Å. Contributions below this are shown as zero.
SEEN = 5e-4


def of_frame(bars: Sequence[Bar], total: float, unit: str) -> str:
    """The largest contribution beside the sum, as "largest: bond O4–H8, −3.2 of −2.7 eV/Å".

    Args:
        bars: the largest first.
        total: their sum.
        unit: of both.
    """
    if not bars:
        return "nothing acts"
    value, whole = (number_sign(number, "+.2f") for number in (bars[0].value, total))
    if abs(bars[0].value) < SEEN:
        return f"hardly anything acts: no contribution reaches {SEEN} {unit_sign(unit)}"
    if len(bars) == 1:
        return f"all of it: {bars[0].label}, {value} {unit_sign(unit)}"
    return f"largest: {bars[0].label}, {value} of {whole} {unit_sign(unit)}"


def of_changes(found: Drivers, subject: str, label: str | None = None) -> str:
    """The largest driver, as "80 % of the changing force on H8 comes from its bond to O4".

    A share above one says that others change against it, so that it is no part of the whole.

    Args:
        found: covariance shares.
        subject: what changes, as "Force on H8".
        label: of the driver; as the shares call it if None.
    """
    share = 100 * float(found.shares.iloc[0])
    on = re.search(r" on (\S+)", subject)
    name = _of(label or str(found.shares.index[0]), on.group(1) if on else "")
    what = subject[:1].lower() + subject[1:]
    if 0 <= share <= 100.5:
        return f"{share:.0f} % of the changing {what} comes from {name}"
    against = f"{number_sign(share, '.0f')} % of its changes, others against it"
    return f"the changing {what} comes first from {name} ({against})"


def _of(label: str, atom: str) -> str:
    """A bond of the atom itself as "its bond to O4"; other rows as they are listed."""
    found = re.fullmatch(r"(bond|hydrogen bond|contact) (.*)", label)
    atoms = re.split("–|···", found.group(2)) if found else []
    if found and len(atoms) == 2 and atom in atoms:
        joined = {"contact": "with"}.get(found.group(1), "to")
        return f"its {found.group(1)} {joined} {atoms[1 - atoms.index(atom)]}"
    return f"the {label}"
