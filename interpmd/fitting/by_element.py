"""How many channels the sites of each element have.

The energy of a bond or a corner may stand at any of its atoms. Most of it is told best by the atoms
in the middle: hydrogen sees its molecule from the rim, and what its sites say those of its
neighbours say as well. For most molecules that were tried as many weights err less where most of
them are those of elements with many bonds (docs/evidence.md). At most `FULL` bonds count, so that
metals are all alike; elements with hardly any, as in salts and noble gases, have all channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from interpmd.errors import StructureError
from interpmd.fitting.spec import CHANNELS, Spec
from interpmd.structures.chemistry import bonds

#: Channels go with this power of the number of bonds.
POWER = 1.5

#: More bonds than these count as these; of an element with fewer than `FEW` they tell nothing.
FULL, FEW = 4.0, 0.5

#: Elements of a smaller part of the atoms do not set the measure for the others.
RARE = 0.05


def with_channels(spec: Spec, frames: Sequence[Atoms]) -> Spec:
    """The spec with its channels, and with the parts of each element that it asks for.

    Args:
        spec: of which `channels_by_element` may be "bonds" or None.
        frames: training frames.

    Raises:
        StructureError: "bonds" are asked for an element without a covalent radius.
    """
    parts = spec.channels_by_element
    if parts is None and spec.channels is None:
        try:
            parts = by_bonds(frames)
        except StructureError:  # nothing is known of bonds
            parts = {}
    elif isinstance(parts, str):
        parts = by_bonds(frames)
    channels = CHANNELS if spec.channels is None else spec.channels
    return replace(spec, channels=channels, channels_by_element=parts or {})


def by_bonds(frames: Sequence[Atoms]) -> dict[str, float]:
    """Part of the channels by element: its mean number of bonds, at most `FULL`, over the largest
    of elements that are not rare, to the power of `POWER`, and at most 1. An element with hardly
    any bonds has all channels.

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
    mean = np.minimum(found / np.maximum(atoms, 1), FULL)
    largest = mean[atoms >= RARE * atoms.sum()].max(initial=0)
    there = np.flatnonzero(mean >= FEW)
    parts = np.minimum(mean[there] / max(largest, FEW), 1) ** POWER
    return {chemical_symbols[z]: round(float(p), 2) for z, p in zip(there, parts, strict=True)}
