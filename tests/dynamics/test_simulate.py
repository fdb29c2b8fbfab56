"""Molecular dynamics: conserved energy, seeds, resuming, accidents."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.optimize import BFGS

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import SimulationError
from interpmd.potentials import Isolated, Morse, Potential

ETHANE = molecule("C2H6")
ETHANE.positions *= 1.1
SOFT = Potential([Morse(depth=0.5, width=1.0, distance=1.5, cutoff=6.0)])


def run(**arguments):
    defaults = {"steps": 60, "temperature": 100.0, "progress": False}
    return im.simulate(SOFT, ETHANE, **(defaults | arguments))


def test_nve_conserves_energy_to_second_order_in_the_timestep():
    def spread(timestep):
        steps = round(40 / timestep)
        found = run(steps=steps, timestep=timestep, interval=max(1, round(1 / timestep)))
        return np.ptp(found.total_energies)

    coarse, fine = spread(0.5), spread(0.25)
    assert fine < 1e-2
    assert 2.5 < coarse / fine < 6


def test_same_seed_same_trajectory_other_seed_another():
    one, two, other = run(seed=1), run(seed=1), run(seed=2)
    assert np.array_equal(one.positions, two.positions)
    assert np.abs(one.positions[-1] - other.positions[-1]).max() > 1e-3


def test_velocities_carry_no_drift_and_no_rotation():
    first = run(steps=10)[0]
    assert np.abs(first.get_momenta().sum(0)).max() < 1e-10
    assert np.abs(first.get_angular_momentum()).max() < 1e-8


def test_ctrl_c_keeps_what_is_done(tmp_path):
    def stop(atoms):
        stop.calls += 1
        if stop.calls == 4:
            raise KeyboardInterrupt
        return False

    stop.calls = 0
    kept = run(out=tmp_path / "run.traj", stop_when=stop)
    assert len(kept) == 4
    assert len(run(out=tmp_path / "run.traj")) == 7


def test_other_settings_do_not_mix_into_one_file(tmp_path):
    run(out=tmp_path / "run.traj")
    with pytest.raises(SimulationError, match="other settings"):
        run(out=tmp_path / "run.traj", temperature=200.0)


def test_another_potential_or_structure_does_not_go_on_with_a_run(tmp_path):
    out, options = tmp_path / "run.traj", {"steps": 20, "progress": False}
    first = im.simulate(SOFT, ETHANE, out=out, **options)
    again = im.simulate(SOFT, ETHANE, out=out, **options)
    assert len(again) == len(first)
    other = Potential([Morse(depth=0.5, width=1.0, distance=1.6, cutoff=6.0)])
    with pytest.raises(SimulationError, match=r"other settings \(potential\)"):
        im.simulate(other, ETHANE, out=out, **options)
    moved = ETHANE.copy()
    moved.positions[0, 0] += 0.1
    with pytest.raises(SimulationError, match=r"other settings \(start\)"):
        im.simulate(SOFT, moved, out=out, **options)


def test_places_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(im.OutputError, match="cannot be written"):
        run(out=tmp_path / "file" / "run.traj")


def test_an_explosion_is_named():
    stiff = Potential([Morse(depth=8.0, width=4.0, distance=1.2, cutoff=6.0)])
    with pytest.raises(SimulationError, match="exploded at step"):
        im.simulate(stiff, molecule("C2H6"), timestep=8.0, steps=400, progress=False)


def test_bad_arguments():
    with pytest.raises(ValueError, match="ensemble"):
        run(ensemble="npt")
    with pytest.raises(ValueError, match="steps is a whole number, 1 or more, not 0"):
        run(steps=0)


def test_former_keywords_work_and_warn():
    with pytest.warns(FutureWarning) as seen:
        former = run(time_step=0.25, record_every=20)
    assert {str(w.message).split(";")[0] for w in seen} == {
        "simulate(time_step=...) is now simulate(timestep=...)",
        "simulate(record_every=...) is now simulate(interval=...)",
    }
    assert np.array_equal(former.times, [0.0, 5.0, 10.0, 15.0])
    assert np.array_equal(former.positions, run(timestep=0.25, interval=20).positions)


def test_drift_is_the_slope_of_the_total_energy():
    found = run(steps=200)
    energies = found.total_energies
    times = found.times / 1000
    slope = ((times - times.mean()) * (energies - energies.mean())).sum()
    slope /= ((times - times.mean()) ** 2).sum()
    assert found.drift() == pytest.approx(1000 * slope / 8, rel=1e-9)


def test_atoms_that_run_into_each_other_end_the_run_with_a_word_on_why():
    pair = Atoms("H2", [(0, 0, 0), (0, 0, 1.0)])
    pair.set_velocities([(0, 0, 0.05), (0, 0, -0.05)])
    free = Potential([Isolated({1: 0.0})])
    with pytest.raises(SimulationError, match=r"broke after step \d+: atoms H0 and H1 .* far from"):
        im.simulate(free, pair, steps=400, interval=1, progress=False)


def test_from_a_minimum_the_temperature_halves_unless_it_is_equilibrated(tmp_path):
    """Equipartition: half of the kinetic energy of a minimum goes into the potential energy."""
    potential, minimum = im.load("malonaldehyde"), MALONALDEHYDE.copy()
    minimum.calc = potential.calculator()
    BFGS(minimum, logfile=None).run(fmax=0.01)

    def mean(equilibration, seed):
        run = im.simulate(
            potential, minimum, steps=1500, seed=seed, equilibration=equilibration, progress=False
        )
        return run.temperatures[50:].mean(), run

    cold = np.mean([mean(0, seed)[0] for seed in range(3)])
    warm, run = zip(*(mean(1500, seed) for seed in range(3)), strict=True)
    assert 100 < cold < 200 and 220 < np.mean(warm) < 400
    assert len(run[0]) == 151 and run[0].times[0] == 0
    again = im.simulate(
        potential, minimum, steps=20, equilibration=1500, out=tmp_path / "r.traj", progress=False
    )
    assert (again[0].positions == run[0][0].positions).all()
    longer = im.simulate(
        potential, minimum, steps=40, equilibration=1500, out=tmp_path / "r.traj", progress=False
    )
    assert (longer.positions == run[0].positions[: len(longer)]).all()
    with pytest.raises(im.ArgumentError, match="equilibration is a whole number, 0 or more"):
        im.simulate(potential, minimum, steps=5, equilibration=-1)
