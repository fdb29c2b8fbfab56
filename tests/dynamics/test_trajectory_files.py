"""Trajectory files: cut, torn, altered, of others; runs that go on are those without a break."""

from __future__ import annotations

import json
import os
import shutil
from itertools import count

import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from ase.io.trajectory import TrajectoryReader, TrajectoryWriter
from killed import killed_at
from small_disk import small_disk

import interpmd as im
from interpmd.potentials import ClusterExpansion, Morse, Potential, StillingerWeber
from interpmd.storage import locked

ETHANE = molecule("C2H6")
ETHANE.positions *= 1.1
SOFT = Potential([Morse(depth=0.5, width=1.0, distance=1.5, cutoff=6.0)])


def expansion() -> Potential:
    """A potential that the fast evaluator compiles, with soft walls."""
    term = ClusterExpansion.example()
    term.readout.mul_(0.05)
    return Potential([term, StillingerWeber(epsilon=0.4, sigma=1.6, lam=5.0)])


def run(potential=SOFT, **arguments):
    defaults = {"steps": 60, "temperature": 100.0, "progress": False}
    return im.simulate(potential, ETHANE, **(defaults | arguments))


def assert_same(one: im.Trajectory, other: im.Trajectory) -> None:
    """The same frames to the bit."""
    assert one.times.tolist() == other.times.tolist()
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.positions, b.positions)
        assert np.array_equal(a.get_momenta(), b.get_momenta())
        assert np.array_equal(a.get_forces(), b.get_forces())
        assert a.get_potential_energy() == b.get_potential_energy()
        assert a.info == b.info


def test_the_last_frame_stands_at_its_own_time(tmp_path):
    short = run(steps=5, interval=10, out=tmp_path / "run.traj")
    assert short.times.tolist() == [0.0, 2.5]
    assert run(steps=25, interval=10).times.tolist() == [0.0, 5.0, 10.0, 12.5]
    again = run(steps=5, interval=10, out=tmp_path / "run.traj")
    assert_same(short, again)


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
@pytest.mark.parametrize("interval", [1, 3, 10])
@pytest.mark.parametrize("cuts", [(0.4,), (5,), (7, 8, 12), (21, 4), (20, 20), (1, 2, 3)])
def test_a_resumed_run_is_the_run_without_a_break(tmp_path, ensemble, interval, cuts):
    settings = {"ensemble": ensemble, "interval": interval, "friction": 0.05}
    out = tmp_path / "run.traj"
    for steps in (*(max(1, int(cut * 10) if cut < 1 else cut) for cut in cuts), 23):
        resumed = run(steps=steps, out=out, **settings)
        assert_same(resumed, run(steps=steps, **settings))
    stored = read(out, ":")
    assert len(stored) == len(resumed)
    assert np.array_equal([a.positions for a in stored], resumed.positions)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_so_it_is_with_compiled_potentials(tmp_path, ensemble, precision):
    potential, settings = expansion(), {"ensemble": ensemble, "precision": precision, "interval": 4}
    for steps in (9, 30, 61):
        resumed = run(potential, steps=steps, out=tmp_path / "run.traj", **settings)
    assert_same(resumed, run(potential, steps=61, **settings))


def test_a_file_that_goes_further_is_left_as_it_is(tmp_path):
    out = tmp_path / "run.traj"
    run(steps=45, out=out)
    before = out.read_bytes()
    assert_same(run(steps=20, out=out), run(steps=20))
    assert_same(run(steps=23, out=out), run(steps=23))
    assert out.read_bytes() == before


def test_stopping_is_asked_of_stored_frames_too(tmp_path):
    whole = run(out=tmp_path / "run.traj")

    def there(atoms):
        return np.array_equal(atoms.positions, whole[3].positions)

    stopped, again = run(stop_when=there), run(stop_when=there, out=tmp_path / "run.traj")
    assert len(stopped) == 4
    assert_same(stopped, again)


@pytest.mark.filterwarnings("ignore:.*broken off")
def test_a_file_torn_anywhere_goes_on_from_its_last_whole_frame(tmp_path):
    out, kept = tmp_path / "run.traj", tmp_path / "run.traj.torn"
    whole = run(interval=4, out=out)
    data, side = out.read_bytes(), (tmp_path / "run.traj.json").read_bytes()
    lengths = []
    for size in [*range(0, len(data), len(data) // 150), len(data) - 1]:
        out.write_bytes(data[:size])
        assert_same(run(interval=4, out=out), whole)
        assert len(read(out, ":")) == len(whole)
        assert (tmp_path / "run.traj.json").read_bytes() == side
        if kept.exists():
            assert kept.read_bytes() == data[:size]
            kept.unlink()
        lengths.append(size)
    assert len(lengths) > 150


def test_a_file_whose_table_is_lost_keeps_its_frames(tmp_path):
    from interpmd.dynamics.torn import whole_frames

    out = tmp_path / "run.traj"
    run(interval=4, out=out)
    data = out.read_bytes()
    with TrajectoryReader(out) as stored:
        table = stored.backend._pos0
        before = sum(place < table for place in stored.backend._offsets)
    assert before > 1
    out.write_bytes(data[:table])  # the frames before the table, and no table
    frames, whole = whole_frames(out)
    assert (len(frames), whole) == (before, False)
    with pytest.warns(UserWarning, match=f"after {before} frames.*is kept in .*run.traj.torn"):
        run(interval=4, out=out)


ALTERED = {
    "positions": lambda atoms: atoms.positions.__setitem__((0, 0), atoms.positions[0, 0] + 1e-12),
    "momenta": lambda atoms: atoms.set_momenta(-atoms.get_momenta()),
    "energy": lambda atoms: atoms.calc.results.__setitem__("energy", 0.0),
    "forces": lambda atoms: atoms.calc.results.__setitem__("forces", np.zeros((8, 3))),
    "step": lambda atoms: atoms.info["interpmd"].__setitem__("step", 60),
    "elements": lambda atoms: atoms.set_atomic_numbers([6, 6, 1, 1, 1, 1, 1, 6]),
}


@pytest.mark.parametrize("what", ALTERED)
def test_altered_frames_are_refused(tmp_path, what):
    out = tmp_path / "run.traj"
    run(out=out)
    frames = read(out, ":")
    ALTERED[what](frames[3])
    write(out, frames)
    before = out.read_bytes()
    with pytest.raises(im.TrajectorySealError, match=r"run\.traj: frame 3 is not what was written"):
        run(out=out)
    assert out.read_bytes() == before


def test_frames_that_are_read_know_their_times(tmp_path):
    out = tmp_path / "run.traj"
    whole = run(out=out, steps=25)
    frames = im.read_frames(out)
    assert [a.info["time_fs"] for a in frames] == whole.times.tolist() == [0.0, 5.0, 10.0, 12.5]
    over_time = im.explain_trajectory(SOFT, out, im.Force(0), gauge="atoms", progress=False)
    assert over_time.time_fs.values.tolist() == whole.times.tolist()
    further = im.simulate(SOFT, f"{out}@-1", steps=5, progress=False)
    assert "time_fs" not in further[-1].info
    frames = read(out, ":")
    frames[2].positions[0, 0] += 1e-9
    write(out, frames)
    with pytest.raises(im.TrajectorySealError, match="frame 2 is not what was written"):
        im.read_frames(out)


def test_altered_settings_are_refused(tmp_path):
    out, side = tmp_path / "run.traj", tmp_path / "run.traj.json"
    run(out=out)
    settings = json.loads(side.read_text())
    side.write_text(json.dumps(settings | {"temperature_K": 200.0}))
    with pytest.raises(im.TrajectorySealError, match="frame 0 is not what was written"):
        run(out=out, temperature=200.0)


def test_a_file_of_the_release_before_goes_on_with_a_warning(tmp_path):
    out = tmp_path / "run.traj"
    run(out=out, steps=35)
    frames = read(out, ":")
    for atoms in frames:
        del atoms.info["interpmd"]
    write(out, frames)
    with pytest.warns(im.UnsealedWarning, match="carries no seals"):
        resumed = run(out=out, steps=60)
    assert_same(resumed, run(steps=60))
    run(out=out)  # sealed now


def test_files_of_others_are_left_alone(tmp_path):
    out, side = tmp_path / "run.traj", tmp_path / "run.traj.json"
    out.write_text("12 things to do\n")
    with pytest.raises(im.SimulationError, match="is no trajectory; choose another file"):
        run(out=out)
    assert out.read_text() == "12 things to do\n"
    assert not side.exists()
    out.unlink()
    with TrajectoryWriter(out) as file:
        file.write(ETHANE)
    before = out.read_bytes()
    with pytest.raises(im.SimulationError, match="was not made by simulate"):
        run(out=out)
    assert out.read_bytes() == before
    out.unlink()
    side.write_text('{"my": "notes"}')
    with pytest.raises(im.SimulationError, match="holds no settings of a simulation"):
        run(out=out)
    assert side.read_text() == '{"my": "notes"}'


def test_velocities_masses_and_constraints_belong_to_the_start(tmp_path):
    from ase.constraints import FixAtoms

    out, options = tmp_path / "run.traj", {"steps": 20, "progress": False}
    im.simulate(SOFT, ETHANE, out=out, **options)
    fast, heavy, held = ETHANE.copy(), ETHANE.copy(), ETHANE.copy()
    fast.set_momenta(np.ones((8, 3)))
    heavy.set_masses([12, 12, 2, 2, 2, 2, 2, 2])
    held.set_constraint(FixAtoms([0]))
    for atoms, word in ((fast, "velocities"), (heavy, "masses"), (held, "constraints")):
        with pytest.raises(im.SimulationError, match=rf"other settings \({word}\)"):
            im.simulate(SOFT, atoms, out=out, **options)


def test_a_file_that_is_removed_meanwhile_is_missed(tmp_path):
    (tmp_path / "folder").mkdir()
    out, seen = tmp_path / "folder" / "run.traj", []

    def vanish(atoms):
        seen.append(atoms)
        if len(seen) == 3:
            shutil.rmtree(out.parent)
        return False

    with pytest.raises(im.OutputError, match="is gone") as caught:
        im.simulate(SOFT, ETHANE, steps=30, interval=5, out=out, stop_when=vanish, progress=False)
    assert len(caught.value.report) == 3


def test_two_runs_do_not_write_one_file(tmp_path):
    out = tmp_path / "run.traj"
    run(out=out, steps=20)
    before = out.read_bytes()
    with locked(out), pytest.raises(im.OutputError, match=r"by another call \(process \d+\)"):
        run(out=out)
    assert out.read_bytes() == before
    assert_same(run(out=out), run())
    assert sorted(f.name for f in tmp_path.iterdir()) == ["run.traj", "run.traj.json"]


@pytest.mark.filterwarnings("ignore:.*broken off")
@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_change_loses_nothing(tmp_path, after):
    whole = run(steps=33)
    for step in count(1):
        out = tmp_path / f"{step}.traj"
        run(steps=15, out=out)
        if not killed_at(step, lambda out=out: run(steps=33, out=out), after):
            break
        assert len(read(out, ":")) >= 2
        assert_same(run(steps=33, out=out), whole)
    assert step > 3


def test_a_full_disk_keeps_the_frames_before_in_file_and_error(tmp_path):
    with small_disk(tmp_path / "disk", 16 * 1024) as disk:
        with pytest.raises(im.OutputError, match=r"step \d+ of .* cannot be written") as caught:
            run(steps=600, interval=2, out=disk / "run.traj")
        kept = caught.value.report
        assert 5 < len(kept) < 100
        os.system(f"cp {disk}/run.traj* {tmp_path}")
    assert_same(kept, run(steps=2 * (len(kept) - 1), interval=2))
    assert_same(run(steps=100, interval=2, out=tmp_path / "run.traj"), run(steps=100, interval=2))


def test_any_calculator_is_told_by_its_settings(tmp_path):
    from ase.calculators.lj import LennardJones

    out, options = tmp_path / "run.traj", {"steps": 10, "progress": False}
    im.simulate(LennardJones(epsilon=0.001), ETHANE, out=out, **options)
    with pytest.raises(im.SimulationError, match=r"other settings \(potential\)"):
        im.simulate(LennardJones(epsilon=0.002), ETHANE, out=out, **options)
    assert isinstance(read(out).calc, SinglePointCalculator)


def test_a_level_of_theory_is_told_by_its_charge(tmp_path):
    """Two charges of one class of calculator are two potentials."""
    from interpmd.reference.calculator import as_calculator

    out, options = tmp_path / "run.traj", {"steps": 4, "interval": 2, "progress": False}
    im.simulate(as_calculator("gfn2-xtb"), ETHANE, out=out, **options)
    im.simulate(as_calculator("gfn2-xtb"), ETHANE, out=out, **options)
    cation = ETHANE.copy()
    cation.info |= {"charge": 1, "multiplicity": 2}
    with pytest.raises(im.SimulationError, match=r"other settings \(charge, multiplicity\)"):
        im.simulate(as_calculator("gfn2-xtb"), cation, out=out, **options)
    for other in (as_calculator("gfn2-xtb", charge=1), as_calculator("gfn1-xtb")):
        with pytest.raises(im.SimulationError, match=r"other settings \(potential\)"):
            im.simulate(other, ETHANE, out=out, **options)
