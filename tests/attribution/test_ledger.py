"""Works of all interactions sum to the kinetic energy, and each is the one that it should be."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.lj import LennardJones as AseLennardJones

import interpmd as im
from interpmd.decomposition.assemble import decompose
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import LedgerError, LedgerWarning, TargetError
from interpmd.potentials import LennardJones, Morse, Potential

PAIR = Potential({"morse": Morse(depth=1.0, width=1.5, distance=1.5, cutoff=8.0)})


def energy_of_pair(distance):
    """Morse's formula, written anew, without the smooth cutoff that acts far outside."""
    return (1 - np.exp(-1.5 * (distance - 1.5))) ** 2 - 1


def vibration(timestep, interval=1, femtoseconds=24.0):
    """A stretched pair at rest that swings through its minimum."""
    atoms = Atoms("C2", positions=[[0, 0, 0], [1.75, 0, 0]])
    atoms.set_momenta(np.full((2, 3), 1e-12) * [[1], [-1]])  # so that no velocities are drawn
    steps = round(femtoseconds / timestep)
    return im.simulate(
        PAIR, atoms, timestep=timestep, steps=steps, interval=interval, progress=False
    )


def quiet(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LedgerWarning)
        return im.ledger(*arguments, progress=False, **options)


@pytest.fixture(scope="module")
def proton():
    potential = im.load("malonaldehyde")
    trajectory = im.simulate(
        potential, MALONALDEHYDE, temperature=300, steps=40, interval=1, seed=0, progress=False
    )
    return potential, trajectory


@pytest.fixture(scope="module")
def book(proton):
    return im.ledger(*proton, atoms=[8], gauge="atoms", progress=False)


def test_a_pair_does_the_work_that_its_formula_says():
    trajectory = vibration(timestep=0.05)
    found = im.ledger(PAIR, trajectory, progress=False)
    assert found.sizes["interaction"] == 1 and found.atoms.values.tolist() == ["0-1"]
    distances = np.array([a.get_distance(0, 1) for a in trajectory])
    lost = energy_of_pair(distances[0]) - energy_of_pair(distances)
    assert lost.max() > 0.09
    assert np.abs(found.work.values[:, 0] - lost).max() < 1e-4
    assert np.allclose(found.kinetic_energy, [a.get_kinetic_energy() for a in trajectory])
    half = im.ledger(PAIR, trajectory, atoms=[1], progress=False)
    assert np.abs(2 * half.work.values - found.work.values).max() < 1e-9


@pytest.mark.parametrize(("rule", "order"), [("simpson", 4), ("verlet", 2), ("trapezoid", 2)])
def test_the_error_falls_with_the_interval_as_stated(rule, order):
    trajectory = vibration(timestep=0.02)
    intervals = np.array([0.4, 0.8, 1.6])
    errors = []
    for interval in intervals:
        part = trajectory[:: round(interval / 0.02)]
        found = quiet(PAIR, part, rule=rule)
        distances = np.array([a.get_distance(0, 1) for a in part])
        lost = energy_of_pair(distances[0]) - energy_of_pair(distances)
        errors.append(np.sqrt(((found.work.values[:, 0] - lost) ** 2).mean()))
        assert found.attrs["rule_order"] == order
    slope = np.polyfit(np.log(intervals), np.log(errors), 1)[0]
    assert slope == pytest.approx(order, abs=0.35)


def test_frames_of_every_step_close_to_rounding(book):
    assert book.attrs["rule"] == "verlet" and book.attrs["interval_fs"] == pytest.approx(0.5)
    change = book.kinetic_energy - book.kinetic_energy[0]
    assert np.abs(change).max() > 0.01
    assert np.abs(book.work.sum("interaction") - change).max() < 1e-12
    assert np.allclose(book.closure_error, book.total_work - change)
    assert book.attrs["largest_closure_error_eV"] < 1e-12


def test_powers_sum_to_the_potentials_own_force_times_velocity(proton, book):
    _, trajectory = proton
    own = [a.get_forces()[8] @ a.get_velocities()[8] * units.fs for a in trajectory]
    assert np.abs(own).max() > 0.01
    assert np.allclose(book.power.sum("interaction"), own, atol=1e-10)
    assert np.allclose(book.model_power, own, atol=1e-10)
    assert np.abs(book.residual).max() < 1e-10
    assert book.power.attrs["units"] == "eV/fs" and book.work.attrs["units"] == "eV"


def test_power_is_that_of_the_rows_of_the_table(proton, book):
    potential, trajectory = proton
    table = decompose(potential, trajectory[7], order=3)
    on_proton = np.where((table.member_atoms == 8)[:, None], table.member_forces, 0.0)
    powers = on_proton @ trajectory[7].get_velocities()[8] * units.fs
    rows = np.bincount(table.owner, powers, len(table))
    line = next(r for r, row in enumerate(table) if row.atoms == (0, 4, 8) and row.order == 3)
    assert abs(rows[line]) > 1e-3
    mine = book.power.sel(frame=7)[(book.atoms == "0-4-8").values]
    assert float(mine.sum()) == pytest.approx(rows[line], abs=1e-12)


def test_on_all_of_its_atoms_a_row_does_the_work_that_its_energy_loses(proton):
    potential, trajectory = proton[0], proton[1][:21]
    works = quiet(potential, trajectory, rule="simpson", gauge="atoms").work
    energies = im.explain_trajectory(potential, trajectory, gauge="atoms", progress=False).value
    lost = (energies[0] - energies).sel(interaction=works.interaction)
    assert float(np.abs(lost).max()) > 0.2
    assert float(np.abs(works - lost).max()) < 4e-3


def test_sums_over_kinds_are_those_of_the_interactions(proton, book):
    kinds = im.ledger(*proton, atoms=[8], by="order", gauge="atoms", progress=False)
    single = book.work[-1].to_series().groupby(book.order.to_series()).sum()
    grouped = dict(zip(kinds.order.values, kinds.work.values[-1], strict=True))
    assert single.abs().max() > 0.1
    for order, value in grouped.items():
        assert value == pytest.approx(single[order], abs=1e-12)


def test_interactions_stand_in_the_order_of_their_work(book):
    largest = np.abs(book.work).max("frame").values
    assert (np.diff(largest) <= 1e-15).all()


def test_frames_too_far_apart_are_told_with_an_interval_that_does(proton):
    potential, trajectory = proton
    with pytest.warns(LedgerWarning, match=r"2 fs apart, 1\.\d fs would do \(interval=2\)"):
        im.ledger(potential, trajectory[::4], atoms=[8], by="order", order=2, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        im.ledger(potential, trajectory[::2], atoms=[8], by="order", order=2, progress=False)


def test_thermostats_and_other_potentials_are_named():
    atoms = vibration(0.1)[60]
    hot = im.simulate(
        PAIR, atoms, "nvt", temperature=3000, steps=200, interval=1, friction=0.1,
        progress=False,
    )  # fmt: skip
    with pytest.warns(LedgerWarning, match="thermostat"):
        im.ledger(PAIR, hot, progress=False)
    softer = Potential({"morse": Morse(depth=0.5, width=1.5, distance=1.5, cutoff=8.0)})
    with pytest.warns(LedgerWarning, match="not those of this potential"):
        im.ledger(softer, vibration(0.1), progress=False)


def test_a_black_box_has_a_ledger_of_fragments():
    calculator = AseLennardJones(epsilon=0.01, sigma=3.4, rc=20.0, smooth=False)
    argon = Atoms("Ar3", positions=[[0, 0, 0], [3.7, 0, 0], [1.5, 3.6, 0]])
    trajectory = im.simulate(
        calculator, argon, temperature=30, timestep=4.0, steps=60, interval=1, progress=False
    )
    found = im.ledger(
        calculator, trajectory, atoms=[0], fragments="molecules", by="fragment", progress=False
    )
    assert found.attrs["largest_closure_error_eV"] < 1e-12
    work = found.work[-1].to_series()
    assert abs(work["Ar(0)···Ar(1)"]) > 1e-4
    assert abs(work["Ar(1)···Ar(2)"]) < 1e-12  # no force on the first atom


def test_power_is_a_target_like_any_other(proton):
    potential, trajectory = proton
    found = im.explain(potential, trajectory[3], im.Power([8]), gauge="atoms")
    own = trajectory[3].get_forces()[8] @ trajectory[3].get_velocities()[8] * units.fs
    assert found.unit == "eV/fs" and str(found.target) == "power on atom 8"
    assert found.total == pytest.approx(own, abs=1e-10) and found.residual < 1e-10
    with pytest.raises(TargetError, match="needs velocities"):
        im.explain(potential, MALONALDEHYDE, im.Power(), gauge="atoms")


@pytest.mark.parametrize(
    ("frames", "options", "words"),
    [
        ([MALONALDEHYDE, MALONALDEHYDE], {}, "have no velocities"),
        ([MALONALDEHYDE, MALONALDEHYDE], {"atoms": [8]}, "chosen atoms"),
        ("some", {"times": [0.0, 1.0]}, "frame 1 has no velocities"),
        ("one", {}, "only one frame"),
        ("plain", {}, "plain frames have no times"),
        ("plain", {"times": [1.0, 1.0, 2.0]}, "must ascend"),
        ("all", {"rule": "euler"}, "no rule is called 'euler'"),
    ],
)
def test_what_cannot_be_reckoned_is_said(frames, options, words):
    trajectory = vibration(0.5, femtoseconds=1.0)
    some = [trajectory[0], Atoms("C2", positions=trajectory[1].positions)]
    given = {"one": trajectory[:1], "plain": list(trajectory), "all": trajectory, "some": some}
    given = given[frames] if isinstance(frames, str) else frames
    with pytest.raises(LedgerError, match=words):
        im.ledger(PAIR, given, progress=False, gauge="atoms", **options)


def test_lennard_jones_of_plain_frames_with_times():
    potential = Potential({"lj": LennardJones(epsilon=0.01, sigma=3.4, cutoff=9.0)})
    atoms = Atoms("Ar2", positions=[[0, 0, 0], [4.2, 0, 0]], velocities=[[0.01, 0, 0], [0, 0, 0]])
    run = im.simulate(potential, atoms, timestep=1.0, steps=20, interval=1, progress=False)
    found = im.ledger(potential, list(run), times=run.times, progress=False)
    assert found.attrs["rule"] == "simpson"
    assert found.attrs["largest_closure_error_eV"] < 1e-7
