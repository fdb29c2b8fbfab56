"""Forces count by what they are worth in a relaxation."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

import interpmd as im
from interpmd.errors import ArgumentError
from interpmd.fitting.device import DeviceEquations
from interpmd.fitting.normal import NormalEquations, weighted_rows
from interpmd.fitting.soft import ANGLE, BOND, SOFTEST, softened, softening, springs
from interpmd.fitting.targets import Targets
from interpmd.fitting.turns import FEWEST


def energy_of_springs(atoms: Atoms, moved: np.ndarray) -> float:
    """Of two bonds and the pair between their ends, to second order, pair by pair."""
    total = 0.0
    for first, second, k in ((0, 1, BOND), (0, 2, BOND), (1, 2, ANGLE)):
        unit = atoms.positions[first] - atoms.positions[second]
        unit /= np.linalg.norm(unit)
        total += 0.5 * k * float(unit @ (moved[first] - moved[second])) ** 2
    return total


def test_springs_of_water_are_those_of_its_pairs():
    water, rng = molecule("H2O"), np.random.default_rng(0)
    for _ in range(3):
        moved = rng.normal(0, 0.1, (3, 3))
        found = 0.5 * moved.ravel() @ springs(water) @ moved.ravel()
        assert found == pytest.approx(energy_of_springs(water, moved), rel=1e-12)


def test_a_soft_force_counts_more_than_a_stiff_one():
    water = molecule("H2O")
    unit = water.positions[1] - water.positions[0]
    unit /= np.linalg.norm(unit)
    stiff = np.zeros((3, 3))
    stiff[1], stiff[0] = unit, -unit
    soft = np.tile([1.0, 0.0, 0.0], (3, 1))  # a translation: no spring resists
    target = Targets(0.0, np.zeros((3, 3)), soft_weight=2.0)
    turn = softening(water, target)
    assert turn is not None
    worth = [float(((turn @ f.ravel()) ** 2).sum() / (f**2).sum()) for f in (soft, stiff)]
    assert worth[0] == pytest.approx(1 + 4.0 / SOFTEST)
    assert 1 < worth[1] < 1 + 4.0 / BOND


@pytest.mark.parametrize(
    ("atoms", "forces", "weight"),
    [
        (bulk("Cu"), np.zeros((1, 3)), 1.0),
        (molecule("H2O"), np.array([[np.nan] * 3, [0.0] * 3, [0.0] * 3]), 1.0),
        (molecule("H2O"), np.zeros((3, 3)), 0.0),
        (Atoms("H"), np.zeros((1, 3)), 1.0),
    ],
)
def test_rows_stay_where_no_relaxation_is_meant(atoms, forces, weight):
    rows, values = np.ones((3 * len(atoms) + 1, 2)), np.ones(3 * len(atoms) + 1)
    target = Targets(0.0, forces, soft_weight=weight)
    made = softened(atoms, target, rows, values)
    assert made[0] is rows and made[1] is values


def test_the_fit_has_the_weight_and_the_card_says_so():
    frames = im.label(
        im.sample(molecule("C2H6"), "rattle", n=12, stdev=0.08, seed=1), "gfn-ff", progress=False
    )
    options = {"ridge": 1e-6, "isolated_energies": "average", "progress": False}
    spec = {"weights": 60}
    plain = im.fit(frames, spec=spec, **options).potential
    soft = im.fit(frames, spec=spec, soft_weight=8.0, **options).potential
    assert plain.card.provenance["soft_weight"] == 0.0
    assert soft.card.provenance["soft_weight"] == 8.0

    def worth(potential: im.Potential, weight: float) -> float:
        """Sum of squares of force errors as that fit counts them."""
        total = 0.0
        for atoms in frames:
            off = (potential.predict(atoms).forces.numpy() - atoms.get_forces()).ravel()
            turn = softening(atoms, Targets(0.0, off.reshape(-1, 3), soft_weight=weight))
            total += float(((off if turn is None else turn @ off) ** 2).sum())
        return total

    assert worth(soft, 8.0) < worth(plain, 8.0)
    assert worth(plain, 0.0) < worth(soft, 0.0)


def test_energies_keep_their_rows():
    atoms = molecule("H2O")
    term = im.Spec(weights=60).expansion({1: 0.0, 8: 0.0}, 0)
    target = Targets(1.0, np.ones((3, 3)), energy_weight=3.0, soft_weight=2.0)
    rows, values = weighted_rows(term, atoms, target, np.ones(term.readout.numel()))
    made, wanted = softened(atoms, target, rows, values)
    assert np.array_equal(made[0], rows[0]) and wanted[0] == 3.0
    assert not np.allclose(made[1:], rows[1:])


def test_a_negative_weight_is_refused():
    with pytest.raises(ArgumentError, match="soft_weight"):
        im.fit([molecule("H2O")], soft_weight=-1.0)


def test_an_update_has_the_weight_of_the_fit():
    frames = im.label(
        im.sample(molecule("C2H6"), "rattle", n=16, stdev=0.08, seed=1), "gfn-ff", progress=False
    )
    options = {"ridge": 1e-6, "isolated_energies": "average", "progress": False, "soft_weight": 8.0}
    fitted = im.fit(frames[:12], frames[:2], spec={"weights": 60}, **options)
    fit = im.GrowingFit(fitted.potential, frames[:12])
    fit.add(frames[12:])
    matrix = NormalEquations(fit.term, fit.scale, 1.0)
    matrix.add(frames, fit.problem.targets(frames))
    assert fit.equations.vector == pytest.approx(matrix.vector, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("count", [6, 12])  # one is held out, and all in turns
def test_frames_held_out_count_as_all_others_once_they_are_learned(count):
    frames = im.label(
        im.sample(molecule("C2H6"), "rattle", n=count, stdev=0.08, seed=1), "gfn-ff", progress=False
    )
    options = {"ridge": 1e-6, "isolated_energies": "average", "progress": False, "soft_weight": 8.0}
    fitted = im.fit(frames, spec={"weights": 60}, **options)
    assert (count >= FEWEST) == (count == 12)
    all_rows = im.GrowingFit(fitted.potential, frames)
    term = all_rows.term
    stored = term.readout.numpy().ravel()[term.columns] * all_rows.scale
    assert np.abs(all_rows.mean - stored).max() < 1e-4 * np.abs(stored).max()


def test_a_device_makes_the_same_equations():
    """The code for a GPU, on the device that is always there."""
    frames = im.label(
        im.sample(molecule("H2O"), "rattle", n=6, stdev=0.08, seed=1), "gfn-ff", progress=False
    )
    frames[2].calc.results["forces"][0] = np.nan  # keeps its rows
    term = im.Spec(weights=60).expansion({1: 0.0, 8: 0.0}, 0)
    scale = np.ones(term.readout.numel())
    targets = [
        Targets(a.get_potential_energy(), a.calc.results["forces"], soft_weight=3.0) for a in frames
    ]
    usual, there = NormalEquations(term, scale, 1.0), DeviceEquations(term, scale, 1.0, "cpu")
    for equations in (usual, there):
        equations.add(frames, targets)
    assert there.vector == pytest.approx(usual.vector, rel=1e-4, abs=1e-3)
    assert there.square == pytest.approx(usual.square, rel=1e-9)
    assert there.rows == usual.rows
