"""Certificates pass what is right, fail what is wrong, and can be required."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

import interpmd as im
from interpmd.attribution.certificate import Check
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import CertificateError
from interpmd.potentials import ClusterExpansion, LennardJones, Potential

SHIPPED = im.load("malonaldehyde")
PAIRS = Potential([LennardJones(epsilon=0.05, sigma=1.4, cutoff=4.0)])


@pytest.fixture(scope="module")
def certificate():
    return im.certify(SHIPPED, MALONALDEHYDE)


def test_a_fitted_potential_passes(certificate):
    assert certificate.badge == "EXACT"
    certificate.require("axioms", "analytic truth", "sanity", "identifiability")
    assert certificate["momentum"] < 1e-10
    assert certificate["torque"] < 1e-10
    assert certificate["rows of analytic terms"] < 1e-10
    assert certificate["pairs"] > 10 * certificate["energy"] > 0  # sums are known best


def test_periodic_structures_are_certified():
    crystal = bulk("Ar", cubic=True, a=2.6)
    certificate = im.certify(PAIRS, crystal)
    certificate.require("axioms")
    with pytest.raises(CertificateError, match="'sanity' was not checked"):
        certificate.require("sanity")


class Leaky(ClusterExpansion):
    """An expansion whose energy does not vanish at its cutoff, and knows left from right."""

    kind = "leaky"

    def forward(self, env):
        tilt = env.vectors.new_zeros(env.n_sites).index_add(0, env.centre, env.vectors[:, 0] ** 2)
        return super().forward(env) + 1e-3 * tilt

    def energies_and_samples(self, env):
        energies = self(env)
        return energies, energies.new_zeros(len(energies), 0)


def test_a_broken_potential_fails():
    term = Leaky(["H", "C", "O"], cutoff=4.0, lmax=1, channels=(3, 3), functions=4)
    certificate = im.certify(Potential([term]), molecule("CH3OH"))
    assert certificate.badge == "NOT EXACT"
    with pytest.raises(CertificateError, match="symmetry"):
        certificate.require("symmetry")
    with pytest.raises(CertificateError, match="torque"):
        certificate.require("axioms")
    with pytest.raises(CertificateError, match="continuity"):
        certificate.require("continuity at the cutoff")


def test_explanations_carry_the_certificate_of_their_potential(tmp_path):
    potential = im.load("malonaldehyde")
    potential.card.certificate[:] = [vars(Check("learned truth", "pairs", 3.0, 5.0, "meV"))]
    potential.save(tmp_path / "saved")
    certificate = im.explain(
        im.load(tmp_path / "saved"), MALONALDEHYDE, gauge="atoms"
    ).certificate()
    certificate.require("axioms", "learned truth")
    assert certificate["pairs"] == 3.0
    assert "passed  learned truth, pairs 3 meV (at most 5)" in str(certificate)
    shown = certificate._repr_html_()
    assert "EXACT" in shown
    assert ">3 meV<br>at most 5</td>" in shown and "<br>at most 1e-08</td>" in shown
    assert ">learned truth: pairs</td>" in shown and shown.count("text-align:left") > 20
    groups = {"axioms", "readability", "on the data", "identifiability", "learned truth"}
    assert set(certificate.to_frame().group) == groups


def test_what_was_not_learned_does_not_pass_for_well_known():
    water = im.load("water")
    found = im.explain(water, molecule("H2O"), gauge="atoms")
    learned = found.stds[found.orders > 1]
    assert (found.stds[found.orders == 1] == 0).all()
    single = next(c for c in found.certificate().checks if c.name == "single values")
    assert single.value > 0.05
    assert single.value == pytest.approx(np.median(learned[learned > 0]))
    alone = im.explain(water, Atoms("O"), gauge="atoms").certificate()
    assert "single values" not in {check.name for check in alone.checks}


def test_a_tampered_explanation_fails():
    found = im.explain(SHIPPED, MALONALDEHYDE, gauge="atoms")
    broken = replace(found, values=found.values * 1.001)
    assert not broken.certificate().passed
    with pytest.raises(CertificateError, match="completeness"):
        broken.certificate().require()


def test_values_that_are_not_claimed_to_add_up_do_not_pass_as_axioms():
    certificate = im.explain(SHIPPED, MALONALDEHYDE, method="ablation").certificate()
    assert certificate.completeness > 10 and certificate.badge == "NOT EXACT"
    for wanted in ("axioms", "completeness"):
        with pytest.raises(im.InterpmdError, match="does not claim that its values add up"):
            certificate.require(wanted)


def test_regression_of_explanations(tmp_path):
    found = im.explain(SHIPPED, MALONALDEHYDE, im.Force(8), gauge="atoms")
    found.save(tmp_path / "known.npz")
    known = im.load_explanation(tmp_path / "known.npz")
    im.assert_explanation_close(found, known, atol=0, rtol=0)
    assert str(known.target) == "force on atom 8"
    values = known.values.copy()
    values[7, 1] += 1e-3
    with pytest.raises(AssertionError, match="1 of") as error:
        im.assert_explanation_close(found, replace(known, values=values))
    assert known.labels[7] in str(error.value)
    with pytest.raises(AssertionError, match="different questions"):
        im.assert_explanation_close(
            found, im.explain(SHIPPED, MALONALDEHYDE, im.Force(7), gauge="atoms")
        )


def test_damaged_explanations_are_named(tmp_path):
    path = tmp_path / "file.npz"
    im.explain(PAIRS, molecule("H2O"), gauge="atoms").save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(im.InterpmdError, match=r"file\.npz holds no explanation"):
        im.load_explanation(path)
    np.savez(path, a=np.zeros(3))
    with pytest.raises(im.InterpmdError, match="no explanation"):
        im.load_explanation(path)


def test_a_distant_atom_of_a_potential_with_a_posterior():
    """Sites with and without neighbours in one table, posterior samples included."""
    far = MALONALDEHYDE + Atoms("H", [[500.0, 0, 0]])
    found = im.explain(SHIPPED, far, order=3)
    assert found.residual < 1e-8
    alone = SHIPPED.predict(Atoms("H", [[0.0, 0, 0]])).energy
    assert found[(9,)] == pytest.approx(float(alone), abs=1e-9)


def test_slices_and_sums():
    found = im.explain(SHIPPED, MALONALDEHYDE, order=None)
    bonds = found.only(kind="bond stretch")
    assert set(bonds.kinds) == {"bond stretch"}
    assert bonds.total == pytest.approx(found.by("kind")["bond stretch"])
    assert (found - found).total == pytest.approx(0.0, abs=1e-9)
    assert (2.0 * found).total == pytest.approx(2 * found.total)
    assert (found + found).residual < 1e-8
    with pytest.raises(im.InterpmdError, match="different atoms"):
        found - im.explain(SHIPPED, MALONALDEHYDE[:8], gauge="atoms")


def test_shap_draws_explanations():
    import matplotlib.pyplot as plt
    import shap

    found = im.explain(SHIPPED, MALONALDEHYDE, im.Force(8, along=4), gauge="atoms")
    single = found.to_shap(by="kind")
    assert single.values.sum() + single.base_values == pytest.approx(found.total)
    moved = MALONALDEHYDE.copy()
    moved.rattle(0.02, seed=3)
    many = im.to_shap(
        [found, im.explain(SHIPPED, moved, im.Force(8, along=4), gauge="atoms")], by="kind"
    )
    assert many.values.shape[0] == 2
    plt.close("all")  # shap draws on the current figure, which another test may have left
    shap.plots.waterfall(single, show=False)
    shap.plots.bar(many, show=False)
    shap.plots.beeswarm(many, show=False)
    plt.close("all")


def test_with_the_model_at_hand_faithfulness_is_checked_too():
    explanation = im.explain(PAIRS, molecule("CH3OH"), im.Force(0), gauge="atoms")
    with pytest.raises(CertificateError, match="'faithfulness' was not checked"):
        explanation.certificate().require("faithfulness")
    made = im.certify_explanation(explanation, PAIRS).require("axioms", "faithfulness")
    assert made["deletion, random"] < 1 and made["insertion, random"] < 1
    assert 0 <= made["relative infidelity"] < 1
    with pytest.raises(im.InterpmdError, match="pass the model that was explained"):
        im.certify_explanation(explanation, SHIPPED)
    wrong = replace(explanation, values=-explanation.values)
    with pytest.raises(CertificateError, match="infidelity"):
        im.certify_explanation(wrong, PAIRS).require("faithfulness")
    assert im.certify_explanation(wrong, PAIRS)["relative infidelity"] > 1.5


def test_fragments_that_were_never_shown_by_themselves_are_noted():
    """Malonaldehyde was shown whole, with pairs and triplets of its atoms."""
    halves = im.explain(SHIPPED, MALONALDEHYDE, fragments=[[0, 1, 5], [2, 3, 4, 6, 7, 8]])
    made = im.certify_explanation(halves, SHIPPED)
    calculator = SHIPPED.calculator()
    whole = calculator.get_property("extrapolation", MALONALDEHYDE).max()
    assert made["extrapolation grade"] == pytest.approx(whole) and whole < 1
    with pytest.warns(UserWarning, match="unlike the training data"):
        parts = [
            calculator.get_property("extrapolation", MALONALDEHYDE[list(members)]).max()
            for members in halves.fragments
        ]
    assert made["extrapolation grade of fragments"] == pytest.approx(max(parts)) and max(parts) > 3
    atoms = im.certify_explanation(im.explain(SHIPPED, MALONALDEHYDE, order=2), SHIPPED)
    assert "extrapolation grade of fragments" not in {c.name for c in atoms.checks}
    bare = im.certify_explanation(im.explain(PAIRS, molecule("CH3OH"), order=2), PAIRS)
    assert "extrapolation grade" not in {c.name for c in bare.checks}


def test_shipped_potentials_carry_what_they_have_learned_of_known_rows():
    found = SHIPPED.card.certificate
    assert {c["group"] for c in found} >= {"axioms", "analytic truth", "learned truth", "sanity"}
    im.explain(SHIPPED, MALONALDEHYDE, gauge="atoms").certificate().require("learned truth")


@pytest.mark.parametrize(
    "question",
    [
        {"gauge": "molecules"},
        {"gauge": "molecules", "target": im.Force(0)},
        {"gauge": "internal", "target": im.Force(0)},
        {"gauge": "atoms", "method": "shapley", "target": im.Force(0, along=1)},
    ],
    ids=lambda q: "-".join(map(str, q.values())),
)
def test_a_difference_is_certified_against_the_difference_of_its_model(question, tmp_path):
    potential = im.load("water")
    here = molecule("H2O") + molecule("H2O")
    here.positions[3:] += [0, 0.3, 2.9]
    there = here.copy()
    there.positions[3:] += [0.1, 0, 0.2]
    change = im.explain(potential, here, reference=there, **question)
    made = im.certify_explanation(change, potential)
    assert made.passed and made.completeness < 1e-8
    change.save(tmp_path / "change.npz")
    again = im.load_explanation(tmp_path / "change.npz")
    assert np.allclose(again.reference.positions, there.positions)
    im.certify_explanation(again, potential)
    if question["gauge"] == "molecules":
        # one player leaves: what remains differs by its own change
        truth = {c.name: c for c in im.certify_explanation(change, potential, potential).checks}
        assert truth["rows"].value < 1e-10
    other = im.load("water")
    other.terms["expansion"].readout.mul_(1.5)
    with pytest.raises(im.MethodError, match="pass the model that was explained"):
        im.certify_explanation(change, other)
    assert (change - change).reference is None
