"""Free energies of runs that were biased, against curves that are known."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes

import interpmd as im
from interpmd.dynamics.observables.histograms import log_weights, offsets

KT = 300 * units.kB


class Hill(Calculator):
    """Two heavy atoms between which a hill of 0.25 eV stands at 1.5 Å, wells at 1.2 and 1.8 Å."""

    implemented_properties = ["energy", "forces"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        way = self.atoms.positions[1] - self.atoms.positions[0]
        length = np.linalg.norm(way)
        x = (length - 1.5) / 0.3
        slope = 4 * 0.25 * x * (x**2 - 1) / 0.3
        force = slope * way / length
        self.results = {"energy": 0.25 * (x**2 - 1) ** 2, "forces": np.array([force, -force])}


def exact(r: np.ndarray) -> np.ndarray:
    """Free energy of the distance: the hill, and 2 kT ln r of the sphere."""
    x = (r - 1.5) / 0.3
    free = 0.25 * (x**2 - 1) ** 2 - 2 * KT * np.log(r)
    return free


def between(atoms: Atoms) -> float:
    return atoms.get_distance(0, 1)


STATES = {"low": 1.3, "middle": 1.5, "high": 1.7}


def test_windows_together_give_the_curve(tmp_path):
    pair = Atoms("O2", [(0, 0, 0), (0, 0, 1.2)])
    how = {"steps": 500, "equilibration": 100, "interval": 4, "timestep": 1.0, "progress": False}
    found = im.umbrella(Hill(), pair, between, 10, out=tmp_path / "w", **how, **STATES)
    assert len(found) == 10 and (found.windows().overlap[:-1] > 0.04).all()
    free = found.free_energy(bins=12, range=(1.15, 1.85))
    expected = exact(free.places)
    lowest = free.counts * 0 + np.nanargmin(free.energies)
    expected = expected - expected[lowest[0]]
    assert np.abs(free.energies - expected).max() < 0.04
    assert np.nanmedian(free.stds) < 0.03
    # a hill of ten kT is there although no single run crossed it
    assert free.energies[5:7].min() > 0.2
    again = im.umbrella(Hill(), pair, between, 10, out=tmp_path / "w", **how, **STATES)
    assert all(np.array_equal(a, b) for a, b in zip(found.values, again.values, strict=True))


def test_functions_of_one_name_do_not_share_a_run(tmp_path):
    pair = Atoms("O2", [(0, 0, 0), (0, 0, 1.45)])

    def run(shift):
        low = im.lowered(Hill(), lambda a: a.get_distance(0, 1) - shift, 0.1, **STATES)
        return im.simulate(low, pair, steps=20, out=tmp_path / "run.traj", progress=False)

    first = run(0.0)
    with pytest.raises(im.SimulationError, match=r"other settings \(bias\)"):
        run(0.1)
    assert np.array_equal(run(0.0).positions, first.positions)


def test_windows_that_do_not_overlap_say_so():
    pair = Atoms("O2", [(0, 0, 0), (0, 0, 1.2)])
    with pytest.warns(im.ConvergenceWarning, match="windows 0 and 1"):
        im.umbrella(
            Hill(), pair, between, [1.2, 1.8], steps=12, equilibration=0, progress=False, **STATES
        )
    with pytest.raises(im.ArgumentError, match="ascend"):
        im.umbrella(Hill(), pair, between, [1.8, 1.2], progress=False, **STATES)


def test_offsets_are_those_of_harmonic_runs():
    """Of springs k on a spring: F of each run is known (values of pymbar's MBAR agree to 1e-7)."""
    rng, spring, own = np.random.default_rng(0), 4.0, 1.0
    targets = np.array([-1.0, 0.0, 1.5])
    lengths = [4000, 3000, 5000]
    stiff = spring + own
    values = [
        rng.normal(spring * t / stiff, np.sqrt(1 / stiff), n)
        for t, n in zip(targets, lengths, strict=True)
    ]
    everywhere = np.concatenate(values)
    reduced = 0.5 * spring * (everywhere - targets[:, None]) ** 2
    free = offsets(reduced, lengths)
    known = 0.5 * targets**2 * spring * own / stiff
    assert free == pytest.approx(known - known[0], abs=0.06)
    weights = np.exp(log_weights(reduced, lengths, free))
    weights /= weights.sum()
    assert weights @ everywhere == pytest.approx(0, abs=0.06)
    assert weights @ everywhere**2 == pytest.approx(1 / own, rel=0.06)


def test_a_bias_is_taken_out():
    rng = np.random.default_rng(1)
    x = rng.normal(0, 0.7, 6000)  # of x²/2 kT and another x² (1 / 0.49 - 1) / 2 kT on top
    added = 0.5 * KT * (1 / 0.49 - 1) * x**2
    frames = [molecule("H2O")] * len(x)
    plain = im.free_energy(frames, x, 300.0, bins=9, range=(-1.8, 1.8))
    found = im.free_energy(frames, x, 300.0, bins=9, range=(-1.8, 1.8), bias=added)
    expected = KT * found.places**2 / 2
    assert np.abs(found.energies - expected).max() < 0.25 * KT
    assert plain.energies[0] > 1.5 * found.energies[0]
    with pytest.raises(im.ArgumentError, match="bias= is one energy"):
        im.free_energy(frames, x, 300.0, bias=added[:-1])


def test_a_map_of_two_coordinates():
    rng = np.random.default_rng(2)
    x = rng.normal(size=20000)
    y = 0.5 * x + rng.normal(size=20000)
    frames = [molecule("H2O")] * len(x)
    found = im.free_energy_map(frames, (x, y), 300.0, bins=9, ranges=((-2.25, 2.25), (-2.25, 2.25)))
    one, other = np.meshgrid(found.first, found.second, indexing="ij")
    expected = KT * (one**2 / 2 + (other - 0.5 * one) ** 2 / 2)
    seen = found.counts > 30
    error = (found.energies - expected)[seen]
    error -= error[np.argmax(found.counts[seen])]
    assert np.mean(np.abs(error) < 2 * found.stds[seen] + 0.02 * KT) > 0.85
    assert found.lowest == pytest.approx((0, 0), abs=0.6)
    assert len(found.to_frame()) == (found.counts > 0).sum()
    assert "2.25" not in repr(found) and "bins visited" in repr(found)
    assert found.plot().get_xlabel() == "coordinate"
    assert found.plot("std") is not None
    with pytest.raises(im.ArgumentError, match="two coordinates"):
        im.free_energy_map(frames, (x,), 300.0)
