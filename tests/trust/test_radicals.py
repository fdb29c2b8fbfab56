"""Rows of atoms beside the reference's own, and error bars that labelled radicals size."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

import interpmd as im
from interpmd.decomposition.radicals import of_radicals, radical_scale
from interpmd.potentials import EEQ
from interpmd.structures.files import read_frames
from interpmd.trust.radicals import FEWEST, calibrate_radicals, rows_of_radicals

DATA = Path(__file__).parents[2] / "data"
SHIPPED = ("water", "malonaldehyde", "alanine_dipeptide", "copper")


def labelled(potential, atoms: Atoms, push: float = 0.0) -> Atoms:
    """Labels of a potential, energies moved (eV) by an amount for each pair of atoms."""
    part = Atoms(atoms.numbers, atoms.positions)
    found = potential.predict(part)
    energy = float(found.energy) + push * len(part) * (len(part) - 1) / 2
    part.calc = SinglePointCalculator(part, energy=energy, forces=found.forces.numpy())
    return part


def parts_of(atoms: Atoms, sizes=(2, 3)) -> list[Atoms]:
    return [atoms[list(s)] for size in sizes for s in combinations(range(len(atoms)), size)]


def test_labels_of_the_potential_itself_leave_no_error_and_a_push_of_pairs_is_found_in_pairs():
    water = im.load("water")
    parts = parts_of(molecule("H2O"))
    own = rows_of_radicals(water, [labelled(water, a) for a in parts])
    assert len(own.energies) == 4 and len(own.forces) >= 3 * 2 + 6
    assert abs(own.energies).max() < 1e-9 and abs(own.forces).max() < 1e-9
    pushed = rows_of_radicals(water, [labelled(water, a, 0.2) for a in parts])
    # every pair is 0.2 eV off; of the triplet's 0.6 its three pairs explain all
    assert sorted(pushed.energies) == pytest.approx([-0.2, -0.2, -0.2, 0.0], abs=1e-9)
    # a triplet counts only where all its pairs are labelled
    few = rows_of_radicals(water, [labelled(water, a) for a in parts[1:]])
    assert len(few.energies) == 2


def test_the_scale_makes_rows_lie_just_within_two_bars_and_is_never_below_one():
    water = im.load("water")
    term = water.learned_terms["expansion"]
    rng = np.random.default_rng(3)
    parts = []
    for _ in range(FEWEST):
        atoms = molecule("H2O")
        atoms.rattle(0.03, rng=rng)
        parts += [labelled(water, a, 3.0) for a in parts_of(atoms, (2,))]
    calibrate_radicals(water, term, parts)
    found = rows_of_radicals(water, parts)
    within = abs(found.energies) <= 2 * found.energy_stds * (1 + 1e-9)
    assert float(term.radical_scale) > 3 and 0.93 < within.mean() < 0.97
    calibrate_radicals(water, term, [labelled(water, a) for a in parts])
    assert float(term.radical_scale) == 1.0  # no error: bars stay as they are
    calibrate_radicals(water, term, parts[:3])
    assert float(term.radical_scale) == 1.0  # too few to tell


def test_bars_of_rows_grow_and_that_of_the_whole_stays():
    water, atoms = im.load("water"), molecule("H2O")
    atoms.rattle(0.05, seed=2)
    term, target = water.learned_terms["expansion"], im.Force(1)
    term.radical_scale.fill_(1.0)
    before = im.explain(water, atoms, target, gauge="atoms")
    term.radical_scale.fill_(5.0)
    after = im.explain(water, atoms, target, gauge="atoms")
    assert after.total_std == pytest.approx(before.total_std, rel=1e-9)
    assert after.values == pytest.approx(before.values, abs=1e-12)
    assert np.median(after.stds[before.stds > 0] / before.stds[before.stds > 0]) > 3
    table = im.decompose(water, atoms)
    energies = im.explain(water, atoms, im.Energy(), gauge="atoms")
    assert radical_scale(water) == table.radical_scale == 5.0
    assert table.energy_stds.max() == pytest.approx(energies.stds.max(), rel=1e-9)
    assert table.energy_std == pytest.approx(energies.total_std, rel=1e-9)
    assert table.take(np.array([4])).energy_stds[0] == pytest.approx(table.energy_stds[4])
    # molecules are what the data hold: their rows have the bars that they had
    near = im.explain(water, atoms, im.Energy(), gauge="molecules")
    term.radical_scale.fill_(1.0)
    same = im.explain(water, atoms, im.Energy(), gauge="molecules")
    assert near.stds == pytest.approx(same.stds, rel=1e-9)


def test_samples_are_scaled_with_their_sum_kept():
    samples = np.random.default_rng(1).normal(size=(7, 3, 32))
    samples[2] = 0.0  # an atom alone is known
    energies = np.random.default_rng(2).normal(size=(7, 32))
    wide = of_radicals(samples, 4.0, energies)
    along = np.array([0.6, 0.0, 0.8])  # linear in the target, so the same along a line
    of_line = of_radicals(np.einsum("rcs,c->rs", samples, along), 4.0, energies)
    assert np.einsum("rcs,c->rs", wide, along) == pytest.approx(of_line, abs=1e-12)
    assert wide.sum(0) == pytest.approx(samples.sum(0), abs=1e-12)
    assert not wide[2].any()
    assert np.square(wide).sum() > 8 * np.square(samples).sum()


@pytest.mark.parametrize("name", SHIPPED)
def test_rows_of_atoms_of_shipped_potentials_lie_within_two_bars(name):
    parts = read_frames(DATA / name / "radicals_test.extxyz.gz")
    judged = parts[1::2][:40]  # those between sized the bars
    found = rows_of_radicals(im.load(name), judged, parts)
    assert len(found.energies) > 25
    assert (abs(found.energies) <= 2 * found.energy_stds).mean() > 0.85
    assert (abs(found.forces) <= 2 * found.force_stds).mean() > 0.85


def test_bars_of_atoms_grow_where_parts_are_evaluated_too():
    water, atoms = im.load("water"), molecule("H2O")
    both = im.Potential({**water.terms, "charges": EEQ()})  # charges have no table
    bars = {}
    for scale in (1.0, 5.0):
        both.learned_terms["expansion"].radical_scale.fill_(scale)
        bars[scale] = im.explain(both, atoms, im.Energy(), gauge="atoms", method="shapley")
    assert bars[5.0].total_std == pytest.approx(bars[1.0].total_std, rel=1e-9)
    assert (bars[5.0].stds > 2 * bars[1.0].stds).any()
    assert bars[5.0].values == pytest.approx(bars[1.0].values, abs=1e-12)


def test_the_doctor_knows_rows_as_well_as_their_bars_say():
    water = im.load("water")
    found = im.doctor(water, distances=[1.0, 2.0]).table.std_eV
    water.learned_terms["expansion"].radical_scale.fill_(1.0)
    bare = im.doctor(water, distances=[1.0, 2.0]).table.std_eV
    assert np.allclose(found, radical_scale(im.load("water")) * bare) and (found > 2 * bare).any()
