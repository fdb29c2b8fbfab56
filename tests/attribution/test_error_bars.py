"""Error bars of explanations: what single rows, sums and differences would be for other draws."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

import interpmd as im
from interpmd.attribution.methods.dispatch import options_of
from interpmd.attribution.methods.registry import METHODS
from interpmd.demo import MALONALDEHYDE
from interpmd.potentials import Potential, StillingerWeber

EXACT = [name for name in METHODS if "error_bars" in options_of(name)]
DRAW = 3


@pytest.fixture(scope="module")
def potential():
    """Rows of atoms with the samples that the posterior gives, no wider."""
    bare = im.load("malonaldehyde")
    bare.learned_terms["expansion"].radical_scale.fill_(1.0)
    return bare


@pytest.fixture(scope="module")
def drawn(potential):
    """The potential with one draw from its posterior in the place of the mean."""
    other = copy.deepcopy(potential)
    term = other.terms["expansion"]
    term.readout.add_(term.samples[..., DRAW].double())
    return other


@pytest.fixture(scope="module")
def ethenol():
    """Seven atoms, far from the training data: rows need no good geometry."""
    atoms = Atoms("CCOHHHH", molecule("CH3CHO").positions[[1, 2, 0, 3, 4, 5, 6]])
    atoms.rattle(0.05, seed=4)
    return atoms


@pytest.fixture(scope="module")
def inside():
    """A geometry like those of the training data."""
    atoms = MALONALDEHYDE.copy()
    atoms.rattle(0.03, seed=1)
    return atoms


def of_both(potential, drawn, *question, **options):
    return im.explain(potential, *question, **options), im.explain(drawn, *question, **options)


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize(
    "target", [im.Energy(), im.Force(3), im.Force(3, along=1), im.Torque((3, 0, 1, 2))], ids=str
)
def test_every_sample_is_the_explanation_of_its_draw(potential, drawn, ethenol, method, target):
    if method in ("pair_force", "tensions") and isinstance(target, im.Energy):
        pytest.skip("explains forces and work")
    options = {"order": 2} if METHODS[method].has_players else {}
    mean, other = of_both(potential, drawn, ethenol, target, method=method, **options)
    assert mean.samples.shape == (*mean.values.shape, 32)
    assert mean.clusters.identities() == other.clusters.identities()
    np.testing.assert_allclose(other.values - mean.values, mean.samples[..., DRAW], atol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"fragments": [[0, 3], [1, 2], [4, 5, 6]]},
        {"context": "in_situ", "order": 2},
        {"order": 4},
        {"order": 1},
    ],
    ids=str,
)
def test_so_it_is_of_fragments_and_contexts_and_remainders(potential, drawn, ethenol, options):
    mean, other = of_both(potential, drawn, ethenol, im.Force(3), **options)
    np.testing.assert_allclose(other.values - mean.values, mean.samples[..., DRAW], atol=1e-9)


def test_pair_forces_are_known_as_well_as_their_sum(potential, inside):
    """Samples of all pairs sum to those of the force; a pair alone is known less well."""
    found = im.explain(potential, inside, im.Force(3), method="pair_force")
    expected = potential.calculator().get_property("forces_std", inside)[3]
    np.testing.assert_allclose(found.total_std, expected, rtol=1e-9)
    assert found.stds.max() > 3 * expected.max()
    reaction = im.explain(potential, inside, im.Force(2), method="pair_force")
    row = found.members.index((2, 3))
    np.testing.assert_allclose(found.samples[row], -reaction.samples[row], atol=1e-12)
    bare = im.explain(potential, inside, im.Force(3), method="pair_force", error_bars=False)
    assert bare.samples is None and np.array_equal(bare.values, found.values)


def test_so_it_is_of_periodic_images():
    water = im.load("water")
    water.learned_terms["expansion"].radical_scale.fill_(1.0)
    other = copy.deepcopy(water)
    term = other.terms["expansion"]
    term.readout.add_(term.samples[..., DRAW].double())
    crystal = molecule("H2O", cell=[3.1, 3.3, 3.6], pbc=[True, True, False])
    for asked in ({"order": 3}, {"method": "pair_force"}):
        mean, moved = of_both(water, other, crystal, im.Force(1), **asked)
        np.testing.assert_allclose(moved.values - mean.values, mean.samples[..., DRAW], atol=1e-9)
        assert mean.clusters.member_shifts.any()


def test_the_sum_is_known_as_well_as_the_force_itself(potential, inside):
    found = im.explain(potential, inside, im.Force(3), order=5)
    expected = potential.calculator().get_property("forces_std", inside)[3]
    np.testing.assert_allclose(found.total_std, expected, rtol=1e-9)
    assert found.stds.max() > 20 * expected.max()  # rows are known far worse than their sum
    along = im.explain(potential, inside, im.Force(3, along=0), order=5)
    assert "±" in repr(along)
    assert along.certificate()["sum"] == pytest.approx(along.total_std)


def test_sums_keep_covariances(potential, inside):
    found = im.explain(potential, inside, im.Force(3, along=0), order=5)
    table = found.by("order", std=True)
    assert table.columns.tolist() == ["value_eV/A", "std_eV/A"]
    for order, row in table.iterrows():
        mine = found.samples[found.orders == order].sum(0)
        assert row["std_eV/A"] == pytest.approx(np.sqrt(np.mean(mine**2)))
    assert found.spreads("order")["2"] == pytest.approx(table.loc[2, "std_eV/A"])
    squares = np.sqrt((found.stds**2).sum())
    assert found.total_std < 0.1 * squares
    vector = im.explain(potential, inside, im.Force(3), order=5)
    columns = vector.by("kind", std=True, components=True).columns
    assert [c[:3] for c in columns] == ["val"] * 3 + ["std"] * 3
    direction = vector.predicted / np.linalg.norm(vector.predicted)
    total = np.einsum("csn,s->n", vector.samples, direction)
    assert vector.spreads("term").keys() == {str(t) for t in vector.by("term").index}
    assert np.sqrt(np.mean(total**2)) == pytest.approx(
        np.sqrt(np.mean((vector.samples.sum(0).T @ direction) ** 2))
    )


def test_what_is_the_same_in_both_has_no_error_in_the_difference(potential, ethenol):
    here = im.explain(potential, ethenol, im.Force(3), gauge="atoms")
    assert np.abs((here - here).stds).max() < 1e-12
    np.testing.assert_allclose((2 * here).stds, 2 * here.stds)
    np.testing.assert_allclose((here + here).total_std, 2 * here.total_std)
    np.testing.assert_allclose(here.merged().total_std, here.total_std)
    moved = ethenol.copy()
    moved.positions[3] += 0.02
    change = im.explain(potential, moved, im.Force(3), gauge="atoms") - here
    assert change.stds.max() < 0.5 * here.stds.max()


def test_errors_of_two_potentials_do_not_cancel(potential, ethenol):
    """Fits with one seed make their samples from the same random numbers."""
    other = copy.deepcopy(potential)
    other.card = replace(potential.card, provenance={**potential.card.provenance, "ridge": 1.0})
    mine, theirs = of_both(potential, other, ethenol, im.Force(3, along=0))
    spread = (mine - theirs).total_std / mine.total_std
    assert spread == pytest.approx(np.sqrt(2), rel=0.35)  # of 32 draws
    assert (mine - mine).total_std == 0


def test_error_bars_are_stored(potential, ethenol, tmp_path):
    found = im.explain(potential, ethenol, im.Force(3), gauge="atoms")
    found.save(tmp_path / "found.npz")
    again = im.load_explanation(tmp_path / "found.npz")
    np.testing.assert_allclose(again.stds, found.stds, rtol=1e-5)
    assert "std_eV/A_x" in again.to_frame()


def test_none_without_posterior_or_where_they_are_not_wanted(potential, ethenol):
    silicon = im.explain(
        Potential([StillingerWeber(elements=["Si"])]),
        Atoms("Si3", ethenol.positions[:3]),
        gauge="atoms",
    )
    assert silicon.stds is None
    assert silicon.spreads() is None
    assert silicon.by("order", std=True)["std_eV"].isna().all()
    assert (
        im.explain(potential, ethenol, im.Force(3), error_bars=False, gauge="atoms").total_std
        is None
    )


def test_trajectories_have_them_where_they_are_asked_for(potential, ethenol):
    frames, target = [ethenol, ethenol], im.Force(3)
    without = im.explain_trajectory(potential, frames, target, order=2, progress=False)
    assert "std" not in without
    options = {"order": 2, "progress": False, "error_bars": True}
    single = im.explain_trajectory(potential, frames, target, **options)
    assert single["std"].dims == ("frame", "interaction", "component")
    expected = im.explain(potential, ethenol, target, order=2).stds
    assert float(single["std"].max()) == pytest.approx(expected.max())
    sums = im.explain_trajectory(potential, frames, im.Force(3, along=0), by="order", **options)
    table = im.explain(potential, ethenol, im.Force(3, along=0), order=2).by("order", std=True)
    assert sorted(sums["std"][0].values) == pytest.approx(sorted(table["std_eV/A"]))
