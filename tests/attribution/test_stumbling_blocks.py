"""What users get wrong: each says so, instead of an empty table or an error from elsewhere."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from ase.build import molecule

import interpmd as im
from interpmd.attribution.gauges.games import Game
from interpmd.attribution.models import as_model
from interpmd.errors import FragmentError
from interpmd.potentials import LennardJones, Potential
from interpmd.reference.calculator import as_calculator

WATER = molecule("H2O")
POTENTIAL = Potential([LennardJones.example()])
METHANE = molecule("CH4")


@pytest.fixture(scope="module")
def shapley():
    return im.explain(POTENTIAL, METHANE, method="shapley")


def test_parts_without_a_finite_energy_are_named():
    """The mean distance of a single atom is 0 / 0."""
    model = im.TorchModel(lambda numbers, positions: torch.pdist(positions).mean(), name="mean")
    for method in ("mobius", "shapley", "ablation", "shap_kernel"):
        with pytest.raises(im.InterpmdError, match=r"mean gives \[nan\].*atoms \[0\] \(O\)"):
            im.explain(model, WATER, method=method)
    joined = im.explain(model, WATER, method="shapley", fragments=[[0, 1, 2]])
    assert joined.total == pytest.approx(torch.pdist(torch.tensor(WATER.positions)).mean())


def test_values_of_parts_do_not_depend_on_what_was_asked_before():
    """GFN2-xTB finds another state of OH when it starts from the wave function of another OH."""
    methanol = molecule("CH3OH")
    parts = [c for size in (1, 2) for c in combinations(range(6), size)]
    here, there = (Game(as_model(as_calculator("gfn2-xtb")), methanol, im.Energy()) for _ in "ab")
    forwards = here.of(parts)
    backwards = {part: there.of([part])[part] for part in reversed(parts)}
    assert max(abs(forwards[p] - backwards[p]).item() for p in parts) < 1e-9


def test_networks_in_single_precision_are_explained():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.SiLU(), torch.nn.Linear(8, 1))

    def energy(numbers, positions):
        return network(torch.pdist(positions)[:, None]).sum()

    single = im.explain(im.TorchModel(energy, dtype=torch.float32), WATER, order=None)
    network.double()
    double = im.explain(im.TorchModel(energy), WATER, order=None)
    assert np.allclose(single.values, double.values, atol=1e-5)
    assert np.abs(double.values).max() > 0.1


def test_functions_that_return_no_tensor_say_so():
    with pytest.raises(im.InterpmdError, match="returns float, not a tensor"):
        im.explain(
            im.TorchModel(lambda numbers, positions: float(positions.sum())), WATER, gauge="atoms"
        )


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((POTENTIAL, [METHANE, METHANE]), {}, "one structure is needed and 2 are given"),
        (("water", WATER), {}, r"im\.load\('water'\)"),
        (
            (POTENTIAL, METHANE),
            {"method": "kernel_shap", "seed": -1},
            "0 or more, not -1",
        ),
        ((POTENTIAL, METHANE), {"method": "shap_kernel", "seed": 1.5}, "not 1.5"),
    ],
)
def test_questions_that_cannot_be_answered(arguments, options, words):
    with pytest.raises(im.InterpmdError, match=words):
        im.explain(*arguments, **options)


@pytest.mark.parametrize("fragments", [2, [0, 1], [[0, 1], 2]])
def test_fragments_that_are_none(fragments):
    with pytest.raises(FragmentError, match="list of lists of atoms"):
        im.explain(POTENTIAL, METHANE, fragments=fragments)


def test_selections_of_nothing(shapley):
    with pytest.raises(im.InterpmdError, match="no atom 99: atoms are 0 to 4"):
        shapley[(0, 99)]
    with pytest.raises(im.InterpmdError, match="no kind is called 'bonds'; known: atom"):
        shapley.only(kind="bonds")
    with pytest.raises(im.InterpmdError, match="no term is called 'lj'; known: Shapley value"):
        shapley.only(term="lj")
    assert len(shapley.only(kind="angle")) == 0  # a kind that there is, but not here


def test_arithmetic_with_numbers(shapley):
    wanted = 23.06 * shapley.values
    assert np.array_equal((np.float64(23.06) * shapley).values, wanted)
    assert np.array_equal((shapley * np.float64(23.06)).values, wanted)
    assert np.allclose((shapley / 2).values, shapley.values / 2)
    assert (-shapley).predicted == -shapley.predicted
    assert (-shapley).residual == shapley.residual


def test_interactions_leave_single_players_out():
    def energy(numbers, positions):
        return torch.pdist(positions).pow(-6).sum() - 500.0 * len(numbers)

    found = im.explain(im.TorchModel(energy), WATER, order=None)
    pairs = [WATER.get_distance(i, j) ** -6 for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found.total == pytest.approx(sum(pairs) - 1500)
    assert found.interactions.total == pytest.approx(sum(pairs), abs=1e-9)
    assert set(found.interactions.orders) == {2, 3}


def test_what_is_shown(shapley):
    said = f"energy by shapley, gauge atoms: total {shapley.total:.4f} eV of 5 values"
    assert repr(shapley) == said
    assert shapley.to_shap("atom").feature_names == ["C0", "H1", "H2", "H3", "H4"]
    curves = im.faithfulness(POTENTIAL, shapley)
    text = repr(curves)
    assert "energy by atoms, areas in eV" in text and len(text.splitlines()) == 6
    assert f"{round(curves.areas.loc['random', 'deletion'], 4):.4f}" in curves._repr_html_()


def test_evaluations_are_counted(tmp_path):
    """Coalitions but the empty one, and the whole once more where the sum is compared with it."""

    def count(method, model=POTENTIAL, **options):
        return im.explain(model, METHANE, method=method, **options).evaluations

    def energy(numbers, positions):
        return torch.pdist(positions).pow(-6).sum()

    assert count("shapley", im.TorchModel(energy)) == 2**5 - 1 + 1
    assert count("shap_exact") == 2**5 - 1
    assert count("ablation") == 5 + 5 + 1  # each alone, all but each, all
    assert count("shapley") == 1
    few, many = (count("integrated_gradients", steps=steps) for steps in (4, 16))
    assert many - few == 12
    found = im.explain(POTENTIAL, METHANE, method="shap_exact")
    assert (found - found).evaluations == 2 * found.evaluations
    found.save(tmp_path / "one.npz")
    assert im.load_explanation(tmp_path / "one.npz").evaluations == found.evaluations
