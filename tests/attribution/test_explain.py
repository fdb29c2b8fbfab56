"""Explanations add up, name what they show, and say what is wrong with a question."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from structures_of_tests import ethanol, methanol

import interpmd as im
from interpmd.attribution.kinds import KINDS, chemistry, kind_of
from interpmd.attribution.methods.dispatch import METHODS
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import MethodError
from interpmd.potentials import D3, ClusterExpansion, Isolated, LennardJones, Potential

ETHANOL = ethanol()
POTENTIAL = Potential(
    {
        "isolated": Isolated({"H": -13.6, "C": -1029.0, "O": -2041.0}),
        "lennard_jones": LennardJones(epsilon=0.05, sigma=1.4, cutoff=4.0),
        "expansion": ClusterExpansion.example(),
        "dispersion": D3.example(),
    }
)
METHANOL = methanol()
LOCAL = Potential(POTENTIAL.local_terms)


@pytest.fixture(params=sorted(METHODS))
def method(request):
    return request.param


def explained(method, target, **options):
    """By the potential, or without the terms that the method says it cannot explain."""
    if not METHODS[method].has_players:
        options.pop("order", None)
    try:
        return im.explain(POTENTIAL, METHANOL, target, method=method, **options)
    except MethodError as error:
        refused = str(error)
    if "not the energy" in refused and str(target) == "energy":
        pytest.skip(refused)
    assert "dispersion depends on the whole structure" in refused
    return im.explain(LOCAL, METHANOL, target, method=method, **options)


def claims(axiom):
    """Methods that claim an axiom; a method that registers itself joins."""
    return sorted(name for name, about in METHODS.items() if axiom in about.guarantees)


def by_atom(found, atoms):
    return found.by("atom").reindex(range(len(atoms)), fill_value=0.0).to_numpy()


@pytest.mark.parametrize(
    "target", [im.Energy(), im.Force(3), im.Force(3, 2), im.Force(3, (0, 0, 1))]
)
@pytest.mark.parametrize("order", [2, 3])
def test_sums_and_certificate(method, target, order):
    found = explained(method, target, order=order)
    assert found.complete == ("complete" in METHODS[method].guarantees)
    certificate = found.certificate()
    assert certificate["completeness"] == found.residual
    assert certificate.group("axioms")[0].passed is (True if found.complete else None)
    if found.complete:
        assert found.residual < 1e-8
        assert certificate.passed
    words = ("convention",) if METHODS[method].exact else ("estimate", "convention", "slope")
    assert any(word in str(certificate) for word in (*words, "do not sum"))
    for what in ("order", "term", "kind", "pair", "atom", "fragment"):
        assert np.allclose(found.by(what, components=True).sum(), found.total, atol=1e-9), what
    frame = found.to_frame()
    columns = [c for c in frame if c.startswith("value_")]
    assert np.allclose(frame[columns].sum(), found.total, atol=1e-9)


@pytest.mark.parametrize("name", claims("symmetric"))
def test_interchangeable_atoms_get_the_same(name):
    water = molecule("H2O")
    water.positions[2] = water.positions[1] * [1, -1, 1]  # mirrored to the last digit
    values = by_atom(im.explain(LOCAL, water, method=name), water)
    assert values[1] == pytest.approx(values[2], abs=1e-8)
    assert abs(values[0] - values[1]) > 1


@pytest.mark.parametrize("target", [im.Energy(), im.Force(3, 2)])
@pytest.mark.parametrize("name", claims("linear"))
def test_explanations_of_a_sum_are_sums_of_explanations(name, target):
    if name in ("pair_force", "tensions") and str(target) == "energy":
        pytest.skip("explains forces only")
    parts = [Potential({n: t}) for n, t in LOCAL.terms.items() if n != "isolated"]
    whole = by_atom(im.explain(parts[0] + parts[1], ETHANOL, target, method=name), ETHANOL)
    each = [by_atom(im.explain(part, ETHANOL, target, method=name), ETHANOL) for part in parts]
    assert np.allclose(whole, sum(each), atol=1e-8)
    assert np.abs(each[0]).max() > 1e-3


@pytest.mark.parametrize("name", claims("null player"))
def test_an_atom_out_of_reach_gets_its_own_energy(name):
    far = molecule("H2O") + Atoms("H", [[40.0, 0, 0]])
    values = by_atom(im.explain(LOCAL, far, method=name), far)
    assert values[3] == pytest.approx(-13.6, abs=1e-8)
    force = im.explain(LOCAL, far, im.Force(1), method=name).by("atom")
    assert np.abs(force.reindex([3], fill_value=0.0).to_numpy()).max() < 1e-8


def test_all_methods_claim_something_or_say_that_they_do_not():
    silent = {name for name, about in METHODS.items() if not about.guarantees}
    assert silent <= {"kernel_shap", "shapiq"}
    assert {n for n in METHODS if n not in claims("complete")} <= {
        "ablation",
        "input_x_gradient",
        "kernel_shap",
        "shapiq",
    }


def test_force_targets_are_the_forces():
    forces = POTENTIAL.predict(ETHANOL).forces.numpy()
    assert np.allclose(
        im.explain(POTENTIAL, ETHANOL, im.Force(3), gauge="atoms").total, forces[3], atol=1e-10
    )
    toward = ETHANOL.positions[2] - ETHANOL.positions[3]
    along = forces[3] @ toward / np.linalg.norm(toward)
    assert im.explain(POTENTIAL, ETHANOL, im.Force(3, 2), gauge="atoms").total == pytest.approx(
        along
    )


def test_shapley_values_of_a_pair_potential_are_half_of_each_pair():
    potential = Potential([LennardJones(epsilon=0.05, sigma=1.4, cutoff=4.0)])
    found = im.explain(potential, ETHANOL, gauge="atoms").by("atom")
    sites = potential.predict(ETHANOL).site_energies.numpy()
    assert np.allclose(found.sort_index().to_numpy(), sites, atol=1e-12)


def test_clusters_have_chemical_names():
    known = chemistry(ETHANOL)
    oxygen = ETHANOL.symbols.search("O")[0]
    chain = _chain(known, oxygen)
    places = [(a, (0, 0, 0)) for a in chain]
    assert [kind_of(places[:n], known) for n in (1, 2, 3, 4)] == [
        "atom",
        "bond stretch",
        "angle",
        "torsion",
    ]
    assert kind_of([places[0], places[3]], known) == "nonbonded pair"
    assert kind_of([places[0], places[1], places[3]], known) == "nonbonded"
    assert set(KINDS) >= {"torsion", "hydrogen bond", "remainder"}


def _chain(known, oxygen):
    """H-O-C-C of ethanol."""
    bonds = {(i, j) for i, j, _ in known.bonds}
    hydrogen = next(j for i, j in bonds if i == oxygen and ETHANOL.symbols[j] == "H")
    carbon = next(j for i, j in bonds if i == oxygen and ETHANOL.symbols[j] == "C")
    other = next(j for i, j in bonds if i == carbon and ETHANOL.symbols[j] == "C")
    return [hydrogen, oxygen, carbon, other]


def test_hydrogen_bonds_and_fragments():
    dimer = molecule("H2O") + molecule("H2O")
    dimer.positions[:3] = [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]
    dimer.positions[3:] = [[2.85, 0, 0], [3.2, 0.7, 0.6], [3.2, 0.3, -0.9]]
    known = chemistry(dimer)
    assert kind_of([(1, (0, 0, 0)), (3, (0, 0, 0))], known) == "hydrogen bond"
    assert kind_of([(2, (0, 0, 0)), (4, (0, 0, 0))], known) == "between fragments"
    assert kind_of([(0, (0, 0, 0)), (1, (0, 0, 0))], known) == "bond stretch"
    assert len(set(known.molecules.number.tolist())) == 2


def test_images_of_a_molecule_are_other_molecules():
    water = molecule("H2O")
    water.set_cell([4.0, 4.0, 4.0])
    water.pbc = True
    water.positions += [3.9, 0, 0]
    water.wrap()  # the molecule lies across the boundary
    known = chemistry(water)
    home, hydrogens = (0, (0, 0, 0)), [(j, image) for i, j, image in known.bonds if i == 0]
    (j, near), (k, also) = hydrogens
    assert kind_of([home, (j, near)], known) == "bond stretch"
    assert kind_of([(j, near), (k, also)], known) == "1-3 pair"
    assert kind_of([home, (0, (0, 1, 0))], known) == "between fragments"
    assert kind_of([(j, near), (k, (also[0], also[1] + 1, also[2]))], known) == "between fragments"
    assert {i for i, *_ in known.across} == {1, 2}


def test_a_crystal_is_one_molecule():
    known = chemistry(bulk("Si"))
    assert known.molecules.endless == {0}
    assert kind_of([(0, (0, 0, 0)), (1, (2, 2, 2))], known) == "nonbonded pair"


def test_single_precision_is_compared_in_double():
    potential = Potential([ClusterExpansion.example()]).to(torch.float32)
    found = im.explain(potential, ETHANOL, order=3)
    assert found.residual < 1e-12
    assert repr(found).startswith("energy by mobius, gauge atoms: total")


def test_bad_questions():
    with pytest.raises(im.InterpmdError, match="whole number"):
        im.explain(POTENTIAL, ETHANOL, im.Force(1.5), gauge="atoms")
    with pytest.raises(im.InterpmdError, match=r"Energy\(\), Force"):
        im.explain(POTENTIAL, ETHANOL, "energy", gauge="atoms")
    with pytest.raises(im.InterpmdError, match="no atom 99"):
        im.explain(POTENTIAL, ETHANOL, im.Force(99), gauge="atoms")
    with pytest.raises(im.InterpmdError, match="known: mobius"):
        im.explain(POTENTIAL, ETHANOL, method="astrology")
    with pytest.raises(im.InterpmdError, match="no direction"):
        im.explain(POTENTIAL, ETHANOL, im.Force(0, (0, 0, 0)), gauge="atoms")
    with pytest.raises(im.InterpmdError, match="choose one of label, order"):
        im.explain(POTENTIAL, ETHANOL, gauge="atoms").by("colour")
    with pytest.raises(im.UnknownElementError, match="atom 0 is S"):
        im.explain(POTENTIAL, molecule("SO2"), gauge="atoms")


def test_methods_say_what_they_guarantee():
    table = im.methods()
    assert max(map(len, table.computes)) > 50 and "..." not in table._repr_html_()
    assert "..." not in table.iloc[:3]._repr_html_()
    assert {"computes", "guarantees", "exact", "cost"} <= set(table.columns)
    assert table.notna().all().all()


def test_the_budget_shows_the_numbers():
    found = im.explain(POTENTIAL, ETHANOL, im.Force(3, 2), gauge="atoms")
    ax = found.plot(most=4)
    widths = [bar.get_width() for bar in ax.patches]
    assert sum(widths[:-1]) == pytest.approx(widths[-1])
    assert widths[-1] == pytest.approx(found.total)


def test_the_energy_of_a_molecule_that_is_one_group_is_its_row():
    explanation = im.explain(im.load("water"), molecule("H2O"))
    assert explanation.gauge == "groups" and len(explanation) == 1
    assert explanation.residual < 1e-8 and explanation.total_std > 0


def test_sums_by_label_are_the_rows_themselves():
    explanation = im.explain(im.load("malonaldehyde"), MALONALDEHYDE, im.Force(8, along=0))
    by_label = explanation.by("label")
    table = explanation.to_frame().set_index("label")
    assert list(by_label.index) == explanation.labels  # those of zero as well
    assert by_label.sum() == pytest.approx(explanation.total)
    for label in table.index:
        assert by_label[label] == pytest.approx(table.loc[label, "value_eV/A"])
