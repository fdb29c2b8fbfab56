"""Terms without finite order, orders that cannot be reached, and questions that make no sense."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from structures_of_tests import methanol

from interpmd.decomposition import decompose, sites, whole
from interpmd.errors import FragmentError
from interpmd.potentials import EEQ, MW, ClusterExpansion, Potential
from interpmd.potentials.base import GlobalTerm
from interpmd.structures.systems import Batch, sum_by_structure

METHANOL = methanol()
CELL = Atoms("OH3", positions=np.diag([1.0, 1.1, 1.2, 0.9])[:, :3], cell=np.eye(3) * 4, pbc=True)


class Breathing(GlobalTerm):
    """A site energy that depends on all atoms and on the total charge."""

    kind = "breathing"

    @classmethod
    def example(cls):
        return cls()

    def config(self):
        return {}

    def forward(self, batch: Batch) -> torch.Tensor:
        count = torch.bincount(batch.structure, minlength=batch.n_structures)[:, None]
        total = batch.positions.new_zeros(batch.n_structures, 3)
        centre = total.index_add(0, batch.structure, batch.positions) / count
        away = (batch.positions - centre[batch.structure]).pow(2).sum(1)
        size = sum_by_structure(away, batch)[batch.structure]
        return torch.sin(away) * size + batch.charges[batch.structure]


@pytest.mark.parametrize("atoms", [METHANOL, CELL], ids=["molecule", "periodic"])
@pytest.mark.parametrize("order", [1, 2, 4, None])
def test_terms_of_all_atoms_add_up(atoms, order):
    potential = Potential([Breathing()])
    table, found = decompose(potential, atoms, order=order), potential.predict(atoms)
    assert table.energy == pytest.approx(float(found.energy), abs=1e-10)
    assert np.abs(table.forces - found.forces.numpy()).max() < 1e-10
    rest = [row for row in table if row.remainder]
    assert sorted(row.atoms[0] for row in rest) == list(range(len(atoms)))
    assert all(np.abs(row.forces.sum(0)).max() < 1e-10 for row in table)
    if atoms is CELL:
        sites = [row.energy_eV for row in rest]
        assert len(table) == len(rest)
        assert np.allclose(sites, found.site_energies, atol=1e-12)


def test_parts_have_the_charges_of_their_atoms():
    """Hydronium, whose charge is the oxygen's: pairs with it are ions, the others neutral."""
    ion = Atoms("OH3", [[0, 0, 0.3], [0.94, 0, 0], [-0.47, 0.81, 0], [-0.47, -0.81, 0]])
    ion.info["charge"] = 1
    potential = Potential([EEQ()])
    orders = decompose(potential, ion, order=4).by("order").energy_eV

    def energy(members):
        part = Atoms(ion.numbers[members], ion.positions[members])
        part.info["charge"] = int(0 in members)
        return float(potential.predict(part).energy)

    atoms = [energy([a]) for a in range(4)]
    pairs = [energy([a, b]) - atoms[a] - atoms[b] for a in range(4) for b in range(a)]
    assert orders[1] == pytest.approx(sum(atoms), abs=1e-10)
    assert orders[2] == pytest.approx(sum(pairs), abs=1e-10)
    assert orders.sum() == pytest.approx(energy([0, 1, 2, 3]), abs=1e-10)


def test_charges_that_nobody_knows_are_refused_and_can_be_given():
    cation = molecule("H2O")
    cation.info["charge"] = 1
    potential = Potential([EEQ()])
    with pytest.raises(FragmentError, match=r"OH2 have the charge 1 e .*formal_charges"):
        decompose(potential, cation)
    cation.set_array("formal_charges", np.array([0.0, 1.0, 0.0]))
    table = decompose(potential, cation)
    proton = Atoms("H", info={"charge": 1})
    rows = {row.atoms: row.energy_eV for row in table}
    assert rows[(1,)] == pytest.approx(float(potential.predict(proton).energy), abs=1e-10)
    assert table.energy == pytest.approx(float(potential.predict(cation).energy), abs=1e-10)
    cation.info["charge"] = 2
    with pytest.raises(FragmentError, match="sum to 1 e, and the structure has the charge 2 e"):
        decompose(potential, cation)


def test_too_many_parts_become_remainders(monkeypatch):
    potential = Potential([Breathing()])
    monkeypatch.setattr(whole, "MOST_CLUSTERS", 6 + 15)
    table = decompose(potential, METHANOL, order=4)
    assert {row.order for row in table} <= {0, 1, 2}
    assert table.energy == pytest.approx(float(potential.predict(METHANOL).energy), abs=1e-10)


def test_the_order_is_lowered_with_a_warning_where_subsets_are_too_many(monkeypatch):
    monkeypatch.setattr(sites, "STAR_BUDGET", 6 * (1 + 5 + 10))
    potential = Potential([ClusterExpansion.example()])
    with pytest.warns(UserWarning, match="order 3, not"):
        table = decompose(potential, METHANOL)
    assert table.requested_order == 3
    assert any(row.remainder for row in table)
    assert table.energy == pytest.approx(float(potential.predict(METHANOL).energy), abs=1e-10)
    monkeypatch.setattr(sites, "STAR_LIMIT", 10)
    with pytest.raises(ValueError, match="choose a lower order"):
        decompose(potential, METHANOL, order=3)


@pytest.mark.parametrize("order", [0, -1, 1.5, True])
def test_orders_are_whole_numbers(order):
    with pytest.raises(ValueError, match="1 or more"):
        decompose(Potential([MW()]), Atoms("O"), order=order)


def test_one_structure_at_a_time():
    with pytest.raises(ValueError, match="one structure at a time"):
        decompose(Potential([MW()]), Batch.from_ase([Atoms("O"), Atoms("O")]))


def test_single_precision_is_decomposed_in_double():
    potential = Potential([ClusterExpansion.example()]).to(torch.float32)
    table = decompose(potential, METHANOL)
    precise = Potential([ClusterExpansion.example()]).to(torch.float32).double()
    assert table.energy == pytest.approx(float(precise.predict(METHANOL).energy), abs=1e-10)
    assert potential.dtype == torch.float32
