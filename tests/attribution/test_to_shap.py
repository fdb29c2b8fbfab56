"""One explanation, several, or a trajectory of them, as a table of shap: the same bars."""

import numpy as np
import pytest

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import GroupingError

pytest.importorskip("shap")


@pytest.fixture(scope="module")
def explained():
    potential = im.load("malonaldehyde")
    frames = [MALONALDEHYDE.copy() for _ in range(3)]
    for index, atoms in enumerate(frames):
        atoms.rattle(0.02, seed=index)
    return potential, frames


@pytest.mark.parametrize("target", [im.Energy(), im.Force(8), im.Force(8, along=0)], ids=str)
def test_one_several_and_trajectories_alike(explained, target):
    potential, frames = explained
    ask = {"gauge": "atoms", "order": 2}
    each = [im.explain(potential, atoms, target, **ask) for atoms in frames]
    one, several = im.to_shap(each[0]), im.to_shap(each)
    assert one.values.shape == (len(one.feature_names),)
    assert np.array_equal(one.values, each[0].to_shap().values)
    assert several.values.shape == (3, len(one.feature_names))
    assert np.allclose(several.values[0], one.values)
    dataset = im.explain_trajectory(potential, frames, target, progress=False, **ask)
    over_time = im.to_shap(dataset)
    place = [over_time.feature_names.index(name) for name in several.feature_names]
    assert np.allclose(over_time.values[:, place], several.values, atol=1e-10)
    kinds = im.to_shap(each, by="kind")
    grouped = im.to_shap(
        im.explain_trajectory(potential, frames, target, by="kind", progress=False, **ask)
    )
    assert np.allclose(grouped.values.sum(1), kinds.values.sum(1), atol=1e-10)
    assert set(grouped.feature_names) == set(kinds.feature_names)


def test_shapley_values_of_one_explanation(explained):
    potential, frames = explained
    found = im.explain(potential, frames[0], im.Force(8, along=0), method="shapley")
    table = im.to_shap(found, by="atom")
    assert table.values.shape == (9,)
    assert table.values.sum() == pytest.approx(found.total, abs=1e-9)


def test_what_is_no_explanation_is_refused(explained):
    potential, frames = explained
    dataset = im.explain_trajectory(potential, frames[:1], by="kind", progress=False)
    with pytest.raises(GroupingError, match="grouped already"):
        im.to_shap(dataset, by="kind")
    with pytest.raises(GroupingError, match="item 0 is Atoms"):
        im.to_shap(frames)
