"""Sampling: the same seed gives the same geometries, and they are what was asked for."""

import numpy as np
import pytest
from ase import units
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes
from hypothesis import given, settings
from hypothesis import strategies as st

from interpmd.errors import ArgumentError, StructureError, UnknownSamplingError
from interpmd.reference import sample
from interpmd.reference.bias import (
    BiasedCalculator,
    DihedralRestraint,
    DistanceRestraint,
    TransferRestraint,
)
from interpmd.reference.clusters import clear_of, fragments, molecules_of, random_rotation
from interpmd.reference.trajectories import langevin, normal_modes


class Spring(Calculator):
    """A harmonic bond between two atoms: stiffness / 2 * (d - length)^2."""

    implemented_properties = ["energy", "forces"]
    stiffness, length = 30.0, 1.0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        restraint = DistanceRestraint(0, 1, self.length, self.stiffness)
        energy, forces = restraint.energy_and_forces(atoms)
        self.results = {"energy": energy, "forces": forces}


def oxygen(length: float = 1.0):
    atoms = molecule("O2")
    atoms.set_distance(0, 1, length)
    return atoms


WAYS = [
    ("md", molecule("H2O"), {"interval": 2, "equilibration": 2, "temperatures": (300, 600)}),
    ("normal_modes", molecule("H2O"), {"temperatures": (300, 600)}),
    ("rattle", molecule("H2O"), {"stdev": 0.02}),
    ("dimers", molecule("H2O"), {}),
    ("trimers", [molecule("H2O"), molecule("NH3")], {}),
    ("fragments", sample(molecule("H2O"), "tetramers", n=1), {"orders": (1, 2)}),
]


@pytest.mark.parametrize(("how", "atoms", "options"), WAYS, ids=[way[0] for way in WAYS])
def test_sampling_is_deterministic_and_counts(how, atoms, options):
    first, again, other = (sample(atoms, how, n=4, seed=s, **options) for s in (1, 1, 2))
    assert len(first) == len(again) == len(other) == 4
    for a, b in zip(first, again, strict=True):
        np.testing.assert_allclose(a.positions, b.positions, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(a.numbers, b.numbers)
    assert any(
        len(a) != len(b) or not np.allclose(a.positions, b.positions)
        for a, b in zip(first, other, strict=True)
    )
    assert {a.info["sampling"] for a in first} == {how}


def test_modes_have_the_thermal_width_of_a_spring():
    frames = normal_modes(oxygen(), Spring(), n=3000, temperature=400, seed=5)
    lengths = np.array([a.get_distance(0, 1) for a in frames])
    width = np.sqrt(units.kB * 400 / Spring.stiffness)
    assert lengths.mean() == pytest.approx(1.0, abs=4 * width / np.sqrt(3000))
    assert lengths.std() == pytest.approx(width, rel=0.05)


def test_dynamics_has_the_thermal_width_of_a_spring():
    frames = langevin(
        oxygen(), Spring(), n=600, temperature=400, seed=5, interval=10, timestep=1, friction=0.1
    )
    lengths = np.array([a.get_distance(0, 1) for a in frames])
    assert lengths.std() == pytest.approx(np.sqrt(units.kB * 400 / Spring.stiffness), rel=0.12)
    assert np.abs([a.get_center_of_mass() for a in frames]).max() < 1e-9


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**31),
    size=st.integers(2, 3),
    low=st.floats(2.5, 4.0),
    extent=st.floats(0.5, 5.0),
)
def test_clusters_keep_distances_and_do_not_clash(seed, size, low, extent):
    how = {2: "dimers", 3: "trimers"}[size]
    pool = [molecule("H2O"), molecule("CH4")]
    for atoms in sample(pool, how, n=2, seed=seed, distances=(low, low + extent)):
        groups = molecules_of(atoms)
        assert len(groups) == size == atoms.info["molecules"]
        parts = [atoms[group] for group in groups]
        centres = np.array([part.get_center_of_mass() for part in parts])
        gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2) + 99 * np.eye(size)
        assert (gaps.min(axis=1) <= low + extent + 1e-9).all()
        # a third molecule keeps the distance from one of the others, not from both
        assert size > 2 or gaps[0].min() >= low - 1e-9
        assert all(
            clear_of(parts[a], parts[b], 0.6) for a in range(size) for b in range(a + 1, size)
        )
        for part in parts:
            reference = pool[0] if len(part) == 3 else pool[1]
            np.testing.assert_allclose(
                part.get_all_distances(), reference.get_all_distances(), atol=1e-10
            )


def test_rotations_are_proper_and_uniform():
    rng = np.random.default_rng(0)
    matrices = np.array([random_rotation(rng) for _ in range(2000)])
    np.testing.assert_allclose(
        matrices @ matrices.transpose(0, 2, 1), np.tile(np.eye(3), (2000, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-12)
    # the trace of a uniform rotation has mean 0 and variance 1
    traces = np.trace(matrices, axis1=1, axis2=2)
    assert traces.mean() == pytest.approx(0, abs=0.1)
    assert traces.var() == pytest.approx(1, abs=0.1)


def test_fragments_are_all_subsets_as_they_stand():
    [cluster] = sample(molecule("H2O"), "tetramers", n=1, seed=3)
    parts = fragments(cluster, orders=(1, 2, 3, 4))
    assert [p.info["molecules"] for p in parts] == [1] * 4 + [2] * 6 + [3] * 4 + [4]
    np.testing.assert_array_equal(parts[-1].positions, cluster.positions)
    pair = next(p for p in parts if p.info["fragment"] == "1 3")
    np.testing.assert_array_equal(pair.positions, cluster.positions[[3, 4, 5, 9, 10, 11]])


@pytest.mark.parametrize(
    "restraint",
    [
        DistanceRestraint(0, 3, 2.0),
        TransferRestraint(0, 1, 3, 0.3),
        DihedralRestraint(2, 0, 1, 3, 170.0),
        DihedralRestraint(2, 0, 1, 3, -20.0),
    ],
)
def test_restraint_forces_are_the_slope_of_the_energy(restraint):
    atoms = molecule("H2O2")
    atoms.rattle(0.1, seed=2)
    _, forces = restraint.energy_and_forces(atoms)
    expected = np.zeros_like(forces)
    for index in range(forces.size):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions.flat[index] += sign * 1e-5
            energies.append(restraint.energy_and_forces(moved)[0])
        expected.flat[index] = -(energies[0] - energies[1]) / 2e-5
    np.testing.assert_allclose(forces, expected, atol=1e-6)
    assert np.abs(forces).max() > 0.01


def test_biased_dynamics_stays_at_its_target():
    restraint = DistanceRestraint(0, 1, 1.3, stiffness=200.0)
    frames = langevin(
        oxygen(1.2), Spring(), n=150, seed=1, interval=10, friction=0.1, restraints=[restraint]
    )
    # two springs in parallel: the minimum is the mean weighted by stiffness
    expected = (200.0 * 1.3 + 30.0 * 1.0) / 230.0
    assert np.mean([a.get_distance(0, 1) for a in frames]) == pytest.approx(expected, abs=0.015)
    atoms = oxygen(1.2)
    atoms.calc = BiasedCalculator(Spring(), [restraint])
    assert atoms.get_potential_energy() == pytest.approx(100 * 0.01 + 15 * 0.04)


def test_bad_requests_are_named():
    with pytest.raises(UnknownSamplingError, match="available: md, normal_modes"):
        sample(molecule("H2O"), "metadynamics")
    broken = molecule("H2O")
    broken.positions[0] = np.nan
    with pytest.raises(StructureError, match="not finite"):
        sample(broken, "md")
    with pytest.raises(ArgumentError, match="no room"):
        sample(molecule("H2O"), "dimers", n=1, distances=(0.1, 0.5))
