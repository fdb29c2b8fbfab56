"""One suite over all terms; a term that registers itself joins."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule

import interpmd as im
from interpmd.potentials import Potential
from interpmd.potentials.base import TERMS, LocalTerm
from interpmd.potentials.conformance import check_potential

ETHANOL = molecule("CH3CH2OH")
ETHANOL.rattle(0.05, seed=3)
CRYSTAL = Atoms(
    "OHHOHC",
    positions=[[0, 0, 0], [1, 0.1, 0], [0, 1.1, 0.2], [2.5, 2.2, 1], [2.4, 2.9, 1.9], [1.5, 1, 3]],
    cell=[[4.2, 0, 0], [0.8, 4.4, 0], [0.3, 0.5, 4.9]],
    pbc=True,
)


@pytest.fixture(params=sorted(TERMS))
def potential(request):
    return Potential([TERMS[request.param].example()])


def test_molecule(potential):
    check_potential(potential, ETHANOL)


def test_periodic_cell(potential):
    if potential.global_terms:
        with pytest.raises(im.StructureError, match="for molecules only"):
            potential.predict(CRYSTAL)
    else:
        check_potential(potential, CRYSTAL)


def test_a_slab_is_periodic_in_two_directions_only(potential):
    if potential.global_terms:
        pytest.skip("for molecules only")
    slab = CRYSTAL.copy()
    slab.pbc = [True, True, False]
    tall = slab.copy()
    tall.cell[2] *= 7
    assert float(potential.predict(slab).energy) == pytest.approx(
        float(potential.predict(tall).energy), abs=1e-9
    )


def test_distant_molecules_do_not_feel_each_other(potential):
    far = ETHANOL + ETHANOL
    far.positions[len(ETHANOL) :] += [300.0, 0, 0]
    one, two = (float(potential.predict(a).energy) for a in (ETHANOL, far))
    assert two == pytest.approx(2 * one, abs=2e-3 if potential.global_terms else 1e-9)


def test_forces_are_continuous_at_the_cutoff(potential):
    if potential.cutoff == 0:
        pytest.skip("no cutoff")
    symbols = "CC" if potential.elements is None or 6 in potential.elements else "OO"

    def force(distance):
        pair = Atoms(symbols, positions=[[0, 0, 0], [distance, 0, 0]])
        return float(potential.predict(pair).forces[1, 0])

    assert force(potential.cutoff + 1e-6) == 0
    assert abs(force(potential.cutoff - 1e-4)) < 1e-5


def test_float32_is_close_to_float64(potential):
    exact = potential.predict(ETHANOL)
    single = Potential([TERMS[next(iter(potential.terms))].example()]).float()
    if not any(True for _ in single.buffers()):
        pytest.skip("no tensors of its own")
    found = single.predict(ETHANOL)
    scale = 1 + exact.forces.abs().max()
    assert (found.forces.double() - exact.forces).abs().max() < 1e-4 * scale


def test_an_isolated_atom_has_the_energy_of_its_one_atom_row(potential):
    atom = Atoms("O", positions=[[1.0, 2.0, 3.0]])
    found = potential.predict(atom)
    expected = -2041.0 if "isolated" in potential.terms else 0.0
    assert float(found.energy) == pytest.approx(expected, abs=1e-9)
    assert not found.forces.any()


def test_save_and_load(potential, tmp_path):
    potential.save(tmp_path / "potential")
    again = im.load(tmp_path / "potential")
    one, two = potential.predict(ETHANOL), again.predict(ETHANOL)
    assert torch.equal(one.forces, two.forces)
    assert torch.equal(one.energy, two.energy)


def test_local_terms_take_sites_without_neighbours(potential):
    for term in potential.terms.values():
        if isinstance(term, LocalTerm):
            lonely = Potential([term]).predict([Atoms("H"), ETHANOL, Atoms("C")])
            alone = Potential([term]).predict(ETHANOL)
            assert np.allclose(lonely.forces[1:-1], alone.forces, atol=1e-12)
