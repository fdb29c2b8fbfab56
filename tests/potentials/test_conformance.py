"""One suite over all terms; a term that registers itself joins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from hypothesis import given, settings
from hypothesis import strategies as st
from structures_of_tests import crystal, ethanol

import interpmd as im
from interpmd.potentials import Potential
from interpmd.potentials.base import TERMS, LocalTerm
from interpmd.trust.conformance import check_potential

ETHANOL = ethanol()
CRYSTAL = crystal()


@pytest.fixture(params=sorted(TERMS))
def potential(request):
    return Potential([TERMS[request.param].example()])


def test_molecule(potential):
    assert potential.predict(ETHANOL).site_energies.abs().max() > 1e-6
    check_potential(potential, ETHANOL)


@pytest.mark.parametrize("kind", sorted(TERMS))
@settings(max_examples=5)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 8), spread=st.floats(1.6, 3.0))
def test_any_molecule(kind, seed, size, spread):
    rng = np.random.default_rng(seed)
    sites = rng.permutation(np.argwhere(np.ones((2, 2, 2))))[:size]
    atoms = Atoms(
        rng.choice([1, 6, 8], size), positions=spread * (sites + rng.uniform(-0.2, 0.2, (size, 3)))
    )
    check_potential(Potential([TERMS[kind].example()]), atoms, seed)


def test_periodic_cell(potential):
    if any(not term.periodic for term in potential.global_terms.values()):
        with pytest.raises(im.StructureError, match="for molecules only"):
            potential.predict(CRYSTAL)
    else:
        check_potential(potential, CRYSTAL)


def test_a_slab_is_periodic_in_two_directions_only(potential):
    if potential.global_terms:
        pytest.skip("for molecules, or cells with three periodic directions")
    slab = CRYSTAL.copy()
    slab.pbc = [True, True, False]
    tall = slab.copy()
    tall.cell[2] *= 7
    assert float(potential.predict(slab).energy) == pytest.approx(
        float(potential.predict(tall).energy), abs=1e-9
    )


def test_an_isolated_atom_has_the_energy_of_its_one_atom_row(potential):
    atom = Atoms("O", positions=[[1.0, 2.0, 3.0]])
    found = potential.predict(atom)
    expected = -2041.0 if "isolated" in potential.terms else 0.0
    if "baseline" in potential.terms:
        expected = EMT().get_potential_energy(atom)
    assert float(found.energy) == pytest.approx(expected, abs=1e-9)
    assert not found.forces.any()


def test_local_terms_take_sites_without_neighbours(potential):
    for term in potential.terms.values():
        if isinstance(term, LocalTerm):
            lonely = Potential([term]).predict([Atoms("H"), ETHANOL, Atoms("C")])
            alone = Potential([term]).predict(ETHANOL)
            assert np.allclose(lonely.forces[1:-1], alone.forces, atol=1e-12)


class Broken(LocalTerm):
    """A pair potential with one fault, to see that the suite finds it."""

    kind = "broken"
    body_order = 2
    cutoff = 3.0

    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fault = fault

    @classmethod
    def example(cls) -> Broken:
        return cls()

    def config(self) -> dict[str, str]:
        return {"fault": self.fault}

    def forward(self, env):
        vectors = env.vectors
        if self.fault == "direction":
            vectors = vectors * vectors.new_tensor([1.0, 1.0, 1.1])
        if self.fault == "gradient":
            vectors = vectors + 1e-3 * vectors.detach()
        r = vectors.norm(dim=1)
        energies = (1 - r / self.cutoff).clamp(min=0) ** (1 if self.fault == "cutoff" else 3)
        if self.fault == "order":
            energies = energies * (1 + env.centre % 2)
        if self.fault != "gates":
            energies = env.gated(energies)
        sites = energies.new_zeros(env.n_sites).index_add(0, env.centre, energies)
        if self.fault == "batch":
            sites = sites * sites.sum()
        if self.fault == "extensive":
            sites = sites * env.n_sites
        if self.fault == "dense" and env.degree is not None:
            sites = sites * (1 + 1e-6)
        if self.fault == "precision":
            sites = sites.double()
        return sites


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("direction", "rotation"),
        ("order", "permutation"),
        ("gradient", "forces against numerical derivative"),
        ("batch", "in a batch"),
        ("extensive", "batch|distant copies"),
        ("cutoff", "just inside its cutoff"),
        ("dense", "searched list|batch"),
        ("precision", "float32 becomes"),
        ("gates", "with gates of 0 and 1"),
    ],
)
def test_the_suite_finds_faults(fault, message):
    with pytest.raises(AssertionError, match=message):
        check_potential(Potential([Broken(fault)]), ETHANOL)


def test_the_suite_finds_a_wrong_stress():
    class Wrong(Potential):
        def predict(self, structures, pairs=None, stress=False):
            found = super().predict(structures, pairs, stress)
            return replace(found, stress=1.001 * found.stress) if stress else found

    with pytest.raises(AssertionError, match="stress against numerical derivative"):
        check_potential(Wrong([Broken()]), CRYSTAL)


def test_the_suite_finds_what_is_lost_on_disk(monkeypatch):
    monkeypatch.setitem(TERMS, "broken", Broken)
    check_potential(Potential([Broken()]), ETHANOL)
    monkeypatch.setattr(Broken, "config", lambda self: {"fault": "direction"})
    with pytest.raises(AssertionError, match="after saving and loading"):
        check_potential(Potential([Broken()]), ETHANOL)
