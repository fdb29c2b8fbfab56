"""Units that energies and forces share, told by how stiff bonds to hydrogen are.

Where energies and forces agree with each other nothing else tells that both are in kcal/mol. But a
bond to hydrogen has nearly the same force constant in all molecules.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols as symbols
from ase.data import covalent_radii

from interpmd.fitting.checks import data
from interpmd.fitting.checks.finding import Finding
from interpmd.fitting.checks.units import ENERGIES
from interpmd.structures.chemistry import bonds

#: Force constants of bonds to hydrogen in eV/Å², from wave numbers of hydrides (Huber and Herzberg,
#: Constants of Diatomic Molecules, 1979): k = mu (2 pi c w)^2.
STIFFNESS = {5: 19.0, 6: 28.0, 7: 37.3, 8: 48.7, 9: 60.3, 14: 14.9, 15: 20.1, 16: 26.4, 17: 32.2}

#: Frames that are looked at, fewest bonds of one kind, and least spread of their lengths in Å.
FRAMES, FEWEST, SPREAD = 60, 12, 0.005

#: Distance in Å from the sum of the covalent radii up to which a bond is nearly harmonic.
HARMONIC = 0.1

#: Least part of the variance of the pull on hydrogen that the length explains.
EXPLAINED = 0.6

#: Factors beyond which no bond is so stiff or so soft, and within which a unit explains one.
BEYOND, NEAR = 5.0, 1.9


def check_stiffness(frames: Sequence[Atoms]) -> list[Finding]:
    """Whether bonds to hydrogen are as stiff as in nature, or energies and forces of other units.

    Args:
        frames: with more than one atom, or periodic.
    """
    factors = {z: k / STIFFNESS[z] for z, k in _constants(frames[:FRAMES]).items()}
    if not factors:
        return []
    factor = float(np.exp(np.mean(np.log(list(factors.values())))))
    if 1 / BEYOND < factor < BEYOND:
        return []
    off = {unit: abs(np.log(factor * size)) for unit, size in ENERGIES.items() if unit != "eV"}
    unit = min(off, key=lambda name: off[name])
    if off[unit] > np.log(NEAR):
        return []
    words = " and ".join(f"{symbols[z]}-H" for z in factors)
    stiff = (
        f"{factor:.3g} times as stiff as" if factor > 1 else f"{1 / factor:.3g} times softer than"
    )
    return [
        Finding(
            "units",
            f"energies and forces seem to be in {unit}: {words} bonds are {stiff} in nature",
            f"multiply both by {ENERGIES[unit]:.6g}",
        )
    ]


def _constants(frames: Sequence[Atoms]) -> dict[int, float]:
    """Slopes of the pull on hydrogen over the length of its only bond, by the other element."""
    seen: dict[int, list[tuple[float, float]]] = {}
    for atoms, forces in zip(frames, data.forces(frames), strict=True):
        if not np.isfinite(forces).all() or 1 not in atoms.numbers:
            continue
        pairs = np.array(bonds(atoms).pairs, dtype=int).reshape(-1, 2)
        count = np.bincount(pairs.ravel(), minlength=len(atoms))
        for first, second in [*pairs.tolist(), *pairs[:, ::-1].tolist()]:
            element = int(atoms.numbers[first])
            if atoms.numbers[second] == 1 and count[second] == 1 and element in STIFFNESS:
                along = atoms.get_distance(first, second, mic=bool(atoms.pbc.any()), vector=True)
                length = float(np.linalg.norm(along))
                if abs(length - covalent_radii[[1, element]].sum()) > HARMONIC:
                    continue
                seen.setdefault(element, []).append((length, -forces[second] @ along / length))
    found = {}
    for element, points in seen.items():
        length, pull = np.array(points).T
        if len(length) < FEWEST or length.std() < SPREAD or not pull.std():
            continue
        correlation = np.corrcoef(length, pull)[0, 1]
        if correlation > np.sqrt(EXPLAINED):
            found[element] = float(correlation * pull.std() / length.std())
    return found
