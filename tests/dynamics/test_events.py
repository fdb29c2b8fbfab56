"""Events of trajectories: passages told from recrossings, states, periodic coordinates."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

import interpmd as im


def proton_at(values):
    """O···H···O in a row, with d(O0, H) − d(O1, H) as given."""
    return [Atoms("OOH", [[0, 0, 0], [2.4, 0, 0], [1.2 + v / 2, 0, 0]]) for v in values]


def test_a_passage_with_a_recrossing_is_one_event():
    frames = proton_at([-0.6, -0.2, 0.2, -0.1, 0.3, 0.6, 0.7])
    found = im.events(frames, im.proton_transfer(2, 0, 1), times=np.arange(7) * 2.0)
    assert len(found) == 1
    event = found[0]
    assert event.forward
    assert event.recrossings == 2
    # lines between frames pass zero halfway, two thirds and a quarter of the way
    assert np.allclose(event.crossings, (0.0, 5 + 1 / 3 - 3, 6.5 - 3))
    assert (event.left, event.entered) == (-3.0, 7.0)
    assert len(found.tried) == 0


def test_what_comes_back_is_an_attempt():
    frames = proton_at([-0.6, 0.1, 0.2, -0.3, -0.6, -0.2, -0.7, 0.7, -0.7])
    found = im.events(frames, im.proton_transfer(2, 0, 1))
    assert [e.forward for e in found] == [True, False]
    assert found.tried[["from", "crossings"]].values.tolist() == [["first", 2]]
    assert len(found.forward) == len(found.backward) == 1


def test_times_and_states_that_make_no_sense_are_said():
    frames, transfer = proton_at([-0.6, 0.0, 0.6]), im.proton_transfer(2, 0, 1)
    for times in ([np.nan] * 3, ["a"] * 3, [0.0, 1.0], [2.0, 1.0, 0.0]):
        with pytest.raises(im.TrajectoryError, match="times"):
            im.events(frames, transfer, times=times)
    for states in ({"low": np.nan}, {"high": "x"}, {"middle": np.inf}):
        with pytest.raises(im.ArgumentError, match="finite number"):
            im.events(frames, transfer, **states)
    for ring in ("abcd", 5, [0, 1, 2.5, 3], []):
        with pytest.raises(im.ArgumentError, match="ring"):
            im.ring_pucker(ring)
    with pytest.raises(im.TrajectoryError, match="frame 1 is OH2"):
        im.events([frames[0], molecule("H2O")], transfer)


def test_a_torsion_that_goes_round_the_back_has_not_passed():
    def turned(degrees):
        atoms = molecule("H2O2")
        atoms.set_dihedral(2, 0, 1, 3, degrees, indices=[3])
        return atoms

    flip = im.torsion_flip(2, 0, 1, 3, middle=180.0)
    over = [turned(v) for v in (120, 140, 170, 190, 220)]
    assert [e.forward for e in im.events(over, flip)] == [True]
    back = [turned(v) for v in (120, 60, 10, 350, 300, 220)]
    assert len(im.events(back, flip)) == 0
    assert np.isclose(flip(turned(350)), 350)
    assert np.isclose(flip(turned(1)), 1)


def test_words_find_what_changes():
    frames = proton_at([-0.6, -0.2, 0.2, 0.6])
    found = im.events(frames)
    assert found.coordinate.atoms == (0, 2, 1)
    assert len(found) == 1
    with pytest.raises(im.ReactionError, match="no proton transfer"):
        im.events(frames[:2])
    apart = [molecule("H2O") + molecule("H2O") for _ in range(4)]
    for atoms, distance in zip(apart, (2.0, 2.1, 2.6, 3.0), strict=True):
        # O3 on the line from O0 through H1, beyond H1
        bond = atoms.positions[1] - atoms.positions[0]
        place = atoms.positions[1] + distance * bond / np.linalg.norm(bond)
        atoms.positions[3:] += place - atoms.positions[3]
    broken = im.events(apart, "hydrogen bond")
    assert broken.coordinate.atoms == (1, 3)
    assert [e.forward for e in broken] == [True]


def test_ring_pucker_is_that_of_cremer_and_pople():
    def ring(heights):
        angles = 2 * np.pi * np.arange(len(heights)) / len(heights)
        places = np.stack([1.4 * np.cos(angles), 1.4 * np.sin(angles), heights], axis=1)
        return Atoms("C" * len(heights), places)

    chair = 0.25 * (-1.0) ** np.arange(6)
    six = im.ring_pucker(range(6))
    assert np.isclose(abs(six(ring(chair))), np.sqrt(6) * 0.25)
    assert np.isclose(six(ring(chair)), -six(ring(-chair)))
    envelope = 0.3 * np.cos(4 * np.pi * np.arange(5) / 5)
    five = im.ring_pucker(range(5))
    assert np.isclose(abs(five(ring(envelope))), np.sqrt(2 / 5) * 0.3 * 2.5)
    # the pucker does not depend on where the ring lies
    turned = ring(chair)
    turned.rotate(40, (1, 2, 3))
    turned.positions += 3.0
    assert np.isclose(six(turned), six(ring(chair)))


def test_a_function_of_the_structure_will_do():
    def height(atoms):
        return atoms.positions[2, 0]

    found = im.events(proton_at([-0.6, 0.6]), height, low=1.0, high=1.4)
    assert len(found) == 1
    assert found.coordinate.middle == 1.2
    with pytest.raises(im.ArgumentError, match="low="):
        im.events(proton_at([-0.6, 0.6]), height)
    with pytest.raises(im.ReactionError, match="finite number"):
        im.events(proton_at([-0.6, 0.6]), lambda atoms: np.nan, low=1.0, high=1.4)
    with pytest.raises(im.ArgumentError, match="ascend"):
        im.events(proton_at([-0.6, 0.6]), height, low=1.4, high=1.0)


def test_slopes_are_derivatives():
    atoms = molecule("H2O2")
    flip = im.torsion_flip(2, 0, 1, 3, middle=120.0)
    step = 1e-3 * np.random.default_rng(0).normal(size=(4, 3))
    moved = atoms.copy()
    moved.positions += step
    assert np.isclose(flip(moved) - flip(atoms), (flip.slope(atoms) * step).sum(), rtol=0.02)


def test_atoms_that_are_not_there():
    with pytest.raises(im.StructureError, match="atom 7"):
        im.events(proton_at([-0.6, 0.6]), im.proton_transfer(7, 0, 1))
    with pytest.raises(im.ArgumentError, match="differ"):
        im.proton_transfer(0, 0, 1)
