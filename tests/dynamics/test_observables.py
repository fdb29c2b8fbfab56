"""Observables of trajectories whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.dynamics.observables.blocks import correlation_length, drawn_blocks


def forgetful(size: int, memory: float, seed: int = 0) -> np.ndarray:
    """A series x' = a x + noise of variance 1."""
    noise = np.random.default_rng(seed).normal(size=size) * np.sqrt(1 - memory**2)
    values = np.zeros(size)
    for k in range(1, size):
        values[k] = memory * values[k - 1] + noise[k]
    return values


def oscillator(wave_number: float, frames: int = 2000, step: float = 2.0) -> im.Trajectory:
    """A diatomic whose bond vibrates; the heavier atom rests."""
    times = step * np.arange(frames)
    phase = 2 * np.pi * wave_number * 100 * units._c * 1e-15 * times
    structures = []
    for angle in phase:
        atoms = Atoms("HI", positions=[(1.6 + 0.1 * np.cos(angle), 0, 0), (0, 0, 0)])
        speed = -0.1 * np.sin(angle) * 2 * np.pi * wave_number * 100 * units._c * 1e-15
        atoms.set_velocities([(speed / units.fs, 0, 0), (0, 0, 0)])
        structures.append(atoms)
    return im.Trajectory(structures, times)


def test_what_a_series_remembers():
    """Of x' = a x + noise it is (1 + a) / (1 - a)."""
    for memory in (0.0, 0.5, 0.9):
        expected = (1 + memory) / (1 - memory)
        assert correlation_length(forgetful(40_000, memory)) == pytest.approx(expected, rel=0.2)
    assert correlation_length(np.ones(10)) == 1
    chosen = drawn_blocks(100, 7, 50, seed=0)
    assert chosen.shape == (50, 100) and chosen.min() >= 0 and chosen.max() < 100
    assert (np.diff(chosen.reshape(-1)[:7]) == 1).all()


def test_the_free_energy_of_a_harmonic_coordinate_and_its_error_bars():
    """F = kT x²/2, and the bars hold what the frames, which remember, miss."""
    frames, kt = [molecule("H2O")] * 8000, units.kB * 300
    inside = total = 0
    for seed in range(6):
        found = im.free_energy(
            frames, forgetful(8000, 0.8, seed), 300.0, bins=15, range=(-2.25, 2.25), seed=1
        )
        error = found.energies - kt * found.places**2 / 2
        error -= error[found.counts.argmax()]
        known = found.stds > 0
        inside += int((np.abs(error) < 2 * found.stds)[known].sum())
        total += int(known.sum())
    assert 0.85 < inside / total <= 1.0
    independent = 8000 * (1 - 0.8) / (1 + 0.8)
    assert found.independent == pytest.approx(independent, rel=0.3)
    # frames that remember nothing leave shorter bars
    sure = im.free_energy(frames, forgetful(8000, 0.0), 300.0, bins=15, range=(-2.25, 2.25))
    assert np.nanmedian(sure.stds) < 0.85 * np.nanmedian(found.stds)


def test_the_free_energy_of_a_dihedral_turns_around():
    frames = [MALONALDEHYDE] * 400
    angles = np.where(np.arange(400) % 100 < 75, 178.0, -178.0)
    turned = []
    for frame, angle in zip(frames, angles, strict=True):
        copy = frame.copy()
        copy.set_dihedral(1, 2, 3, 7, angle, indices=[7])
        turned.append(copy)
    found = im.free_energy(turned, (1, 2, 3, 7), 300.0, bins=36)
    assert found.axis == "dihedral C1–C2–C3–H7 (°)" and found.counts[[0, -1]].tolist() == [100, 300]
    assert found.energies[0] == pytest.approx(units.kB * 300 * np.log(3))
    assert np.isnan(found.energies[1:-1]).all() and "2 of 36 bins visited" in str(found)
    assert "not visited" in [t.get_text() for t in found.plot().get_legend().get_texts()]
    with pytest.raises(im.TrajectoryError, match="ten frames"):
        im.free_energy(turned[:5], (1, 2, 3, 7), 300.0)
    with pytest.raises(im.ArgumentError, match="number for each frame: of 400"):
        im.free_energy(turned, np.ones(3), 300.0)
    with pytest.raises(im.TrajectoryError, match="no curve"):
        im.free_energy(turned, (0, 1), 300.0)


def test_a_vibration_stands_where_it_vibrates():
    for number in (500.0, 2309.0):
        run = oscillator(number)
        for found in (im.power_spectrum(run), im.power_spectrum(run, of=(0, 1))):
            assert found.peaks(1).index[0] == pytest.approx(number, abs=found.resolution)
            assert found.part(number - 60, number + 60) == pytest.approx(1, abs=0.01)
            assert found.part(0, 1e6) == pytest.approx(1)
    assert f"{2309:.0f}"[:2] in str(found)
    assert im.power_spectrum(run, atoms=[0]).of == "H0"
    with pytest.raises(im.TrajectoryError, match="does not move"):
        im.power_spectrum(run, atoms=[1])
    with pytest.raises(im.TrajectoryError, match="no velocities"):
        im.power_spectrum([MALONALDEHYDE] * 20, times=range(20))
    with pytest.raises(im.TrajectoryError, match="evenly spaced"):
        im.power_spectrum(run[:20], times=np.arange(20) ** 2)
    with pytest.raises(im.TrajectoryError, match="no times"):
        im.power_spectrum(list(run))
    # the last frame of a run may come sooner
    times = run.times.copy()
    times[-1] -= 1
    assert im.power_spectrum(im.Trajectory(run.frames, times)).peaks(1).index[0] == pytest.approx(
        2309, abs=40
    )


def test_a_coordinate_vibrates_at_the_wave_number_of_its_mode():
    """The stretch of water in small amplitude, by dynamics and by the Hessian."""
    potential = im.load("water")
    relaxed = im.relax(potential, molecule("H2O"), force=1e-3, progress=False).atoms
    modes = im.normal_modes(potential, relaxed)
    moved = modes[2].displaced(relaxed, 0.02)
    moved.set_momenta(np.full((3, 3), 1e-9))
    run = im.simulate(potential, moved, steps=2000, interval=4, timestep=0.5, progress=False)
    found = im.power_spectrum(run, of=(1, 0, 2), windows=1)
    assert found.peaks(1).index[0] == pytest.approx(modes[2].wave_number, abs=found.resolution)


def test_hydrogen_bonds_come_and_go():
    near, far = MALONALDEHYDE.copy(), MALONALDEHYDE.copy()
    far.rotate_dihedral(2, 3, 4, 8, 180.0, indices=[8])
    order = [near, near, far, near, near, near, far, far]
    found = im.hydrogen_bonds(order, times=10.0 * np.arange(8))
    assert found.names == ("O4–H8···O0",) and found.present[:, 0].tolist() == [
        atoms is near for atoms in order
    ]
    row = found.to_frame().iloc[0]
    assert row.tolist() == [5 / 8, 2, 30.0]
    survival = found.survival(2)
    assert survival.iloc[0] == 1 and survival.index.tolist() == [0, 10, 20]
    # of the five, three are there one frame later (MDAnalysis: mean over times with a bond)
    assert survival.iloc[1] == pytest.approx(3 / 5)
    assert found.lifetime() > 0
    none = im.hydrogen_bonds([far])
    assert len(none) == 0 and str(none) == "no hydrogen bond in 1 frames"
    with pytest.raises(im.TrajectoryError, match="no hydrogen bonds"):
        none.survival()
    spans = found.plot().collections
    widths = [p.get_extents().width for c in spans for p in c.get_paths()]
    assert sorted(widths) == [20, 30]  # fs, frames that follow each other are one bar


def test_pairs_of_few_atoms_are_counted_over_chance():
    """Of its own kind an atom meets one fewer, of another kind all."""
    generator, gas = np.random.default_rng(0), []
    for _ in range(4000):
        gas.append(Atoms("Ar4Ne3", generator.random((7, 3)) * 10, cell=[10] * 3, pbc=True))
    for pair, g in im.radial_distribution(gas, bins=4).values.items():
        assert g[1:] == pytest.approx(1.0, abs=0.06), pair


def test_radial_distributions_of_a_crystal_and_of_a_gas():
    crystal = bulk("Cu", "fcc", a=3.6, cubic=True) * (3, 3, 3)
    found = im.radial_distribution([crystal] * 5, bins=200)
    place, _ = found.first_peak("Cu-Cu")
    assert place == pytest.approx(3.6 / np.sqrt(2), abs=0.03)
    within = found.neighbours["Cu-Cu"][found.distances > 3.0][0]
    assert within == pytest.approx(12, abs=1e-4)
    generator = np.random.default_rng(0)
    gas = []
    for _ in range(40):
        atoms = Atoms("Ar150Ne50", cell=[[12, 0, 0], [3, 12, 0], [0, 1, 12]], pbc=True)
        atoms.set_scaled_positions(generator.random((200, 3)))
        gas.append(atoms)
    spread = im.radial_distribution(gas, bins=10)
    assert list(spread.values) == ["Ar-Ar", "Ar-Ne", "Ne-Ne"]
    for pair, g in spread.values.items():
        outer = slice(4, None)
        assert np.abs(g[outer] - 1).max() < 0.1, pair
        assert (np.abs(g[outer] - 1) < 4 * spread.stds[pair][outer] + 0.02).all(), pair
    density = 50 / gas[0].get_volume()
    sphere = 4 / 3 * np.pi * (spread.distances[-1] * 20 / 19) ** 3
    assert spread.neighbours["Ar-Ne"][-1] == pytest.approx(density * sphere, rel=0.03)
    for pairs in (3, ["Ar", 1], []):
        with pytest.raises(im.ArgumentError, match="pairs"):
            im.radial_distribution(gas, pairs)
    with pytest.raises(im.TrajectoryError, match="not periodic"):
        im.radial_distribution([MALONALDEHYDE])
    with pytest.raises(im.ArgumentError, match="no pair"):
        im.radial_distribution(gas, ["Ar-Xe"])
    with pytest.raises(im.ArgumentError, match="beyond half of a cell"):
        im.radial_distribution(gas, longest=9.0)
    assert spread.plot().get_ylabel() == "g(r)" and "Ar-Ar" in str(spread)


def test_slow_coordinates_find_what_is_slow():
    """A methyl-like turn between two shapes, under fast small noise."""
    generator = np.random.default_rng(0)
    frames, sides = [], []
    for k in range(200):
        side = (k // 50) % 2
        atoms = MALONALDEHYDE.copy()
        atoms.set_angle(2, 3, 4, 118 + 8 * side, indices=[4, 7, 8])
        atoms.positions += 0.01 * generator.normal(size=atoms.positions.shape)
        frames.append(atoms)
        sides.append(side)
    slow = im.slow_coordinates(frames, lag=5)
    assert slow.shape == (200, 2)
    assert abs(np.corrcoef(slow[:, 0], sides)[0, 1]) > 0.95
    with pytest.raises(im.TrajectoryError, match="10 frames"):
        im.slow_coordinates(frames[:4])


def test_a_barcode_of_interactions_marks_those_that_push():
    potential = im.load("malonaldehyde")
    run = im.simulate(potential, MALONALDEHYDE, steps=60, interval=4, progress=False, seed=0)
    rows = im.explain_trajectory(potential, run, im.Force(8, along=0), progress=False)
    ax = im.plots.explained_barcode(rows, least=0.3)
    names = [label.get_text() for label in ax.get_yticklabels()]
    pushing = (np.abs(rows.value.values) >= 0.3).any(0)
    assert names == [str(n) for n in rows.interaction.values[pushing]]
    with pytest.raises(im.ArgumentError, match="along="):
        im.plots.explained_barcode(
            im.explain_trajectory(potential, run[:2], im.Force(8), progress=False)
        )
