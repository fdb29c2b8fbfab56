"""What "absent" means: chosen by the system, named in every result, complete, and usable alike."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.cluster import Icosahedron

pytest.importorskip("rdkit", reason="groups need RDKit")
pytest.importorskip("tblite", reason="one of the models is GFN2-xTB")

from structures_of_tests import ethanol, small_expansion, water_hexamer

import interpmd as im
from interpmd.attribution.gauges.choice import GAUGES
from interpmd.attribution.methods.registry import METHODS
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import GaugeError, MethodError, ModelError
from interpmd.potentials import LennardJones, Potential, StillingerWeber
from interpmd.reference.calculator import as_calculator
from interpmd.trust.benchmark import cluster

SHIPPED = im.load("malonaldehyde")
SILICON = Potential([StillingerWeber.example()])
ARGON = Potential({"lj": LennardJones(epsilon=0.01, sigma=3.4, cutoff=8.5)})
METHYL = Atoms("CH3", [[0, 0, 0.1], [1.08, 0, 0], [-0.54, 0.935, 0], [-0.54, -0.935, 0]])


def gfn2():
    return as_calculator("gfn2-xtb")


def tblite():
    from tblite.ase import TBLite

    return TBLite(method="GFN2-xTB", verbosity=0)


SYSTEMS = {
    "a molecule": (SHIPPED, MALONALDEHYDE, "groups", "internal"),
    "a molecule by a calculator": (gfn2(), ethanol(), "groups", "internal"),
    "a cluster of molecules": (gfn2(), water_hexamer()[:9], "molecules", "molecules"),
    "a metal": (EMT(), bulk("Cu", cubic=True), "atoms", "atoms"),
    "a crystal": (SILICON, bulk("Si", cubic=True), "atoms", "atoms"),
    "a piece of a crystal": (SILICON, cluster(10, 0, False), "atoms", "atoms"),
    "a cluster of argon": (ARGON, Icosahedron("Ar", 2), "atoms", "atoms"),
    "an atom": (ARGON, Atoms("Ar"), "atoms", "atoms"),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_gauge_is_chosen_by_the_system_and_named(name):
    model, atoms, of_energy, of_force = SYSTEMS[name]
    for target, wanted in ((im.Energy(), of_energy), (im.Force(0), of_force)):
        explanation = im.explain(model, atoms, target)
        assert explanation.gauge == wanted
        assert f"gauge {wanted}: total" in repr(explanation)
        assert f"gauge {wanted}" in explanation._repr_html_()
        assert explanation.residual < 1e-8


def test_without_groups_atoms_are_the_players_and_the_reason_stands_in_the_result():
    explanation = im.explain(small_expansion(), METHYL)
    assert explanation.gauge == "atoms" and explanation.residual < 1e-8
    assert "unpaired electron" in explanation.statement
    assert "unpaired electron" in str(explanation.certificate())
    assert im.explain(small_expansion(), METHYL, im.Force(0)).gauge == "internal"
    assert "players" not in im.explain(small_expansion(), METHYL, gauge="atoms").statement


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "shapley"},
        {"method": "pair_force"},
        {"order": 2},
        {"context": "in_situ", "order": 2},
        {"fragments": [[0, 1, 5], [2, 3, 6, 7], [4, 8]]},
    ],
    ids=str,
)
def test_questions_about_atoms_are_answered_by_atoms(asked):
    explanation = im.explain(SHIPPED, MALONALDEHYDE, im.Force(8), **asked)
    assert explanation.gauge == "atoms"
    same = im.explain(SHIPPED, MALONALDEHYDE, im.Force(8), gauge="atoms", **asked)
    im.assert_explanation_close(explanation, same)


def test_whole_molecules_are_the_players_under_either_name():
    waters = water_hexamer()[:9]
    first = im.explain(gfn2(), waters, fragments="molecules")
    assert first.gauge == "molecules" and len(first) == 7
    im.assert_explanation_close(first, im.explain(gfn2(), waters, gauge="molecules"))


@pytest.mark.parametrize(
    ("target", "asked", "error", "words"),
    [
        (im.Energy(), {"gauge": "internal"}, MethodError, r'"groups" or "molecules".*im\.ledger'),
        (im.Force(0), {"gauge": "internal", "order": 2}, MethodError, "order counts players"),
        (im.Force(0), {"gauge": "internal", "method": "shapley"}, MethodError, "does not move"),
        (im.Force(0), {"gauge": "internal", "fragments": "molecules"}, GaugeError, "no players"),
        (im.Force(0), {"gauge": "internal", "context": "in_situ"}, MethodError, "no context"),
        (im.Energy(), {"gauge": "groups", "method": "integrated_gradients"}, MethodError, "absent"),
        (im.Force(0), {"gauge": "groups", "method": "pair_force"}, MethodError, "in the group's"),
        (im.Energy(), {"gauge": "groups", "method": "owen"}, MethodError, "suits molecules, atoms"),
        (im.Energy(), {"gauge": "groups", "context": "in_situ"}, MethodError, "known: vacuum"),
        (im.Energy(), {"gauge": "atoms", "method": "tensions"}, MethodError, "suits internal"),
        (im.Force(0), {"gauge": "quarks"}, GaugeError, "known: internal, groups, molecules, atoms"),
        (im.Force(0), {"gauge": 7}, GaugeError, "groups_of"),
        (
            im.Force(0),
            {"gauge": im.groups_of(MALONALDEHYDE), "fragments": [[0]]},
            GaugeError,
            "has players already",
        ),
    ],
)
def test_what_does_not_suit_is_refused_with_the_reason(target, asked, error, words):
    with pytest.raises(error, match=words):
        im.explain(SHIPPED, MALONALDEHYDE, target, **asked)


def test_the_tables_say_what_suits_what():
    table, methods = im.gauges(), im.methods()
    assert list(table.index) == list(GAUGES) == ["internal", "groups", "molecules", "atoms"]
    for gauge in table.index:
        listed = set(table.loc[gauge, "methods"].split(", "))
        assert listed == {n for n in METHODS if gauge in methods.loc[n, "gauges"].split(", ")}
    assert table.loc["internal", "methods"] == "tensions"
    assert "hydrogen" in table.loc["groups", "absent means"]


def test_radicals_without_a_converged_state_are_named_with_a_way_out():
    with pytest.raises(ModelError, match=r'gfn2-xtb fails for .*"groups".*"internal"'):
        im.explain(gfn2(), MALONALDEHYDE, gauge="atoms")


COMPLETE = [
    (model, atoms, gauge)
    for model in ("potential", "gfn2", "tblite")
    for atoms, gauges in (
        ("malonaldehyde", ("internal", "groups")),
        ("waters", ("internal", "groups", "molecules")),
        ("water", ("atoms",)),
    )
    for gauge in gauges
]


@pytest.mark.parametrize(("model", "atoms", "gauge"), COMPLETE)
def test_every_gauge_is_complete_for_every_model(model, atoms, gauge):
    potential = SHIPPED if atoms == "malonaldehyde" else im.load("water")
    model = {"potential": potential, "gfn2": gfn2(), "tblite": tblite()}[model]
    structure = {
        "malonaldehyde": MALONALDEHYDE,
        "waters": water_hexamer()[:9],
        "water": water_hexamer()[:3],
    }[atoms]
    targets = [im.Force(1), im.Force(1, along=0), im.Force([0, 1])]
    for target in [*targets, im.Energy()][: 3 if gauge == "internal" else 4]:
        explanation = im.explain(model, structure, target, gauge=gauge)
        whole = structure.copy()
        whole.calc = model.calculator() if hasattr(model, "calculator") else model
        if target == im.Energy():
            own = whole.get_potential_energy()
        else:
            own = whole.get_forces()[target.indices].sum(0)
            direction = target.direction(structure)
            own = own if direction is None else own @ direction
        assert np.abs(np.asarray(explanation.total) - own).max() < 1e-8
        assert explanation.residual < 1e-8
        assert explanation.certificate().badge == "EXACT"


def test_what_lies_above_the_order_is_one_row_of_all():
    """Four waters to pairs: the rest is the sum of the triples and the quadruple."""
    waters, model = water_hexamer()[:12], gfn2()
    pairs = im.explain(model, waters, gauge="molecules", order=2)
    everything = im.explain(model, waters, gauge="molecules", order=None)
    assert pairs.residual < 1e-8 and everything.residual < 1e-8
    [rest] = [k for k, order in enumerate(pairs.orders) if order == 0]
    assert pairs.labels[rest] == "sets of more than 2 molecules"
    assert pairs.members[rest] == tuple(range(12))
    larger = everything.values[everything.orders > 2].sum()
    assert pairs.values[rest] == pytest.approx(larger, abs=1e-9) and abs(larger) > 0.01
    shares = pairs[[rest]].by("atom")
    assert np.allclose(shares.reindex(range(12)), larger / 12)
    table = im.explain(im.load("water"), waters, gauge="molecules", order=2)
    assert table.labels[-1] == "sets of more than 2 molecules" and table.residual < 1e-8


EACH = {
    "internal": (SHIPPED, MALONALDEHYDE, im.Force(8, along=4)),
    "groups": (SHIPPED, MALONALDEHYDE, im.Energy()),
    "molecules": (im.load("water"), water_hexamer()[:9], im.Force(0)),
    "atoms": (SHIPPED, MALONALDEHYDE, im.Force(8)),
}


@pytest.fixture(scope="module", params=list(EACH))
def two(request):
    """Explanations of two structures in each gauge."""
    model, atoms, target = EACH[request.param]
    moved = atoms.copy()
    moved.rattle(0.02, seed=1)
    return [im.explain(model, frame, target, gauge=request.param) for frame in (atoms, moved)]


def test_differences_and_slices_keep_the_gauge(two):
    here, there = two
    change = there - here
    assert change.gauge == here.gauge and change.residual < 1e-8
    assert np.allclose(change.total, np.asarray(there.total) - here.total, atol=1e-9)
    assert np.abs(change.values).max() > 1e-3
    assert np.abs((here - here).values).max() < 1e-12
    size = np.abs(here.values.reshape(len(here), -1)).max(1)
    largest = here[np.argsort(-size)[:3]]
    assert len(largest) == 3 and not largest.complete
    assert largest.gauge == here.gauge and set(largest.labels) <= set(here.labels)
    assert np.allclose(largest.total, largest.values.sum(0))


def test_only_of_what_was_learned_rows_depend_on_data():
    water = water_hexamer()[:6]
    learned, quantum = (im.explain(m, water).statement for m in (im.load("water"), gfn2()))
    assert "training data" in learned and "training data" not in quantum


def test_rows_of_two_gauges_are_not_subtracted():
    internal = im.explain(SHIPPED, MALONALDEHYDE, im.Force(8), gauge="internal")
    groups = im.explain(SHIPPED, MALONALDEHYDE, im.Force(8), gauge="groups")
    with pytest.raises(im.GroupingError, match='"internal" and "groups"'):
        internal - groups


def test_sums_and_tables_add_up(two):
    for explanation in two:
        table = explanation.to_frame()
        columns = [c for c in table if c.startswith("value_")]
        assert np.allclose(table[columns].sum().to_numpy().squeeze(), explanation.total)
        assert not table.label.duplicated().any() or explanation.gauge == "atoms"
        for by in ("kind", "order", "atom", "fragment"):
            sums = explanation.by(by, components=True)
            assert np.allclose(sums.to_numpy().sum(0), explanation.total, atol=1e-9), by


def test_pictures_and_shap_add_up(two):
    for explanation in two:
        along = explanation.flat(np.atleast_2d(explanation.total))
        total = float(np.ravel(along)[0]) if explanation.values.ndim > 1 else explanation.total
        ax = explanation.plot(by="kind")
        widths = [bar.get_width() for bar in ax.patches]
        assert sum(widths[:-1]) == pytest.approx(widths[-1]) == pytest.approx(total)
        shap = explanation.to_shap()
        assert shap.values.sum() == pytest.approx(total)
        assert shap.values.shape == (len(set(explanation.labels)),)
    both = im.to_shap(two, by="kind")
    assert len(both.values) == 2


def test_files_keep_everything(two, tmp_path):
    explanation = two[0]
    explanation.save(tmp_path / "kept.npz")
    again = im.load_explanation(tmp_path / "kept.npz")
    assert repr(again) == repr(explanation)
    assert (again.labels, again.kinds) == (explanation.labels, explanation.kinds)
    assert np.array_equal(again.values, explanation.values)
    assert again.members == explanation.members and again.fragments == explanation.fragments
    for name in ("samples", "convention"):
        kept, written = getattr(again, name), getattr(explanation, name)
        assert (kept is None) == (written is None)
        if kept is not None:
            assert np.allclose(kept, written, atol=1e-5, rtol=1e-5)
    assert again.certificate().verdict == explanation.certificate().verdict
    im.assert_explanation_close(again, explanation)


def test_labels_of_a_frame_have_tensions_of_their_own():
    frame = MALONALDEHYDE.copy()
    frame.rattle(0.03, seed=4)
    predicted = SHIPPED.predict(frame)
    forces = predicted.forces.numpy() + 0.01 * np.cross([0, 0, 1.0], frame.positions)[:, [1, 0, 2]]
    forces -= forces.mean(0)
    frame.calc = SinglePointCalculator(frame, energy=0.0, forces=forces)
    labelled = im.explain(frame.calc, frame, im.Force(8))
    assert labelled.gauge == "internal"
    np.testing.assert_allclose(labelled.total, forces[8], atol=1e-8)
    np.testing.assert_allclose(frame.get_forces(), forces)  # the labels are still there
