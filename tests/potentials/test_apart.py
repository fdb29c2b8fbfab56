"""What parts beyond the cutoff may do to each other stands in error bars, not in energies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Bohr, Hartree

import interpmd as im
from interpmd.fitting.apart import FEWEST, calibrate_apart
from interpmd.potentials.apart import between_parts, number_of_parts, separate_parts
from interpmd.potentials.uncertainty import posterior

WATER = molecule("H2O")
SHIPPED = im.load("water")
TERM = SHIPPED.learned_terms["expansion"]

#: Charge of a hydrogen of the labels that are made up here, in e.
CHARGE = 0.35


def pair(distance: float, seed: int = 0) -> Atoms:
    """Two water molecules, the second turned at random."""
    second, rng = WATER.copy(), np.random.default_rng(seed)
    second.rotate(rng.uniform(0, 360), rng.normal(size=3), center="com")
    second.positions += [0, 0, distance]
    return WATER + second


def draws(atoms: Atoms, count: int = 32):
    batch = SHIPPED.batch(atoms)
    part = separate_parts(batch, SHIPPED.neighbours(batch), TERM.cutoff)
    return between_parts(TERM, batch, part, count)


def test_parts_are_counted():
    near, far = pair(4.0), pair(9.0)
    batch = SHIPPED.batch([far, near, WATER])
    part = separate_parts(batch, SHIPPED.neighbours(batch), TERM.cutoff)
    assert number_of_parts(batch, part).tolist() == [2, 1, 1]
    assert part.tolist() == [0, 0, 0, 3, 3, 3] + [6] * 6 + [12] * 3


def test_draws_are_those_of_charges_that_add_up_to_nothing_in_each_part():
    far = pair(9.0)
    energies, _ = draws(far)
    vectors = far.positions[:3, None] - far.positions[None, 3:]
    inverse = 1 / np.linalg.norm(vectors, axis=2)
    unit = np.array([-2.0, 1.0, 1.0])  # all that is left of two charges in water, but its size
    shape = Hartree * Bohr * unit @ inverse @ unit
    sizes = energies[:, 0].numpy() / shape  # plus or minus the square of a charge
    assert {-1.0, 1.0} == set(np.sign(sizes))
    at_ten, _ = draws(pair(10.0))
    other = pair(10.0)
    inverse = 1 / np.linalg.norm(other.positions[:3, None] - other.positions[None, 3:], axis=2)
    again = at_ten[:, 0].numpy() / (Hartree * Bohr * unit @ inverse @ unit)
    assert np.allclose(again, sizes, rtol=1e-9)  # the same charges wherever the molecules are


def test_forces_are_the_slopes_of_the_energies():
    far = pair(8.0)
    _, forces = draws(far, 4)
    for atom, axis in ((0, 2), (4, 1)):
        ends = []
        for step in (1e-4, -1e-4):
            moved = far.copy()
            moved.positions[atom, axis] += step
            ends.append(draws(moved, 4)[0][:, 0])
        slope = (ends[0] - ends[1]) / 2e-4
        assert torch.allclose(forces[:, atom, axis], -slope, atol=1e-8)
    assert forces.sum(1).abs().max() < 1e-12


def test_one_part_and_periodic_structures_have_none():
    assert not draws(pair(3.0))[0].any() and not draws(WATER)[1].any()
    cell = pair(9.0)
    cell.set_cell([30, 30, 30])
    cell.pbc = True
    assert not draws(cell)[0].any()
    alone = Atoms("O", [[0, 0, 15]])
    assert not draws(WATER + alone)[0].any()  # a single atom has no charge


def labelled(count: int) -> list[Atoms]:
    """Pairs beyond the cutoff, which attract and repel each other by point charges."""
    frames = []
    for seed in range(count):
        atoms = pair(9.0 + seed / count, seed)
        charges = CHARGE * np.array([-2, 1, 1])
        inverse = 1 / np.linalg.norm(atoms.positions[:3, None] - atoms.positions[None, 3:], axis=2)
        energy = float(SHIPPED.predict(atoms).energy) + Hartree * Bohr * charges @ inverse @ charges
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.zeros((6, 3)))
        frames.append(atoms)
    return frames


def test_labels_tell_how_strong_it_is_and_bars_hold_the_error():
    fitted = im.load("water")
    term = fitted.learned_terms["expansion"]
    term.samples.mul_(1e-6)  # parts that are known exactly
    frames = labelled(40)
    calibrate_apart(fitted, term, frames)
    for atoms in frames:  # whose form is that of the draws: each lies just within two bars
        missed = abs(float(fitted.predict(atoms).energy) - atoms.get_potential_energy())
        bar = float(posterior(fitted, fitted.batch(atoms)).energy_std)
        assert missed == pytest.approx(2 * bar, rel=1e-3)
    calibrate_apart(fitted, term, frames[: FEWEST - 1])
    assert float(term.charge_scale) == 0.0  # too few to tell


def test_the_row_of_two_molecules_out_of_reach_is_not_nothing_with_certainty():
    far = pair(7.5)
    explained = im.explain(SHIPPED, far, im.Energy(), gauge="molecules").interactions
    assert abs(explained.values).max() < 1e-9
    assert 1e-3 < explained.stds.max() < 0.02
    near = im.explain(SHIPPED, pair(3.0), im.Energy(), gauge="molecules").interactions
    bare = im.load("water")
    bare.learned_terms["expansion"].charge_scale.zero_()
    without = im.explain(bare, pair(3.0), im.Energy(), gauge="molecules").interactions
    assert near.stds == pytest.approx(without.stds, rel=1e-9)
