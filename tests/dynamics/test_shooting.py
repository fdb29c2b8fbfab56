"""Shooting: seeds, resuming to the bit, processes, conservation, committors."""

from dataclasses import replace

import numpy as np
import pytest
from ase import units

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.dynamics.shooting.shots import drawn_velocities
from interpmd.dynamics.shooting.tops import on_surface
from interpmd.structures.motion import temperature_of

TRANSFER = im.proton_transfer(8, 4, 0)

HOW = {"n": 4, "window": 20.0, "progress": False}


@pytest.fixture(scope="module")
def potential():
    return im.load("malonaldehyde")


@pytest.fixture(scope="module")
def tops(potential):
    return im.top_structures(potential, MALONALDEHYDE, TRANSFER, n=4, settle=50.0, apart=20.0)


@pytest.fixture(scope="module")
def shots(potential, tops):
    return im.shoot(potential, tops, TRANSFER, **HOW)


def same(one, other):
    return len(one) == len(other) and all(
        all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("times", "positions", "forces"))
        and (a.weight, a.crossings, a.origin) == (b.weight, b.crossings, b.origin)
        for a, b in zip(one, other, strict=True)
    )


def test_tops_lie_on_the_surface(tops):
    assert np.abs([TRANSFER(atoms) for atoms in tops]).max() < 1e-8
    assert len({round(atoms.get_distance(0, 4), 6) for atoms in tops}) == 4


def test_events_go_from_one_state_to_the_other(shots):
    assert len(shots) == 4
    for event in shots:
        first, last = (event.values[0], event.values[-1])
        assert (first < 0 < last) if event.forward else (last < 0 < first)
        assert event.left < 0 < event.entered
        at = [np.interp(t, event.times, event.values) for t in event.crossings]
        assert np.allclose(at, 0, atol=1e-9)
    assert shots.tried.event.sum() == 4
    assert np.isclose(np.mean([e.weight for e in shots]), 1)


def test_the_motion_within_has_the_temperature_of_the_shots():
    drawn = []
    for seed in range(400):
        moving = MALONALDEHYDE.copy()
        moving.set_velocities(drawn_velocities(MALONALDEHYDE, 300.0, [seed]) / units.fs)
        assert np.abs(moving.get_momenta().sum(0)).max() < 1e-9
        assert np.abs(moving.get_angular_momentum()).max() < 1e-9
        drawn.append(temperature_of(moving))
    error = 300.0 * np.sqrt(2 / 21 / 400)  # 3N - 6 degrees of freedom; with their energy kept, 386
    assert np.mean(drawn) == pytest.approx(300.0, abs=4 * error)


def test_halves_make_one_trajectory_at_constant_energy(potential, shots):
    event = shots[0]
    masses = MALONALDEHYDE.get_masses()[:, None]
    frames = event.frames()
    energies = np.array([a.get_potential_energy() + a.get_kinetic_energy() for a in frames])
    assert np.ptp(energies) < 0.03
    # positions follow from velocities and forces by velocity Verlet, also across the seam
    from ase import units

    dt = 0.5
    push = 0.5 * dt**2 * event.forces[:-1] * units.fs**2 / masses
    ahead = event.positions[:-1] + dt * event.velocities[:-1] + push
    assert np.abs(ahead - event.positions[1:]).max() < 1e-10


def test_reversed_twice_is_the_same(shots):
    back = shots[0].reversed()
    assert back.forward is not shots[0].forward
    assert np.isclose(np.interp(0, back.times, back.values), 0, atol=1e-9)
    again = back.reversed()
    assert np.allclose(again.times, shots[0].times)
    assert np.array_equal(again.velocities, shots[0].velocities)
    assert np.allclose(again.crossings, shots[0].crossings)
    assert all(e.forward for e in shots.one_way())


def test_a_broken_run_goes_on_to_the_bit(potential, tops, shots, tmp_path):
    out = tmp_path / "shots.jsonl"
    im.shoot(potential, tops, TRANSFER, out=out, **HOW)
    whole = out.read_bytes()
    lines = whole.split(b"\n")
    out.write_bytes(b"\n".join(lines[:3]) + b"\n" + lines[3][:100])
    assert same(im.shoot(potential, tops, TRANSFER, out=out, **HOW), shots)
    assert out.read_bytes() == whole
    fewer = im.shoot(potential, tops, TRANSFER, out=out, **(HOW | {"n": 2}))
    assert [e.origin for e in fewer] == [e.origin for e in shots][:2]
    assert out.read_bytes() == whole


def test_a_file_that_was_altered_or_is_of_other_shots(potential, tops, tmp_path):
    out = tmp_path / "shots.jsonl"
    one = HOW | {"n": 1}
    im.shoot(potential, tops, TRANSFER, out=out, **one)
    with pytest.raises(im.SimulationError, match="seed"):
        im.shoot(potential, tops, TRANSFER, out=out, seed=1, **one)
    other = replace(TRANSFER, function=lambda atoms: TRANSFER(atoms) + 0.1)
    with pytest.raises(im.SimulationError, match=r"settings \(values\)"):
        im.shoot(potential, tops, other, out=out, **one)
    out.write_bytes(out.read_bytes().replace(b'"speed": ', b'"speed": 9'))
    with pytest.raises(im.TrajectorySealError, match="line 2"):
        im.shoot(potential, tops, TRANSFER, out=out, **one)
    out.write_text("my notes\n")
    with pytest.raises(im.SimulationError, match="no shots"):
        im.shoot(potential, tops, TRANSFER, out=out, **one)
    assert out.read_text() == "my notes\n"


def test_processes_do_not_change_the_events(potential, tops, shots):
    assert same(im.shoot(potential, tops, TRANSFER, workers=2, **HOW), shots)


def test_seeds_in_a_state_are_refused(potential):
    with pytest.raises(im.ReactionError, match="im.top_structures"):
        im.shoot(potential, MALONALDEHYDE, TRANSFER, progress=False)


def test_no_event_says_what_happened(potential, tops):
    with pytest.raises(im.ReactionError, match="no event in 2 shots"):
        im.shoot(potential, tops, TRANSFER, most=2, longest=2.0, window=0.0, progress=False)


def test_committor_falls_from_one_side_to_the_other(potential, tops):
    def at(value):
        return on_surface(tops[0], TRANSFER.with_states(-0.5, value, 0.5))

    table = im.committor(
        potential, [at(-0.35), tops[0], at(0.35)], TRANSFER, shots=16, progress=False
    )
    low, top, high = table.committor
    assert low < 0.35 and high > 0.65
    assert low < top < high
    assert np.allclose(table.coordinate, [-0.35, 0, 0.35])
    assert (table.error > 0.05).all()
    assert (table.decided == 16).all()
