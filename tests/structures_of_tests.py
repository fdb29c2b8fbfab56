"""Structures and potentials that many tests begin with, made anew for each file that asks."""

from __future__ import annotations

from pathlib import Path

from ase import Atoms
from ase.build import molecule

from interpmd.potentials import ClusterExpansion, Isolated, Potential
from interpmd.structures.files import read_frames

DATA = Path(__file__).parents[1] / "data"


def methanol() -> Atoms:
    """C0 O1 H2 H3(O) H4 H5, away from its minimum; few atoms: all subsets can be evaluated."""
    atoms = molecule("CH3OH")
    atoms.rattle(0.05, seed=1)
    return atoms


def ethanol() -> Atoms:
    """C0 C1 O2 H3(O) H4 to H8, away from its minimum."""
    atoms = molecule("CH3CH2OH")
    atoms.rattle(0.05, seed=3)
    return atoms


def crystal() -> Atoms:
    """A skew cell of six atoms that feel their own images."""
    places = [[0, 0, 0], [1, 0.1, 0], [0, 1.1, 0.2], [2.5, 2.2, 1], [2.4, 2.9, 1.9], [1.5, 1, 3]]
    cell = [[4.2, 0, 0], [0.8, 4.4, 0], [0.3, 0.5, 4.9]]
    return Atoms("OHHOHC", positions=places, cell=cell, pbc=True)


def small_expansion() -> Potential:
    """A cluster expansion with random weights, on energies of atoms as large as real ones."""
    atoms = Isolated({"H": -13.6, "C": -1029.0, "O": -2041.0})
    return Potential({"isolated": atoms, "expansion": ClusterExpansion.example()})


def water_hexamer() -> Atoms:
    """The first six waters of the test set of the shipped potential of water."""
    frames = read_frames(DATA / "water" / "test.extxyz.gz")
    return next(atoms for atoms in frames if len(atoms) == 18)


def chloride_and_waters() -> Atoms:
    """Cl-(H2O)2, the waters on opposite sides with a hydrogen towards the ion each."""
    first = molecule("H2O")
    first.rotate(180, "x")
    first.positions += [0, 0, 3.2] - first.positions[0]
    second = first.copy()
    second.positions[:, 2] *= -1
    return Atoms("Cl") + first + second
