"""How many channels the sites of each element have.

The energy of a bond or a corner may stand at any of its atoms. Most of it is told best by the atoms
in the middle: hydrogen sees its molecule from the rim, and what its sites say those of its
neighbours say as well. For most molecules that were tried as many weights err less where most of
them are those of elements with many bonds (docs/evidence.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from interpmd.fitting.spec import Spec
from interpmd.structures.chemistry import bonds

#: Channels go with this power of the number of bonds.
POWER = 1.5


def with_channels(spec: Spec, frames: Sequence[Atoms]) -> Spec:
    """The spec with the channels of each element that it asks for.

    Args:
        spec: of which `channels_by_element` may be "bonds".
        frames: training frames.
    """
    if not isinstance(spec.channels_by_element, str):
        return spec
    return replace(spec, channels_by_element=by_bonds(frames))


def by_bonds(frames: Sequence[Atoms]) -> dict[str, float]:
    """Part of the channels by element: its mean number of bonds over the largest, to the power of
    `POWER`. An element without bonds, of which bonds tell nothing, has all of them.

    Raises:
        StructureError: an element without a covalent radius.

    Example:
        >>> from ase.build import molecule
        >>> by_bonds([molecule("CH3OH")])
        {'H': 0.12, 'C': 1.0, 'O': 0.35}
    """
    atoms, found = np.zeros(len(chemical_symbols)), np.zeros(len(chemical_symbols))
    for frame in frames:
        np.add.at(atoms, frame.numbers, 1)
        np.add.at(found, frame.numbers[bonds(frame).pairs], 1)
    there = np.flatnonzero(found)
    if not len(there):
        return {}
    mean = found[there] / atoms[there]
    parts = (mean / mean.max()) ** POWER
    return {chemical_symbols[z]: round(float(p), 2) for z, p in zip(there, parts, strict=True)}
