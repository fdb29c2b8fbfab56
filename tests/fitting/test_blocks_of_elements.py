"""Normal equations leave out the columns of elements that a frame does not have."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import molecule

from interpmd.fitting.normal import NormalEquations, column_scales
from interpmd.fitting.spec import Spec
from interpmd.fitting.targets import Targets

FRAMES = [molecule(name) for name in ("CH3OH", "CH4", "H2O", "CH3NO2", "C2H6", "NH3", "HCN")]


@pytest.fixture(params=[{}, {"H": 0.25, "O": 0.5}], ids=["even", "uneven"])
def parts(request):
    return request.param


def sums(parts, whole: bool) -> NormalEquations:
    rng = np.random.default_rng(1)
    frames = [atoms.copy() for atoms in FRAMES]
    for atoms in frames:
        atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
    targets = [Targets(rng.normal(), rng.normal(size=(len(a), 3))) for a in frames]
    term = Spec(weights=300, channels=(8, 8), lmax=(0, 2), channels_by_element=parts).expansion(
        [1, 6, 7, 8], seed=0
    )
    equations = NormalEquations(term, column_scales(term, frames, seed=0), memory=1.0)
    if whole:
        equations._present = lambda atoms: equations._all
    equations.add(frames, targets)
    return equations


def test_sums_are_those_of_all_columns(parts):
    parts, whole = sums(parts, whole=False), sums(parts, whole=True)
    assert np.allclose(np.tril(parts.matrix), np.tril(whole.matrix), rtol=1e-12, atol=1e-12)
    assert np.allclose(parts.vector, whole.vector, rtol=1e-12, atol=1e-12)
    assert parts.rows == whole.rows == sum(1 + 3 * len(atoms) for atoms in FRAMES)
    assert np.isclose(parts.square, whole.square, rtol=1e-12)


def test_solutions_are_those_of_all_columns(parts):
    prior = np.full(len(sums(parts, whole=True).scale), 0.1)
    means = [sums(parts, whole).solve(prior).mean for whole in (False, True)]
    assert np.allclose(*means, rtol=1e-8, atol=1e-10)
