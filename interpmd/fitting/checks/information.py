"""Labels that carry no information, and units that isolated atoms tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms, units
from ase.data import chemical_symbols as symbols

from interpmd.fitting.checks import data
from interpmd.fitting.checks.finding import Finding
from interpmd.fitting.checks.units import ENERGIES
from interpmd.structures.edges import nearest_distances

#: Total energies of atoms in Hartree (Chakravorty et al., Physical Review A 47, 3649, 1993).
ATOMS = {
    1: -0.5, 2: -2.9037, 3: -7.4781, 4: -14.6674, 5: -24.6539, 6: -37.8450, 7: -54.5892,
    8: -75.0673, 9: -99.7339, 10: -128.9376, 11: -162.2546, 12: -200.053, 13: -242.346,
    14: -289.359, 15: -341.259, 16: -398.110, 17: -460.148, 18: -527.540,
}  # fmt: skip

#: Largest energy in eV that binds an atom (tungsten: 8.9), with room.
BINDING = 15.0

#: What energies are divided by to be small enough, if they are too large for eV.
SMALLER_UNITS = ("kcal/mol", "kJ/mol", "meV")


def check_empty(frames: Sequence[Atoms], cutoff: float) -> list[Finding]:
    """Labels that are all alike, and frames of which no atom sees another.

    Args:
        frames: with more than one atom, or periodic. cutoff: Å.
    """
    energies, forces = data.energies(frames), data.forces(frames)
    known = energies[np.isfinite(energies)]
    pushed = any(np.isfinite(f).all() and np.abs(f).max(initial=0) > 1e-6 for f in forces)
    if not any((nearest_distances(a, cutoff) < cutoff).any() for a in frames):
        what = f"no atom of any frame has a neighbour within the cutoff of {cutoff:g} Å"
        return [
            Finding(
                "information",
                what,
                "raise the cutoff, or check the unit of the positions",
                weight="error",
            )
        ]
    if known.size and not known.any():
        what = "all energies are 0" + ("" if pushed else ", and so are all forces")
        return [
            Finding(
                "information", what, "they were not filled in: label the frames", weight="error"
            )
        ]
    if known.size >= 5 and pushed and np.ptp(known) < 1e-9:
        what = f"all {known.size} energies are {known[0]:g} eV, though forces push the atoms"
        return [
            Finding(
                "information",
                what,
                "see whether one energy was copied to all frames",
                weight="error",
            )
        ]
    return []


def check_pairs(frames: Sequence[Atoms], cutoff: float) -> list[Finding]:
    """Pairs of elements that no frame holds, so that nothing is known of them."""
    elements = sorted({int(z) for a in frames for z in a.numbers})
    together = {
        (x, y) for a in frames for z in [sorted(set(a.numbers.tolist()))] for x in z for y in z
    }
    apart = [(x, y) for x in elements for y in elements if x < y and (x, y) not in together]
    if not apart:
        return []
    words = ", ".join(f"{symbols[x]}-{symbols[y]}" for x, y in apart)
    return [
        Finding(
            "information",
            f"no frame holds {words}: what such atoms do to each other is not determined",
            weight="note",
        )
    ]


def check_energy_unit(frames: Sequence[Atoms], isolated: Mapping[int, float]) -> list[Finding]:
    """Whether isolated atoms, and what binds them, have energies of another unit than eV.

    Args:
        frames: with more than one atom. isolated: known energies by atomic number; of elements
            without one nothing is said.
    """
    units_of_atoms = [_unit_of_atom(z, e) for z, e in isolated.items() if z in ATOMS]
    told = {unit for unit in units_of_atoms if unit is not None}
    if units_of_atoms and None not in units_of_atoms and len(told) == 1 and told != {"eV"}:
        unit = told.pop()
        z, energy = next(iter((z, e) for z, e in isolated.items() if z in ATOMS))
        return [
            _other_unit(
                unit,
                f"that of an isolated atom is {energy:.6g}, and "
                f"{ATOMS[z] * units.Hartree:.6g} eV is right",
            )
        ]
    numbers, energies = [a.numbers for a in frames], data.energies(frames)
    bound = [
        (sum(isolated[int(z)] for z in own) - e) / len(own)
        for own, e in zip(numbers, energies, strict=True)
        if np.isfinite(e) and all(int(z) in isolated for z in own)
    ]
    if len(bound) >= 3 and (binding := float(np.median(bound))) > BINDING:
        good = [u for u in SMALLER_UNITS if 0.3 < binding * ENERGIES[u] < 10]
        says = f"they bind each atom by {binding:.3g}, and more than {BINDING:g} eV is impossible"
        if good:
            return [_other_unit(good[0], says)]
        return [
            Finding(
                "units",
                f"energies and isolated_energies do not fit: {says}",
                "see whether both are of one level and one unit",
            )
        ]
    return []


def check_lengths(frames: Sequence[Atoms]) -> list[Finding]:
    """Whether hydrogen is so far from all others that positions must be in bohr."""
    light, seen = {1, 6, 7, 8, 9}, []
    for atoms in frames[:50]:
        if set(atoms.numbers.tolist()) <= light and len(atoms) > 2:
            seen += nearest_distances(atoms, 3.0)[atoms.numbers == 1].tolist()
    if len(seen) < 6 or np.quantile(seen, 0.1) < 1.5 or not 1.5 < np.median(seen) < 2.3:
        return []
    return [
        Finding(
            "units",
            f"the positions seem to be in bohr: hydrogen atoms are {np.median(seen):.3g} from "
            "their nearest neighbours, and about 1 Å is usual",
            f"multiply positions and cells by {units.Bohr:.6g}",
        )
    ]


def _unit_of_atom(z: int, energy: float) -> str | None:
    """Unit in which the energy is that of the whole atom."""
    for unit, size in ENERGIES.items():
        if abs(energy * size / (ATOMS[z] * units.Hartree) - 1) < (0.06 if z == 1 else 0.02):
            return unit
    return None


def _other_unit(unit: str, why: str) -> Finding:
    return Finding(
        "units",
        f"the energies seem to be in {unit}: {why}",
        f"multiply energies and forces by {ENERGIES[unit]:.6g}",
        weight="error",
    )


def check_weights(frames: Sequence[Atoms], weights: Mapping[str, float]) -> list[Finding]:
    """Subsets whose labels do not count."""
    nothing = sorted(name for name, weight in weights.items() if weight == 0)
    if not nothing:
        return []
    return [
        Finding(
            "information",
            f"frames of {', '.join(nothing)} have weight 0 and teach nothing",
            weight="note",
        )
    ]
