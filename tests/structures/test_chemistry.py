"""One rule says what a bond is: across boundaries, for shared protons, ions and metals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st
from protons import at_the_jump

from interpmd.demo import MALONALDEHYDE
from interpmd.errors import StructureError
from interpmd.structures.chemistry import (
    BOND_FACTOR,
    are_bonded,
    bonds,
    both_ways,
    hydrogen_bonds,
    lewis_bonds,
    longest_bond,
    molecules,
    put_together,
    shared_protons,
)
from interpmd.structures.files import read_frames

DATA = Path(__file__).parents[2] / "data"
WATER_BOX_EDGE = 9.3


def water_box(seed: int = 0) -> Atoms:
    """27 water molecules turned at random in a periodic box, cut by its walls."""
    rng = np.random.default_rng(seed)
    box = Atoms(cell=[WATER_BOX_EDGE] * 3, pbc=True)
    for corner in np.ndindex(3, 3, 3):
        one = molecule("H2O")
        one.euler_rotate(*rng.uniform(0, 360, 3))
        one.positions += np.array(corner) * WATER_BOX_EDGE / 3 - one.positions[0]
        box += one
    box.wrap()
    return box


def water_dimer(oxygens: float, turn: float = 0.0) -> Atoms:
    """O-H pointing at another oxygen; its hydrogen turned away by an angle in degrees."""
    bond = 0.96 * np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn)), 0])
    first = [[0, 0, 0], bond, [-0.24, 0, 0.93]]
    second = [[oxygens, 0, 0], [oxygens + 0.5, 0.5, 0.65], [oxygens + 0.5, 0.5, -0.65]]
    return Atoms("OHHOHH", [*first, *second])


def test_a_proton_at_its_jump_is_bonded_to_both():
    atoms = at_the_jump()
    assert atoms.get_distance(0, 8) == pytest.approx(1.20)
    assert atoms.get_distance(4, 8) == pytest.approx(1.24)
    assert {(0, 8), (4, 8)} <= set(map(tuple, bonds(atoms).pairs.tolist()))
    assert molecules(atoms) == [tuple(range(9))]
    assert len(hydrogen_bonds(atoms)) == 0
    away = MALONALDEHYDE.copy()
    held = set(map(tuple, bonds(away).pairs.tolist()))
    assert (4, 8) in held and (0, 8) not in held
    assert len(hydrogen_bonds(away)) == 1


def test_a_shared_proton_keeps_its_name_through_the_jump():
    """The same atoms in the same order, whichever of them holds the proton."""
    for first, second in ((1.0, 1.45), (1.20, 1.24), (1.24, 1.20), (1.45, 1.0)):
        (shared,) = shared_protons(at_the_jump(first, second))
        assert (shared.hydrogen, shared.first, shared.second) == (8, 0, 4)
        assert shared.first_distance == pytest.approx(first)
        assert shared.second_distance == pytest.approx(second)


def test_zundels_cation_is_one_molecule():
    left = [[-1.2, 0, 0], [-1.7, 0.8, 0.3], [-1.7, -0.8, 0.3]]
    right = [[1.2, 0, 0], [1.7, 0.3, 0.8], [1.7, 0.3, -0.8]]
    zundel = Atoms("OHHHOHH", [*left, [0, 0, 0], *right])
    assert molecules(zundel) == [tuple(range(7))]
    zundel.positions[3, 0] = 0.2  # hydronium and water
    assert molecules(zundel) == [(0, 1, 2), (3, 4, 5, 6)]


def test_hydrogen_bridges_hold_diborane_together():
    ends = [[x, 0, z] for x in (1.45, -1.45) for z in (1.04, -1.04)]
    heart = [[0.88, 0, 0], [-0.88, 0, 0], [0, 0.98, 0], [0, -0.98, 0]]
    diborane = Atoms("BBHHHHHH", [*heart, *ends])
    assert molecules(diborane) == [tuple(range(8))]
    partners = both_ways(bonds(diborane))[0]
    assert sorted(partners[partners[:, 0] == 2, 1].tolist()) == [0, 1]


@pytest.mark.parametrize("distances", [(1.28, 1.32), (1.30, 1.30), (1.41, 1.46)])
def test_no_proton_is_left_over_between_oxygens_far_apart(distances):
    """Protons half way between oxygen atoms 2.6 Å apart and more, as they stand in the data."""
    atoms = at_the_jump(*distances, apart=2.59 if sum(distances) < 2.7 else 2.8)
    assert {(0, 8), (4, 8)} <= set(map(tuple, bonds(atoms).pairs.tolist()))
    assert molecules(atoms) == [tuple(range(9))]
    (shared,) = shared_protons(atoms)
    assert (shared.first, shared.second) == (0, 4)


def test_one_side_of_a_far_proton_is_a_hydrogen_bond():
    atoms = at_the_jump(1.30, 1.46, apart=2.7)
    pairs = set(map(tuple, bonds(atoms).pairs.tolist()))
    assert (0, 8) in pairs and (4, 8) not in pairs
    assert hydrogen_bonds(atoms).acceptor.tolist() == [4]
    assert molecules(atoms) == [tuple(range(9))]


def test_a_lewis_structure_has_one_partner_for_a_hydrogen():
    for distances, keeper in (((1.20, 1.24), 0), ((1.24, 1.20), 4)):
        pairs = lewis_bonds(at_the_jump(*distances)).pairs
        assert [pair for pair in pairs.tolist() if 8 in pair] == [[keeper, 8]]
        assert len(pairs) == 8


def test_hydrogen_lets_go_beyond_its_last_bond():
    water = molecule("H2O")
    for distance, count in ((1.35, 1), (1.54, 1), (1.56, 2)):
        water.set_distance(0, 1, distance, fix=0)
        assert len(molecules(water)) == count
    assert not are_bonded(8, 1, 1.35)  # by the distance alone there may be a nearer atom


def test_every_shipped_molecule_is_one_in_every_frame():
    """Also while protons jump and at 800 K."""
    for name in ("malonaldehyde", "alanine_dipeptide"):
        frames = read_frames(DATA / name / "test.extxyz.gz")
        assert {len(molecules(atoms)) for atoms in frames} == {1}
    for atoms in read_frames(DATA / "water" / "test.extxyz.gz")[::3]:
        assert len(molecules(atoms)) == atoms.info["molecules"]


@pytest.mark.parametrize(
    ("numbers", "distance", "bonded"),
    [
        ((8, 1), 1.24, True),
        ((8, 1), 1.56, False),
        ((6, 6), 1.97, True),
        ((6, 6), 2.15, False),
        ((11, 8), 2.4, False),
        ((8, 11), 2.4, False),
        ((11, 11), 3.72, True),
        ((18, 18), 1.0, False),
        ((54, 9), 1.98, True),
        ((54, 1), 1.6, False),
        ((2, 1), 0.77, False),
        ((29, 29), 2.56, True),
        ((20, 17), 2.7, False),
        ((12, 6), 2.1, True),
    ],
)
def test_the_rule_for_two_atoms(numbers, distance, bonded):
    assert are_bonded(*numbers, distance) is bonded
    pair = Atoms(numbers, [[0, 0, 0], [0, 0, distance]])
    assert len(bonds(pair)) == int(bonded)
    assert len(molecules(pair)) == 2 - int(bonded)


def test_arrays_of_distances():
    assert are_bonded(8, [1, 1, 6], [1.24, 1.27, 1.8]).tolist() == [True, False, True]
    assert longest_bond([1, 18], 8) == pytest.approx([BOND_FACTOR * 0.97, 0.0])


def test_bonds_reach_across_the_boundary():
    water = molecule("H2O")
    water.set_cell([4.0, 4.0, 4.0])
    water.pbc = True
    water.positions += [3.9, 0, 0]
    whole = bonds(water)
    water.wrap()
    found = bonds(water)
    assert found.pairs.tolist() == whole.pairs.tolist() == [[0, 1], [0, 2]]
    assert found.distances == pytest.approx(whole.distances)
    assert found.shifts.any() and not whole.shifts.any()
    vectors = water.positions[found.pairs[:, 1]] + found.shifts @ water.cell[:]
    lengths = np.linalg.norm(vectors - water.positions[found.pairs[:, 0]], axis=1)
    assert lengths == pytest.approx(found.distances)
    water.pbc = [True, False, False]
    assert len(bonds(water)) < 2


def test_a_box_of_water():
    box = water_box()
    assert molecules(box) == [(3 * m, 3 * m + 1, 3 * m + 2) for m in range(27)]
    known = put_together(bonds(box), len(box))
    assert known.endless == frozenset()
    assert known.images.any()
    places = box.positions + known.images @ box.cell[:]
    assert np.linalg.norm(places[1::3] - places[::3], axis=1) == pytest.approx(0.969, abs=0.002)


def test_sodium_and_chloride_are_no_part_of_water():
    atoms = water_box()
    pair = Atoms("NaCl", [[1.55, 1.55, 1.55], [4.65, 4.65, 4.65]])
    both = atoms + pair
    assert both.get_distances(len(atoms), range(81), mic=True).min() < 2.8
    assert len(molecules(both)) == 29
    assert len(molecules(bulk("NaCl", "rocksalt", a=5.64, cubic=True))) == 8


def test_noble_gases_have_no_bonds():
    argon = bulk("Ar", cubic=True, a=3.0)  # far closer than argon ever comes
    assert len(bonds(argon)) == 0
    assert molecules(argon) == [(0,), (1,), (2,), (3,)]
    assert molecules(Atoms("XeF2", [[0, 0, 0], [0, 0, 1.98], [0, 0, -1.98]])) == [(0, 1, 2)]


@pytest.mark.parametrize("cubic", [False, True])
def test_copper_is_one_molecule_of_twelvefold_bonds(cubic):
    copper = bulk("Cu", cubic=cubic)
    found = bonds(copper)
    assert len(found) == 6 * len(copper)
    assert found.distances == pytest.approx(3.61 / np.sqrt(2))
    assert molecules(copper) == [tuple(range(len(copper)))]
    assert put_together(found, len(copper)).endless == {0}


def test_sodium_metal_is_one_molecule():
    sodium = bulk("Na", cubic=True)
    assert molecules(sodium) == [(0, 1)]


def test_a_hydrogen_bond_needs_distance_and_angle():
    found = hydrogen_bonds(water_dimer(2.9))
    assert (found.donor.tolist(), found.hydrogen.tolist()) == ([0], [1])
    assert found.acceptor.tolist() == [3]
    assert found.distances == pytest.approx([1.94])
    assert found.angles == pytest.approx([180.0])
    assert len(hydrogen_bonds(water_dimer(3.5))) == 0  # H...A 2.54
    bent = water_dimer(2.9, turn=35)
    (angle,) = hydrogen_bonds(bent).angles
    assert angle == pytest.approx(bent.get_angle(0, 1, 3))
    wide = water_dimer(2.6, turn=50)
    assert wide.get_distance(1, 3) < 2.5 and wide.get_angle(0, 1, 3) < 120
    assert len(hydrogen_bonds(wide)) == 0


def test_carbon_gives_no_hydrogen_bond_and_takes_none():
    methane = Atoms("CHOHH", [[0, 0, 0], [1.09, 0, 0], [3.2, 0, 0], [3.7, 0.8, 0], [3.7, -0.8, 0]])
    assert len(hydrogen_bonds(methane)) == 0


def test_hydrogen_bonds_reach_across_the_boundary():
    dimer = water_dimer(2.9)
    dimer.set_cell([8.0, 8.0, 8.0])
    dimer.pbc = True
    whole = hydrogen_bonds(dimer)
    dimer.positions[:, 0] += 7.5
    dimer.wrap()
    cut = hydrogen_bonds(dimer)
    assert cut.distances == pytest.approx(whole.distances)
    assert cut.angles == pytest.approx(whole.angles)
    assert cut.donor_shifts.tolist() == [[-1, 0, 0]] and cut.acceptor_shifts.tolist() == [[0, 0, 0]]


def test_dummies_are_refused():
    ghost = Atoms("OHX", [[0, 0, 0], [0.96, 0, 0], [5, 0, 0]])
    for verb in (bonds, molecules, hydrogen_bonds, shared_protons):
        with pytest.raises(StructureError, match="dummies"):
            verb(ghost)
    with pytest.raises(StructureError, match="curium"):
        are_bonded(1, 104, 1.5)


def test_structures_without_atoms():
    assert len(bonds(Atoms())) == len(hydrogen_bonds(Atoms())) == 0
    assert molecules(Atoms()) == shared_protons(Atoms()) == []


@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
@settings(max_examples=20)
def test_every_close_pair_and_image_is_found(seed, pbc):
    """Against ASE's neighbour list, in skew cells smaller than a bond is long."""
    rng = np.random.default_rng(seed)
    cell = 3.0 * np.eye(3) + rng.uniform(-1, 1, (3, 3))
    atoms = Atoms("CFONSiCu", rng.uniform(-5, 8, (6, 3)), cell=cell, pbc=pbc)
    pairs, shifts = both_ways(bonds(atoms))
    elements = np.unique(atoms.numbers)
    i, j, images, distances = neighbor_list(
        "ijSd", atoms, float(longest_bond(elements[:, None], elements).max())
    )
    close = distances < longest_bond(atoms.numbers[i], atoms.numbers[j])
    expected = np.column_stack([i, j, images])[close]
    found = np.column_stack([pairs, shifts])
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, expected.tolist()))
