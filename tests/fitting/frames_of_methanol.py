"""Frames of methanol, labelled by a Stillinger-Weber potential, for fits that take a second."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

from interpmd.potentials import Potential, StillingerWeber

SMALL = {"channels": (12, 12, 8), "lmax": 2, "basis": 6, "cutoff": 3.5, "functions": 12}
TRUTH = Potential([StillingerWeber(epsilon=0.4, sigma=1.6, lam=5.0)])


def labelled(atoms, energy=None, forces=None):
    found = TRUTH.predict(atoms)
    energy = float(found.energy) if energy is None else energy
    forces = found.forces.numpy() if forces is None else forces
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    return atoms


def frames(count, seed=0, spread=0.12):
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        atoms = molecule("CH3OH")
        atoms.positions += rng.normal(scale=spread, size=(6, 3))
        made.append(labelled(atoms))
    return made


ISOLATED = [labelled(Atoms(s), 0.0, np.zeros((1, 3))) for s in "HCO"]
