"""Ledgers over events: they close, find the gate of a known model, and say what is missing."""

from dataclasses import replace

import numpy as np
import pytest
from ase import units
from ase.build import molecule

import interpmd as im
from interpmd.attribution.gauges.along import tensions_along
from interpmd.attribution.gauges.coordinates import InternalGauge
from interpmd.attribution.gauges.internal import balance, carried
from interpmd.attribution.models import as_model
from interpmd.attribution.over_time.events.averages import Averages
from interpmd.attribution.over_time.events.flow import shares_of, united_atoms
from interpmd.attribution.over_time.events.motions import motions_of
from interpmd.attribution.over_time.events.stored import tensions_of
from interpmd.demo import MALONALDEHYDE
from interpmd.reference.calculator import as_calculator

TRANSFER = im.proton_transfer(8, 4, 0)


@pytest.fixture(scope="module")
def potential():
    return im.load("malonaldehyde")


@pytest.fixture(scope="module")
def shots(potential):
    tops = im.top_structures(potential, MALONALDEHYDE, TRANSFER, n=8, settle=100.0, apart=30.0)
    return im.shoot(potential, tops, TRANSFER, n=12, window=40.0, progress=False)


@pytest.fixture(scope="module")
def ledger(potential, shots):
    return im.event_ledger(potential, shots, before=30.0, after=30.0, progress=False)


def test_rows_sum_to_the_potential_energy_and_motions_to_the_kinetic(ledger):
    data = ledger.data
    gap = data.stored.sum("interaction") - data.potential_energy
    assert np.abs(gap).max() < 1e-3
    assert ledger.closure < 0.001
    assert ledger.exchanged > 0.5
    assert ledger.kinetic_closure_error < 1e-12
    # what is potential was kinetic
    whole = data.potential_energy + data.kinetic_energy
    assert np.abs(whole).max() < 0.02
    assert (data.stored.values[:, ledger.crossing] == 0).all()


def test_tables_follow_from_the_data(ledger):
    rises, place = ledger.rises(), ledger.crossing + round(ledger.foot / 0.5)
    weights = ledger.data.weight.values / ledger.data.weight.values.sum()
    name = rises.index[0]
    by_hand = -(weights @ ledger.data.stored.sel(interaction=name).values[:, place])
    assert np.isclose(rises.rise_eV.iloc[0], by_hand)
    assert np.isclose(rises.rise_eV.sum(), ledger.rise[0], atol=1e-3)
    assert np.isclose(rises.share.sum(), 1, atol=0.02)
    assert ledger.gates().gives_eV.is_monotonic_decreasing
    # the whole neither moves nor turns
    assert abs(ledger.gates().gives_eV["the whole"]) < 0.01


def test_the_gate_of_malonaldehyde_is_found(ledger):
    gate = ledger.gates().index[0]
    assert "O0···O4" in gate
    assert 250 < ledger.gates().wave_number.iloc[0] < 330
    assert gate in ledger.verdict


def test_exchange_sums_to_both_tables(ledger):
    exchange = ledger.exchange()
    rises, gates = ledger.rises().rise_eV, ledger.gates().gives_eV
    rows = exchange.sum("motion").to_series()
    assert np.abs(rows - rises[rows.index]).max() < 2e-3
    columns = exchange.sum("interaction").to_series()
    assert np.abs(columns - gates[columns.index]).max() < 2e-3
    assert np.abs(exchange.values).max() > 0.01


def test_flow_is_the_change_of_the_energy_of_each_group(ledger):
    flow = ledger.flow()
    assert flow.names == ("O0", "CH(1)", "CH(2)", "CH(3)", "O4", "H8")
    assert np.abs(flow.energy + flow.energy.T).max() < 1e-14
    averages, start = ledger.averages, ledger.foot
    belongs = np.array([[atom in group for atom in range(9)] for group in flow.groups], float)
    shares = shares_of(ledger.gauge, belongs)
    changes = []
    for event in ledger.events:
        first = int(np.abs(event.times - event.times[event.crossing] - start).argmin())
        ends = [first, event.crossing]
        masses = event.atoms.get_masses()[:, None] / units.fs**2
        kinetic = 0.5 * (masses * event.velocities[ends] ** 2).sum(2) @ belongs.T
        along = tensions_of(event, ledger.gauge)
        part = slice(first, event.crossing + 1)
        power = along.tensions * np.gradient(along.moved, event.times, axis=0)
        taken = -np.trapezoid(along.by_row(power)[part], event.times[part], axis=0)
        changes.append(kinetic[1] - kinetic[0] + taken @ shares)
    assert np.abs(flow.gains.values - averages.mean(np.array(changes))).max() < 2e-3
    assert np.abs(flow.gains).max() > 0.005


def test_backward_is_forward_reversed(potential, shots, ledger):
    backward = im.event_ledger(
        potential, shots, direction="backward", before=30.0, after=30.0, progress=False
    )
    late = ledger.data.stored.sel(time=slice(-0.1, 30.1)).values[:, ::-1]
    early = backward.data.stored.sel(time=slice(-30.1, 0.1))
    names = ledger.data.interaction.values
    assert np.allclose(early.sel(interaction=names).values, late, atol=2e-3)


def test_kinds_are_sums_of_interactions(potential, shots, ledger):
    kinds = im.event_ledger(
        potential, shots, by="kind", before=30.0, after=30.0, motions=False, progress=False
    )
    sums = ledger.data.stored.groupby("kind").sum("interaction")
    for kind in kinds.data.interaction.values:
        mine = kinds.data.stored.sel(interaction=kind).values
        assert np.allclose(mine, sums.sel(kind=kind).values, atol=1e-9)
    with pytest.raises(im.ReactionError, match="motions=True"):
        kinds.gates()


def test_another_model_on_the_same_frames(ledger, potential):
    same = im.ledger_beside(ledger, potential, events=3)
    assert same.agreement > 1 - 1e-9
    assert same.error < 1e-9
    other = im.ledger_beside(ledger, "gfn2-xtb", events=3, progress=False)
    sparse = im.ledger_beside(ledger, "gfn2-xtb", events=3, every=3.0, progress=False)
    assert sparse.frames < other.frames / 4
    assert other.other.closure < 0.001
    near = (other.rises() - sparse.rises()).reference_eV.abs().max()
    assert near < 0.01 < other.rises().difference_eV.abs().max()
    assert "gfn2-xtb" in other.check.words
    # by hand: the forces of GFN2-xTB in the ledger of one event
    whole = im.event_ledger(
        as_calculator("gfn2-xtb"),
        im.Events(tuple(ledger.events[:1]), TRANSFER, [], {}),
        gauge=ledger.gauge,
        before=-ledger.foot,
        after=0.0,
        motions=False,
        progress=False,
    )
    one = im.ledger_beside(ledger, "gfn2-xtb", events=1, progress=False)
    names = whole.data.interaction.values
    ours = one.other.data.stored.sel(interaction=names).values[:, 0]
    assert np.allclose(ours, whole.data.stored.values[:, 0], atol=1e-3)


def test_molecules_pay_in_their_own_gauge(potential, shots):
    by_groups = im.event_ledger(
        potential,
        shots[:2],
        gauge="groups",
        before=8.0,
        after=4.0,
        motions=False,
        progress=False,
    )
    assert by_groups.data.attrs["gauge"] == "groups"
    assert by_groups.closure < 0.01
    with pytest.raises(im.ReactionError, match="internal"):
        by_groups.exchange()
    with pytest.raises(im.ReactionError, match="internal"):
        im.ledger_beside(by_groups, "gfn2-xtb")


def test_events_of_a_trajectory_have_a_ledger(potential, shots):
    event = shots[0] if shots[0].forward else shots[0].reversed()
    run = im.Trajectory(event.frames(), event.times - event.times[0])
    found = im.events(run, TRANSFER)
    assert len(found) == 1
    table = im.event_ledger(potential, found, before=20.0, after=10.0, progress=False)
    assert table.closure < 0.001
    assert np.isnan(table.rises().rise_error).all()
    assert table.verdict.startswith("no motion stands out")
    with pytest.raises(im.ReactionError, match="no backward event"):
        im.event_ledger(potential, found, direction="backward")
    with pytest.raises(im.ReactionError, match="spans the window"):
        im.event_ledger(potential, found, before=500.0)
    with pytest.raises(im.ReactionError, match="reversed in time"):
        found.one_way()


def test_tensions_of_many_frames_are_those_of_each(shots):
    event = shots[0]
    frames = [event.frame(n) for n in (0, 30, 60, 90)]
    coordinates = InternalGauge.of(frames).coordinates
    along = tensions_along(coordinates, event.positions, event.forces)
    for n in (0, 33, 80):
        one = carried(balance(coordinates, event.positions[n]), event.forces[n])
        assert np.allclose(along.tensions[n], one.tensions, atol=1e-10)
        assert np.allclose(
            along.by_row(along.tensions[:, :, None, None] * along.derivatives)[n], one.rows
        )
    with pytest.raises(im.InternalGaugeError, match="one vector for each atom"):
        tensions_along(coordinates, event.positions, event.forces[:3])


def test_bootstrap_errors_are_those_of_the_mean():
    values = np.random.default_rng(0).normal(size=(400, 3))
    averages = Averages(np.ones(400), 1000, 0)
    assert np.allclose(averages.error(values), values.std(0) / 20, rtol=0.1)
    weights = np.linspace(0.1, 2, 400)
    weighted = Averages(weights, 1000, 0)
    share = weights / weights.sum()
    assert np.allclose(weighted.mean(values), share @ values)
    expected = np.sqrt((share**2) @ (values - share @ values) ** 2)
    assert np.allclose(weighted.error(values), expected, rtol=0.12)


def test_motions_are_an_orthonormal_basis(ledger, potential):
    motions = ledger.motions
    assert np.allclose(motions.shapes @ motions.shapes.T, np.eye(27), atol=1e-10)
    assert (motions.wave_numbers > 50).all()
    # a turned molecule has the same components
    event = ledger.events[0].part(-2.0, 2.0)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    here = motions.along(event.positions, event.velocities)
    there = motions.along(event.positions @ turn + 2.0, event.velocities @ turn)
    assert np.allclose(here, there, atol=1e-9)
    periodic = MALONALDEHYDE.copy()
    periodic.set_cell([9, 9, 9])
    periodic.pbc = True
    with pytest.raises(im.ReactionError, match="motions=False"):
        motions_of(as_model(potential), periodic)


def test_groups_are_heavy_atoms_with_their_hydrogens(shots):
    assert united_atoms(molecule("CH3CH2OH")) == [(0, 6, 7, 8), (1, 4, 5), (2, 3)]
    assert (8,) in united_atoms(shots[0].frame(shots[0].crossing))


def test_what_is_no_ledger_of_events_is_said(potential, shots, ledger):
    for given in (list(shots), shots[0]):
        with pytest.raises(im.ReactionError, match="takes the events of"):
            im.event_ledger(potential, given)
    with pytest.raises(im.ReactionError, match="takes a ledger"):
        im.ledger_beside(shots, "gfn2-xtb")
    with pytest.raises(im.ArgumentError, match="motions"):
        im.event_ledger(potential, shots, motions="yes")
    with pytest.raises(im.MethodError, match="order counts players"):
        im.event_ledger(potential, shots, before=30.0, after=30.0, order=2, progress=False)
    for every in (-1.0, float("nan")):
        with pytest.raises(im.ArgumentError, match="every"):
            im.ledger_beside(ledger, "gfn2-xtb", every=every)


def test_it_says_how_many_events_are_still_needed(ledger):
    # few events do not know the rise, and that is said
    assert ledger.rise[0] < 2 * ledger.rise[1] and "the rise is not known" in repr(ledger)
    with pytest.raises(im.ReactionError, match="is not known by itself"):
        ledger.events_for()
    # the same with 0.3 eV more to climb, which the first row takes up in every event
    data = ledger.data.copy(deep=True)
    before = data.time.values < 0
    data.potential_energy.values[:, before] -= 0.3
    data.stored.values[:, before, 0] -= 0.3
    steep = replace(ledger, data=data)
    assert steep.rise[0] == pytest.approx(ledger.rise[0] + 0.3)
    part = steep.rises().rise_error.max() / steep.rise[0]
    assert steep.uncertainty == pytest.approx(part)
    needed, count = steep.events_for(0.15), len(steep.events)
    assert needed == np.ceil(count * (part / 0.15) ** 2) > count
    assert f"known to {100 * part:.0f} % of the rise" in repr(steep)
    assert f"; {needed - count} more events for 15 %" in repr(steep)
    assert steep.events_for(part * 1.001) == count
