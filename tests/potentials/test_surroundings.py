"""Whether the training data knew the surroundings of an atom, from distances alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule

import interpmd as im
from interpmd.errors import ExtrapolationWarning
from interpmd.potentials import ClusterExpansion, LennardJones
from interpmd.potentials.near import InTorch, grade_of_surroundings, near
from interpmd.potentials.surroundings import nearest_distances, outside
from interpmd.potentials.uncertainty import uncertainty

WATER = molecule("H2O")
SHIPPED = im.load("water")


def small(*elements, cutoff=4.0):
    return ClusterExpansion(elements, cutoff=cutoff, lmax=0, channels=(2,), functions=2)


def found(term, atoms):
    potential = im.Potential([term])
    batch = potential.batch(atoms)
    return nearest_distances(term, batch, potential.neighbours(batch))


def test_distances_to_the_nearest_neighbours_of_each_element_and_of_any():
    line = Atoms("HHOH", [[0, 0, 0], [0, 0, 1.0], [0, 0, 3.0], [0, 0, 9.0]])
    distances = found(small(1, 8), line)
    assert distances.shape == (4, 3, 8)
    # of the first hydrogen: one hydrogen, one oxygen, and both in order; the rest at the cutoff
    expected = [[1.0, 4.0], [3.0, 4.0], [1.0, 3.0]]
    assert distances[0, :, :2].tolist() == expected and (distances[0, :, 2:] == 4.0).all()
    assert distances[2, 0, :3].tolist() == [2.0, 3.0, 4.0] and (distances[3] == 4.0).all()


def test_images_count_and_the_ninth_neighbour_does_not():
    distances = found(small(18, cutoff=6.0), bulk("Ar", "fcc", a=5.2))
    assert torch.allclose(distances, torch.full((1, 2, 8), 5.2 / 2**0.5, dtype=torch.float64))


def test_distance_outside_the_ranges():
    distances = torch.tensor([[[1.0, 2.0]], [[0.7, 3.5]]])
    ranges = torch.tensor([[[[0.9, 1.1], [1.5, 3.0]]]]).expand(2, 1, 2, 2)
    assert outside(distances, ranges).tolist() == pytest.approx([0.0, 0.5])


def test_the_grade_grows_by_one_for_a_fifth_of_an_angstrom():
    apart = WATER.copy()
    grades = []
    for stretch in (0.0, 1.0, 1.2):
        apart.positions[1] = WATER.positions[1] + stretch * _bond(WATER)
        batch = SHIPPED.batch(apart)
        grades.append(float(grade_of_surroundings(SHIPPED, batch)[1]))
    assert grades[0] == 0 and grades[1] > 1
    assert grades[2] - grades[1] == pytest.approx(1.0)


def test_the_fast_evaluator_finds_the_same_distances_and_parts():
    term = small(1, 8)
    potential = im.Potential([term])
    kinds = ((12, False), (25, True), (6, [True, False, False]), (1, False))
    batch = potential.batch([_grid(n, pbc, seed) for seed, (n, pbc) in enumerate(kinds)])
    by_torch = InTorch(batch, potential.neighbours(batch))
    known = nearest_distances(term, batch, by_torch.pairs)[:20]
    for s in range(2):  # of some of the atoms, and of none nearer than 2.2 Å
        mine = known[term.species[batch.numbers[:20]] == s]
        term.nearest[s] = torch.stack([mine.amin(0).clamp_min(2.2), mine.amax(0)], dim=-1)
    for pairs in (None, by_torch.pairs):
        around = near(potential, batch, pairs)
        assert not isinstance(around, InTorch)
        expected = by_torch.outside(term)
        assert (expected == 0).sum() > 4 and len(set(expected.tolist())) > 10
        assert torch.allclose(around.outside(term), expected, rtol=0, atol=1e-12)
        for cutoff, count in ((1.8, 30), (2.6, 4), (4.0, 4)):
            assert torch.equal(around.parts(cutoff), by_torch.parts(cutoff))
            assert len(set(around.parts(cutoff).tolist())) >= count


def _grid(count, pbc, seed):
    """Hydrogen and oxygen near the points of a grid."""
    rng = np.random.default_rng(seed)
    points = 2.5 * np.array(list(np.ndindex(3, 3, 3)))
    places = rng.permutation(points)[:count] + rng.uniform(-0.4, 0.4, (count, 3))
    return Atoms(rng.choice(["H", "O"], count), places, cell=[7.5, 7.6, 7.7], pbc=pbc)


def _bond(water):
    along = water.positions[1] - water.positions[0]
    return along / (along @ along) ** 0.5


@pytest.mark.parametrize("lone", ["OH", "HH", "OHH"])
def test_parts_and_swapped_atoms_are_unlike_the_data(lone):
    place = {"OH": [0, 1], "HH": [1, 2], "OHH": [1, 0, 2]}[lone]
    atoms = Atoms(lone, WATER.positions[place])
    bars = uncertainty(SHIPPED, SHIPPED.batch(atoms))
    assert float(bars.extrapolation.max()) > 3


def test_single_atoms_have_given_energies():
    for atoms in (Atoms("O"), Atoms("H")):
        assert float(uncertainty(SHIPPED, SHIPPED.batch(atoms)).extrapolation.max()) == 0


def test_nothing_learned_knows_nothing_of_surroundings():
    potential = im.Potential([LennardJones(0.05, 1.0, 4.0)])
    assert not grade_of_surroundings(potential, potential.batch(WATER)).any()
    untrained = im.Potential([small(1, 8)])
    assert not grade_of_surroundings(untrained, untrained.batch(WATER)).any()


def test_parts_beyond_the_cutoff_are_counted_and_said():
    far = WATER.copy()
    far.positions += [0, 0, 7.0]
    near = WATER.copy()
    near.positions += [0, 0, 4.0]
    batch = SHIPPED.batch([WATER + far, WATER + near, WATER + near + far])
    assert uncertainty(SHIPPED, batch).parts.tolist() == [2, 1, 1]
    with pytest.warns(ExtrapolationWarning, match="2 parts of the structure lie further apart"):
        SHIPPED.calculator().get_property("extrapolation", WATER + far)
    explained = im.certify_explanation(im.explain(SHIPPED, WATER + far), SHIPPED)
    (check,) = [c for c in explained.checks if c.name == "separate parts"]
    assert check.value == 2
