"""The table adds up, its rows are pure, and they equal the brute-force Moebius transform."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from structures_of_tests import methanol

import interpmd as im
from interpmd.decomposition.assemble import decompose
from interpmd.potentials import (
    AxilrodTeller,
    ClusterExpansion,
    LennardJones,
    Potential,
    StillingerWeber,
)
from interpmd.potentials.base import TERMS

METHANOL = methanol()
WATER = molecule("H2O")
CELL = Atoms(
    "OHHC",
    positions=[[0, 0, 0], [1, 0.1, 0], [0, 1.1, 0.2], [1.8, 1.7, 1.9]],
    cell=[[3.6, 0, 0], [0.4, 3.7, 0], [0.2, 0.3, 3.9]],
    pbc=True,
)


@pytest.fixture(params=sorted(TERMS))
def potential(request):
    return Potential([TERMS[request.param].example()])


def check_complete(potential, table, atoms):
    found = potential.predict(atoms)
    assert table.energy == pytest.approx(float(found.energy), abs=1e-9, rel=1e-12)
    assert np.abs(table.forces - found.forces.numpy()).max() < 1e-9
    by_rows = np.zeros((len(atoms), 3))
    for row in table:
        np.add.at(by_rows, list(row.atoms), row.forces)
    assert np.abs(by_rows - found.forces.numpy()).max() < 1e-9


@pytest.mark.parametrize("order", [1, 2, 3, None])
def test_rows_sum_to_energy_and_forces(potential, order):
    check_complete(potential, decompose(potential, METHANOL, order=order), METHANOL)


def test_rows_sum_in_a_periodic_cell(potential):
    if potential.global_terms:
        pytest.skip("for molecules only")
    elements = potential.elements
    atoms = (
        CELL
        if elements is None or {1, 6, 8} <= set(elements)
        else Atoms([elements[0]] * 4, positions=CELL.positions, cell=CELL.cell, pbc=True)
    )
    check_complete(potential, decompose(potential, atoms, order=2), atoms)


def test_every_row_is_free_of_net_force_and_torque(potential):
    for row in decompose(potential, METHANOL, order=3):
        if not row.remainder:
            assert np.abs(row.forces.sum(0)).max() < 1e-10
            torque = np.cross(METHANOL.positions[list(row.atoms)], row.forces).sum(0)
            assert np.abs(torque).max() < 1e-9


def test_rows_are_the_moebius_transform_of_the_energy_of_all_subsets(potential):
    atoms = METHANOL[[0, 1, 2, 3, 4]]

    def energy(subset):
        return float(potential.predict(atoms[list(subset)]).energy) if subset else 0.0

    order = min(potential.body_order or 3, 4)
    table = decompose(potential, atoms, order=order)
    rows: dict[tuple, float] = {}
    for row in table:
        if not row.remainder:
            key = tuple(sorted(row.atoms))
            rows[key] = rows.get(key, 0.0) + row.energy_eV
    for size in range(1, order + 1):
        for subset in combinations(range(len(atoms)), size):
            expected = sum(
                (-1) ** (size - k) * energy(part)
                for k in range(size + 1)
                for part in combinations(subset, k)
            )
            assert rows.get(subset, 0.0) == pytest.approx(expected, abs=1e-9)


def test_a_potential_of_finite_order_leaves_no_remainder():
    potential = Potential([ClusterExpansion.example()])
    table = decompose(potential, WATER)
    assert not any(row.remainder for row in table)
    assert {row.term for row in table} >= {"pair", "triplet"}


def test_rows_above_the_order_stand_as_one_remainder_per_site():
    potential = Potential([ClusterExpansion.example()])
    table = decompose(potential, METHANOL, order=2)
    rest = [row for row in table if row.remainder]
    assert sorted(row.atoms[0] for row in rest) == list(range(6))
    assert all(row.order == 0 for row in rest)


def test_rows_of_lennard_jones_are_the_pairs():
    term = LennardJones(epsilon=0.05, sigma=1.4, cutoff=4.0)
    table = decompose(Potential([term]), METHANOL)
    for row in table:
        i, j = row.atoms
        pair = METHANOL[[i, j]]
        assert row.energy_eV == pytest.approx(float(Potential([term]).predict(pair).energy))


def test_an_atom_and_its_image_are_different_players():
    lonely = Atoms("O", positions=[[0, 0, 0]], cell=np.eye(3) * 3.0, pbc=True)
    table = decompose(Potential([LennardJones(epsilon=0.05, sigma=2.6, cutoff=4.3)]), lonely)
    assert len(table) == 3 + 6  # three axes and six face diagonals, each once
    assert all(row.atoms == (0, 0) for row in table)
    assert {row.shifts[0] for row in table} == {(0, 0, 0)}


def test_rows_of_axilrod_teller_are_triplets_only():
    table = decompose(Potential([AxilrodTeller(c9=2.0, cutoff=6.0)]), METHANOL)
    assert {row.order for row in table} == {3}
    assert len(table) == 20


def test_error_bars_of_rows_are_spreads_under_the_posterior():
    term = ClusterExpansion.example()
    spread = np.random.default_rng(0).normal(size=(*term.readout.shape, 64))
    term.samples = torch.as_tensor(spread) * 0.01
    potential = Potential([term])
    table = decompose(potential, METHANOL, order=3)
    calculator = potential.calculator()
    assert table.energy_std == pytest.approx(
        calculator.get_property("energy_std", METHANOL), rel=0.05
    )
    assert all(s > 0 for s in table.to_frame().energy_std_eV)
    mean = term.readout.clone()
    term.readout.copy_(mean + term.samples[..., 3])
    shifted = decompose(potential, METHANOL, order=3)
    assert np.allclose(shifted.energies - table.energies, table.samples[:, 3], atol=1e-10)


def test_the_table_looks_like_one():
    table = decompose(Potential([ClusterExpansion.example()]), METHANOL, order=3)
    columns = {"term", "order", "atoms", "energy_eV", "energy_std_eV", "forces"}
    assert columns <= set(table.to_frame())
    assert "convention" in table._repr_html_()
    assert table.by("order").energy_eV.sum() == pytest.approx(table.energy)


def test_terms_stand_in_the_order_of_their_bodies():
    second = WATER.copy()
    second.translate([2.9, 0.3, 0.2])
    table = decompose(im.load("water"), WATER + second, order=3)
    terms = table.by("term")
    assert list(terms.index) == ["isolated", "pair", "triplet", "expansion"]
    for name, rows in table.to_frame().groupby("term"):
        assert terms.energy_eV[name] == pytest.approx(rows.energy_eV.sum())
        assert terms.rows[name] == len(rows)
    shown = decompose(im.load("water"), WATER, order=3)._repr_html_()
    largest = shown[shown.index("Largest rows") :]
    assert "<td>triplet</td>" in largest and "<td>isolated</td>" not in largest
    assert "Largest rows" not in decompose(im.load("water"), Atoms("O")).take([0])._repr_html_()


def test_sites_with_fewer_neighbours_than_the_order_keep_their_error_bars():
    term = ClusterExpansion.example()
    generator = torch.Generator().manual_seed(1)
    term.samples = torch.randn(*term.readout.shape, 5, generator=generator)
    # H and C see O only; the atom far away sees none
    chain = Atoms("HOCC", positions=[[0, 0, 0], [3.0, 0, 0], [6.0, 0.5, 0], [30.0, 0, 0]])
    table = decompose(Potential([term]), chain)
    check_complete(Potential([term]), table, chain)
    assert table.samples.shape == (len(table), 5)
    assert (table.energy_stds[table.order > 1] > 0).all()


def test_atoms_beyond_each_others_cutoff_have_no_rows():
    apart = Atoms("Si3", [[0, 0, 0], [9, 0, 0], [0, 9, 0]])
    table = decompose(Potential([StillingerWeber.example()]), apart)
    assert len(table) == 0 and table.energy == 0
