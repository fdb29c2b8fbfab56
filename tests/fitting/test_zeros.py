"""Energies whose zero is each molecule's own."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

import interpmd as im
from interpmd.fitting.normal import NormalEquations, rows_of, weighted_rows
from interpmd.fitting.targets import Targets
from interpmd.fitting.zeros import energy_row, free_zeros

SPEC = {"cutoff": 3.0, "channels": (8, 4), "lmax": (0, 2), "basis": 6, "weights": 400}
NAMES = ("CH3OH", "C2H6", "H2O")


def labelled(shifts: dict[str, float] | None = None) -> list[Atoms]:
    """Displaced molecules by effective-medium theory, energies of each shifted."""
    frames = []
    for k, name in enumerate(NAMES):
        for seed in range(6):
            atoms = molecule(name)
            atoms.positions += np.random.default_rng([k, seed]).normal(0, 0.05, (len(atoms), 3))
            atoms.calc = EMT()
            energy, forces = atoms.get_potential_energy(), atoms.get_forces()
            atoms.info = {"molecule": name, "subset": name}
            atoms.calc = SinglePointCalculator(
                atoms, energy=energy + (shifts or {}).get(name, 0.0), forces=forces
            )
            frames.append(atoms)
    return frames


def test_it_is_the_fit_with_a_constant_for_each_molecule():
    frames = labelled()
    term = im.Spec(**SPEC).expansion([1, 6, 8], seed=0)
    scale, mean_weight = np.ones(len(term.elements) * term.n_features), 3.0
    targets = [
        Targets(a.get_potential_energy(), a.get_forces(), energy_weight=5.0 + k, force_weight=1.0)
        for k, a in enumerate(frames)
    ]
    equations = NormalEquations(term, scale, 1.0)
    equations.add(frames, targets)
    zeros = free_zeros(equations, term, frames, targets, mean_weight)
    solved = equations.solve(np.full(len(scale), 1e-3)).mean

    rows, values = zip(
        *(weighted_rows(term, a, t, scale) for a, t in zip(frames, targets, strict=True)),
        strict=True,
    )
    constants, weights = np.zeros((sum(map(len, values)), 3)), np.zeros(3)
    starts = np.cumsum([0, *map(len, values)])
    for start, atoms, target in zip(starts, frames, targets, strict=False):
        column = NAMES.index(atoms.info["molecule"])
        constants[start, column] = target.energy_weight
        weights[column] += target.energy_weight**2
    left = mean_weight**2 / np.array([len(molecule(name)) for name in NAMES])
    prior = np.concatenate([np.full(len(scale), 1e-3), left * weights / (weights - left)])
    whole = np.concatenate([np.concatenate(rows), constants], axis=1)
    known = np.linalg.solve(whole.T @ whole + np.diag(prior), whole.T @ np.concatenate(values))
    predicted = whole[:, : len(scale)] @ np.stack([solved, known[: len(scale)]], axis=1)
    assert np.abs(predicted[:, 0] - predicted[:, 1]).max() < 1e-5
    for name, constant in zip(NAMES, known[len(scale) :], strict=True):
        assert zeros[name].shift(solved, mean_weight) == pytest.approx(constant, abs=1e-5)


def test_rows_of_energies_are_those_of_the_design():
    atoms = labelled()[0]
    term = im.Spec(**SPEC).expansion([1, 6, 8], seed=0)
    assert energy_row(term, atoms) == pytest.approx(
        rows_of(term, atoms).energy.numpy()[0], rel=1e-9, abs=1e-12
    )


def fitted(shifts: dict[str, float], mean_weight: float | None) -> np.ndarray:
    report = im.fit(
        labelled(shifts),
        spec=SPEC,
        ridge=1e-6,
        isolated_energies=dict.fromkeys("HCO", 0.0),
        mean_weight=mean_weight,
        progress=False,
    )
    return report.potential.predict(molecule("CH3OH")).forces.numpy()


@pytest.mark.filterwarnings("ignore")
def test_zeros_of_molecules_do_not_matter():
    """A force field's zero is each molecule's own: another one changes nothing."""
    shifts = {"CH3OH": 2.0, "H2O": -1.0}
    free = fitted({}, 0.0), fitted(shifts, 0.0)
    assert np.abs(free[0] - free[1]).max() < 1e-4
    bound = fitted({}, None), fitted(shifts, None)
    assert np.abs(bound[0] - bound[1]).max() > 0.02
    with pytest.raises(im.errors.ArgumentError, match="mean_weight"):
        fitted({}, -1.0)
