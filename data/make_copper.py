"""Copper by effective medium theory: crystals strained, hot and molten, vacancies, surfaces.

    python data/make_copper.py

The teacher is `ase.calculators.emt` (Jacobsen, Stoltze, Norskov, Surf. Sci. 366, 394 (1996)).
"""

from __future__ import annotations

import numpy as np
from ase import Atoms, units
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin
from common import ship, thinned

import interpmd as im

NAME = "copper"
SEED = 2033
TEST = 40
LATTICE = 3.6  # A
MELT = 2500  # K
LARGEST_FORCE = 15.0  # eV/A

#: Frames of each kind.
STRAINED, DISPLACED, VACANCIES, SURFACES = 40, 60, 30, 20


def crystal(rng: np.random.Generator, strain: float, displacement: float) -> Atoms:
    """32 atoms, the cell strained by up to `strain` in each component, atoms displaced (A)."""
    atoms = bulk("Cu", cubic=True, a=LATTICE) * (2, 2, 2)
    turned = (
        np.eye(3) * (1 + rng.uniform(-strain, strain)) + rng.uniform(-1, 1, (3, 3)) * strain / 3
    )
    atoms.set_cell(atoms.cell.array @ turned, scale_atoms=True)
    atoms.positions += rng.normal(0, displacement, atoms.positions.shape)
    return atoms


def hot(rng: np.random.Generator) -> list[Atoms]:
    """Dynamics of the crystal at four temperatures and of the melt, at three volumes."""
    frames = []
    for temperature in (300, 600, 900, 1300, MELT):
        for factor in (0.98, 1.0, 1.03):
            atoms = bulk("Cu", cubic=True, a=LATTICE * factor) * (2, 2, 2)
            atoms.rattle(0.2 if temperature == MELT else 0.05, rng=rng)
            atoms.calc = EMT()
            dynamics = Langevin(
                atoms, 3 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, rng=rng
            )
            dynamics.run(150)
            for _ in range(6):
                dynamics.run(50)
                frames.append(named(atoms, "melt" if temperature == MELT else "thermal"))
    return frames


def surfaces(rng: np.random.Generator, n: int) -> list[Atoms]:
    """(111) slabs with vacuum, in a cell with three periodic directions."""
    frames = []
    for _ in range(n):
        atoms = fcc111(
            "Cu", (2, 2, 5), a=LATTICE * rng.uniform(0.97, 1.03), vacuum=6, periodic=True
        )
        atoms.positions += rng.normal(0, rng.uniform(0.02, 0.15), atoms.positions.shape)
        frames.append(atoms)
    return frames


def named(atoms: Atoms, subset: str) -> Atoms:
    """A copy rounded as it is shipped, with its subset."""
    cell = np.round(atoms.cell.array, 6)
    frame = Atoms(atoms.numbers, np.round(atoms.positions, 6), cell=cell, pbc=True)
    frame.info["subset"] = subset
    return frame


def geometries() -> list[Atoms]:
    """All frames with their subset."""
    rng = np.random.default_rng(SEED)
    frames = [named(crystal(rng, 0.08, 0.01), "strained") for _ in range(STRAINED)]
    for _ in range(DISPLACED):
        frames.append(named(crystal(rng, 0.04, rng.uniform(0.05, 0.3)), "displaced"))
    for _ in range(VACANCIES):
        atoms = crystal(rng, 0.03, rng.uniform(0.02, 0.15))
        del atoms[rng.permutation(len(atoms))[: rng.integers(1, 3)]]
        frames.append(named(atoms, "vacancy"))
    frames += [named(atoms, "surface") for atoms in surfaces(rng, SURFACES)]
    return frames + hot(rng)


def main() -> None:
    """Make geometries, label them, write the data files."""
    frames = thinned(im.label(geometries(), EMT(), progress=False), LARGEST_FORCE)
    isolated = im.isolated_atoms(["Cu"], EMT())
    for atom in isolated:
        atom.info["subset"] = "isolated"
    ship(
        NAME,
        frames + isolated,
        TEST,
        SEED,
        "Copper by effective medium theory: the crystal strained by up to 8 %, displaced by 0.05 "
        "to 0.3 A, with vacancies, as (111) slabs, in dynamics at 300 to 1300 K, and molten.",
        largest_force_eV_per_A=LARGEST_FORCE,
    )


if __name__ == "__main__":
    main()
