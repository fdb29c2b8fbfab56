"""The benchmark of explainers: truth is found by exact methods and missed by wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

from interpmd.attribution.methods.registry import METHODS
from interpmd.potentials import LennardJones
from interpmd.trust.benchmark import _truth, benchmark_explainers, cluster


@pytest.fixture(scope="module")
def table():
    return benchmark_explainers(["mobius", "shapley", "owen"], progress=False)


def test_exact_methods_find_the_truth(table):
    assert table.loc["mobius", "atom_rmse_eV"].max() < 1e-10
    assert table.loc["mobius", ["pair_rmse_eV", "triplet_rmse_eV"]].max().max() < 1e-10
    assert table.loc["shapley", "atom_rmse_eV"].max() < 1e-10
    assert table.completeness_eV.max() < 1e-8
    assert (table.time_s > 0).all()


def test_other_questions_have_other_answers(table):
    """Owen values of several molecules are no Shapley values, and the benchmark shows it."""
    assert table.loc[("owen", "mw", "cluster"), "atom_rmse_eV"] > 1e-3


def test_truth_is_the_formula_summed_by_hand():
    term, atoms = LennardJones.example(), cluster(5, 1, periodic=False)
    truth = _truth(term, atoms)
    distances = atoms.get_all_distances()
    by_hand = np.zeros(5)
    for i in range(5):
        for j in range(5):
            r, onset, cutoff = distances[i, j], term.onset, term.cutoff
            if i == j or r >= cutoff:
                continue
            x = max((r - onset) / (cutoff - onset), 0.0)
            switch = 1 - 10 * x**3 + 15 * x**4 - 6 * x**5
            energy = 4 * term.epsilon * ((term.sigma / r) ** 12 - (term.sigma / r) ** 6) * switch
            by_hand[i] += energy / 2
    assert np.allclose(truth[1], by_hand, atol=1e-12)


def test_all_methods_are_run_or_say_why_not():
    table = benchmark_explainers(atoms=4, periodic=False, progress=False)
    assert set(table.index.get_level_values("method")) == set(METHODS)
    done = table[table.not_run == ""]
    complete = [m for m in METHODS if "complete" in METHODS[m].guarantees]
    mine = done[done.index.get_level_values("method").isin(complete)]
    assert mine.completeness_eV.max() < 1e-8
