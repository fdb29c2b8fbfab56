"""Certificates in every gauge: what is exact, what is determined, and what cannot be checked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="groups need RDKit")
pytest.importorskip("tblite", reason="the reference of these tests is GFN2-xTB")

from structures_of_tests import water_hexamer

import interpmd as im
from interpmd.attribution.certificate import Certificate, Check
from interpmd.decomposition import Clusters
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import CertificateError
from interpmd.reference.calculator import as_calculator
from interpmd.trust.truth.own_rows import reference_rows

GREEN, GREY = "#1b7f3b", "#666666"
SHIPPED = im.load("malonaldehyde")
WATER = im.load("water")
WATERS = water_hexamer()[:9]


@pytest.fixture(scope="module")
def shaken():
    atoms = MALONALDEHYDE.copy()
    atoms.rattle(0.03, seed=1)
    return atoms


def rows_of(values, stds, target=None):
    """An explanation with these values and error bars, which add up."""
    values = np.array(values)
    samples = np.array(stds)[:, None] * np.array([1.0, -1.0])
    members = [(0, k + 1) for k in range(len(values))]
    return im.Explanation(
        MALONALDEHYDE,
        target or im.Force(0, along=1),
        Clusters.of_tuples(members, "pair"),
        values,
        np.asarray(values.sum()),
        samples=samples,
    )


def test_no_green_over_rows_that_are_not_determined():
    doubtful = rows_of([4.97, -4.6], [7.1, 7.1]).certificate()
    assert doubtful.badge == "EXACT" and doubtful.passed  # the sum is
    assert doubtful.determined is False
    assert doubtful.verdict == "EXACT, rows NOT determined by the data"
    html = doubtful._repr_html_()
    assert GREEN not in html and GREY in html and "NOT determined" in html
    assert str(doubtful).startswith("[EXACT, rows NOT determined")
    sure = rows_of([4.97, -4.6], [0.1, 0.1]).certificate()
    assert sure.verdict == "EXACT, rows determined by the data" and GREEN in sure._repr_html_()
    assert sure["relative"] == pytest.approx(np.sqrt(2 * 0.01 / (4.97**2 + 4.6**2)))


def test_energies_of_single_players_do_not_make_pairs_look_determined():
    """Of an energy the relative error bar is that of what players do together."""
    rows = rows_of([-1000.0, -1.0], [0.5, 0.9], im.Energy())
    single = replace(rows, clusters=Clusters.of_tuples([(0,), (0, 1)], "rows"))
    assert single.certificate()["relative"] == pytest.approx(0.9)
    assert single.certificate().determined is False
    assert single.certificate()["sum"] == pytest.approx(1.4)


def test_rows_that_two_fits_do_not_share_are_not_determined():
    checks = [
        Check("axioms", "completeness", 0.0, 1e-8),
        Check("identifiability", "relative", 0.1),
        Check("reproducibility", "atoms: relative difference", 0.9),
        Check("reproducibility", "internal: relative difference", 0.05),
    ]
    certificate = Certificate(tuple(checks))
    assert certificate.of_gauge("internal").determined is True
    assert certificate.of_gauge("internal")["relative difference"] == 0.05
    assert certificate.of_gauge("atoms").determined is False
    assert certificate.of_gauge("groups").determined is None  # nothing is known of it
    potential = im.load("malonaldehyde")
    potential.card.certificate[:] = certificate.to_json()
    for gauge, determined in (("internal", True), ("atoms", False)):
        explanation = im.explain(potential, MALONALDEHYDE, im.Force(8), gauge=gauge)
        assert explanation.certificate().determined is determined


def test_rows_that_cancel_are_told_where_nothing_else_is_known():
    calm = rows_of([4.97, -4.9], [0, 0])
    certificate = replace(calm, samples=None).certificate()
    assert certificate["rows over total"] == pytest.approx((4.97 + 4.9) / 0.07)
    assert certificate.verdict == "EXACT, rows cancel each other"
    assert GREEN not in certificate._repr_html_()
    assert '"internal" or "groups"' in str(certificate)


@pytest.mark.parametrize("gauge", ["internal", "groups", "atoms"])
def test_beyond_the_data_is_grey_in_every_gauge(shaken, gauge):
    target = im.Force(8, along=4)
    known = im.explain(SHIPPED, shaken, target, gauge=gauge)
    assert 0 < known.certificate().grade < 1
    far = shaken.copy()
    far.positions *= 0.8
    certificate = im.explain(SHIPPED, far, target, gauge=gauge).certificate()
    assert certificate.grade > 1 and certificate.determined is False
    assert certificate.verdict.endswith("BEYOND the training data")
    assert GREEN not in certificate._repr_html_()
    change = im.explain(SHIPPED, far, target, gauge=gauge, reference=shaken)
    assert change.certificate().grade > 1


def test_every_part_that_was_evaluated_is_graded(shaken):
    """The whole is like the training data; two radicals that it falls into are not."""
    halves = [[0, 1, 5], [2, 3, 4, 6, 7, 8]]
    explanation = im.explain(SHIPPED, shaken, fragments=halves)
    parts = [SHIPPED.calculator().get_property("extrapolation", shaken[m]).max() for m in halves]
    whole = SHIPPED.calculator().get_property("extrapolation", shaken).max()
    assert whole < 1 < max(parts)
    assert explanation.certificate().grade == pytest.approx(max(parts), rel=1e-6)
    assert im.explain(SHIPPED, shaken, gauge="atoms").certificate().grade == pytest.approx(whole)
    waters = im.explain(WATER, WATERS, gauge="molecules")
    assert 0 < waters.certificate().grade < 1
    ungraded = im.explain(WATER, WATERS, error_bars=False)
    assert 0 < ungraded.checks["grade of the whole"] < 1
    assert "parts not graded" in str(ungraded.certificate())
    assert "parts not graded" not in str(waters.certificate())
    assert set((waters - ungraded).checks) >= {"grade of the whole"}


@pytest.mark.parametrize(
    ("gauge", "players"), [("groups", "fragments"), ("molecules", "fragments"), ("atoms", "atoms")]
)
def test_players_leave_as_the_gauge_has_it(shaken, gauge, players):
    model, atoms = (WATER, WATERS) if gauge == "molecules" else (SHIPPED, shaken)
    explanation = im.explain(model, atoms, im.Force(1), gauge=gauge)
    made = im.certify_explanation(explanation, model)
    assert made["deletion, random"] > 0 and made["infidelity"] > 0
    assert players in str(made)
    if gauge == "groups":  # without the group OH its hydrogen stands there, and nothing is torn
        assert made["relative infidelity"] < 0.6


def test_coordinates_cannot_leave_and_the_certificate_says_so(shaken):
    explanation = im.explain(SHIPPED, shaken, im.Force(8))
    made = im.certify_explanation(explanation, SHIPPED)
    assert made.passed and made.badge == "EXACT"
    [told] = made.group("faithfulness")
    assert not told.made and told.passed is None
    assert "not checked: coordinates are no players" in str(told)
    assert "nan" not in made._repr_html_()
    with pytest.raises(CertificateError, match="'faithfulness' was not checked"):
        made.require("faithfulness")
    alone = im.certify_explanation(
        im.explain(WATER, WATERS[:3], im.Force(0), gauge="groups"), WATER
    )
    assert "no player can leave" in str(alone.group("faithfulness")[0])


@pytest.mark.parametrize("gauge", ["internal", "groups", "molecules"])
def test_rows_beside_those_of_the_reference_method(gauge):
    explanation = im.explain(WATER, WATERS, im.Force(0), gauge=gauge)
    made = im.certify_explanation(explanation, WATER, reference=as_calculator("gfn2-xtb"))
    own = reference_rows(explanation, as_calculator("gfn2-xtb"))
    assert own.gauge == gauge and own.method == explanation.method
    kept, theirs = (e[~e.clusters.remainder] for e in (explanation, own))
    assert kept.clusters.identities() == theirs.clusters.identities()
    some = (kept.values != 0) | (theirs.values != 0)
    by_hand = np.sqrt(np.mean((kept.values - theirs.values)[some] ** 2))
    assert made["rows"] == pytest.approx(by_hand) and 0 < by_hand < 0.01
    missed = explanation.total - own.total
    assert made["target"] == pytest.approx(np.sqrt(np.mean(missed**2)))
    assert made["correlation of rows"] > 0.999 and made["relative error of rows"] < 0.05
    exact = im.certify_explanation(explanation, WATER, reference=WATER)
    assert exact["rows"] < 1e-12 and exact["correlation of rows"] == pytest.approx(1.0)


def test_energies_are_compared_without_those_of_single_molecules():
    explanation = im.explain(WATER, WATERS, order=2, gauge="molecules")
    made = im.certify_explanation(explanation, WATER, reference=as_calculator("gfn2-xtb"))
    own = reference_rows(explanation, as_calculator("gfn2-xtb"))
    pairs = (explanation.values - own.values)[explanation.orders == 2]
    assert made["rows"] == pytest.approx(np.sqrt(np.mean(pairs**2))) and made["rows"] > 1e-4
