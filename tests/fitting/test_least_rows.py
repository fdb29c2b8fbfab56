"""Least rows as a prior: sums with random signs know all rows, and fits prefer small ones."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from frames_of_methanol import frames, labelled

import interpmd as im
from interpmd.fitting.judges import Judges
from interpmd.fitting.least_rows import sums_of_rows
from interpmd.fitting.normal import NormalEquations, quick
from interpmd.fitting.targets import Targets
from interpmd.potentials import ClusterExpansion
from interpmd.structures.networks import made_of_atoms

TERM = ClusterExpansion(["H", "C", "O"], cutoff=4.0, lmax=1, channels=(3, 2, 2), functions=4)


def row_forces(atoms, readout):
    """Sum of the squares of the forces of all rows of two atoms and more, from the table."""
    term = ClusterExpansion(**TERM.config())
    term.radial.load_state_dict(TERM.radial.state_dict())
    term.readout.copy_(readout)
    table = im.decompose(im.Potential([term]), atoms, order=term.body_order)
    several = table.order[table.owner] > 1
    keys: dict[tuple, np.ndarray] = {}
    names = [(tuple(sorted(t))) for t in table.clusters.tuples()]
    for owner, atom, force in zip(
        table.owner[several], table.member_atoms[several], table.member_forces[several], strict=True
    ):
        key = (names[owner], int(atom))
        keys[key] = keys.get(key, 0.0) + force
    return sum(float(force @ force) for force in keys.values())


def test_the_squares_of_random_sums_are_those_of_all_rows():
    atoms = frames(1)[0]
    rng = np.random.default_rng(0)
    scale = np.ones(3 * TERM.n_features)
    found = np.concatenate(
        [sums_of_rows(quick(TERM), atoms, scale, rng, clusters=150, sums=60) for _ in range(12)]
    )
    form = found.T @ found / 12
    readout = TERM.readout.clone()
    for seed in range(3):
        weights = np.random.default_rng(seed).normal(size=len(scale))
        exact = row_forces(atoms, readout.new_tensor(weights).view_as(readout))
        assert weights @ form @ weights == pytest.approx(exact, rel=0.15)


def test_the_penalty_counts_per_row_and_leaves_the_equations_as_they_are():
    many = frames(8)
    targets = [Targets(a.calc.results["energy"], a.calc.results["forces"]) for a in many]
    size = 3 * TERM.n_features
    prior, scale = np.full(size, 0.1), np.ones(size)
    equations = NormalEquations(TERM, scale, memory=1.0)
    equations.add(many[:5], targets[:5])
    blocks = [np.random.default_rng(k).normal(size=(20, size)) for k in range(3)]
    equations.penalise(blocks, count=7)
    equations.add(many[5:], targets[5:])  # and more data may come
    plain = NormalEquations(TERM, scale, memory=1.0)
    plain.add(many, targets)
    assert np.allclose(np.tril(equations.matrix), np.tril(plain.matrix), rtol=1e-12)
    assert np.allclose(equations.solve(prior).mean, plain.solve(prior).mean)
    equations.penalty_weight = 0.3
    form = sum(b.T @ b for b in blocks) / 7
    full = np.tril(plain.matrix) + np.tril(plain.matrix, -1).T + np.diag(prior)
    full += 0.3 * plain.rows * form
    solution = equations.solve(prior)
    assert np.allclose(solution.mean, np.linalg.solve(full, plain.vector))
    factor = np.tril(solution.factor)
    assert np.allclose(factor @ factor.T, full)
    missed = full @ solution.mean - plain.vector
    assert np.abs(missed).max() < 1e-8 * np.abs(plain.vector).max()
    weighted = np.tril(plain.matrix) + np.tril(plain.matrix, -1).T
    misfit = plain.square - 2 * solution.mean @ plain.vector
    misfit += solution.mean @ weighted @ solution.mean
    assert solution.variance == pytest.approx(misfit / plain.rows)


def argon(count, seed):
    """Boxes of argon whose atoms lie off their places, labelled by Lennard-Jones."""
    truth = im.Potential([im.potentials.LennardJones(0.0104, 3.40, 6.5)])
    rng, made = np.random.default_rng(seed), []
    for _ in range(count):
        atoms = bulk("Ar", "fcc", a=rng.uniform(5.2, 5.6), cubic=True).repeat((2, 1, 1))
        atoms.positions += rng.normal(0, 0.15, atoms.positions.shape)
        predicted = truth.predict(atoms)
        made.append(labelled(atoms, float(predicted.energy), predicted.forces.numpy()))
    return made


def test_a_penalty_makes_the_rows_of_a_crystal_small():
    """By itself only where enough frames judge it: three of thirty do not."""
    spec = {"cutoff": 5.0, "lmax": 1, "channels": (12, 8, 6), "basis": 8, "functions": 8}
    options = {"isolated_energies": {"Ar": 0.0}, "progress": False}
    sizes, weights = {}, {}
    for weight in (None, 0, 1e-3):
        report = im.fit(argon(30, 0), spec=spec | {"least_rows": weight}, **options)
        pair = [Atoms("Ar2", [[0, 0, 0], [0, 0, r]]) for r in np.linspace(3.2, 4.6, 12)]
        forces = [report.potential.predict(a).forces.numpy() for a in pair]
        sizes[weight] = np.sqrt(np.mean(np.square(forces)))
        weights[weight] = report.potential.card.provenance["least_rows"]
    assert weights == {None: 0.0, 0: 0.0, 1e-3: 1e-3}
    assert sizes[1e-3] < 0.9 * sizes[0] and sizes[None] == pytest.approx(sizes[0])


def test_a_read_out_is_worse_by_its_error_and_a_standard_error_of_frames():
    many = frames(12)
    targets = [Targets(a.calc.results["energy"], a.calc.results["forces"]) for a in many]
    size = 3 * TERM.n_features
    equations = NormalEquations(TERM, np.ones(size), memory=1.0)
    equations.add(many, targets)
    mean = equations.solve(np.full(size, 0.1)).mean
    judges = Judges(quick(TERM), np.ones(size), many, targets)
    assert judges.worse(mean, mean) == pytest.approx(1.0)
    squares = [
        np.array([(e**2).sum() for e in np.split(judges.misfit(m), 12)]) for m in (0 * mean, mean)
    ]
    more = squares[0] - squares[1]
    expected = np.sqrt(1 + (more.sum() + 12**0.5 * more.std(ddof=1)) / squares[1].sum())
    assert judges.worse(0 * mean, mean) == pytest.approx(expected, rel=1e-4)
    few = Judges(quick(TERM), np.ones(size), many[:4], targets[:4])
    assert few.worse(mean, mean) == np.inf


def test_molecules_have_no_penalty_unless_it_is_asked_for():
    spec = {"cutoff": 4.0, "lmax": 1, "channels": (4, 2), "basis": 5, "functions": 4}
    options = {"isolated_energies": {"H": 0.0, "C": 0.0, "O": 0.0}, "progress": False}
    weights = [
        im.fit(frames(20), spec=spec | more, **options).potential.card.provenance["least_rows"]
        for more in ({}, {"least_rows": 1e-5})
    ]
    assert weights == [0.0, 1e-5]


@pytest.mark.parametrize(
    ("atoms", "expected"),
    [
        (bulk("Si"), True),
        (bulk("NaCl", "rocksalt", a=5.6), True),
        (Atoms("Ar5", np.eye(5, 3) * 4), True),
        (molecule("CH3OH"), False),
        (molecule("H2O"), False),
    ],
    ids=["silicon", "salt", "argon", "methanol", "water"],
)
def test_what_is_made_of_atoms(atoms, expected):
    assert made_of_atoms(atoms) is expected
