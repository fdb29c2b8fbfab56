"""Frames that are left out of a fit in closed form, against fits that never saw them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from frames_of_methanol import ISOLATED, SMALL, frames

import interpmd as im
from interpmd.fitting.left_out import LeftOut
from interpmd.fitting.normal import NormalEquations, weighted_rows
from interpmd.fitting.posterior import factor_of, median_of
from interpmd.fitting.soft import softened
from interpmd.fitting.targets import Targets
from interpmd.potentials import ClusterExpansion
from interpmd.potentials.uncertainty import uncertainty

MANY = frames(12, 5)
COUNT = 3000


@pytest.fixture(scope="module", params=[0.0, 3.0], ids=["", "soft"])
def learned(request):
    """Frames, their targets, the equations without some of them, and the prior."""
    term = ClusterExpansion(["H", "C", "O"], lmax=1, channels=(24, 24), functions=8)
    targets = [
        Targets(
            a.calc.results["energy"], a.calc.results["forces"], energy_weight=3.0,
            soft_weight=request.param,
        )
        for a in MANY
    ]  # fmt: skip
    scale = np.full(3 * term.n_features, 0.5)
    prior = np.geomspace(1e-3, 0.1, len(scale))

    def solved(without: int | None = None):
        kept = [k for k in range(len(MANY)) if k != without]
        equations = NormalEquations(term, scale, memory=1.0)
        equations.add([MANY[k] for k in kept], [targets[k] for k in kept])
        return equations, equations.solve(prior)

    return targets, scale, solved


def test_errors_and_bars_are_those_of_fits_without_the_frame(learned):
    """Errors to rounding; bars, of many samples, within their chance."""
    targets, scale, solved = learned
    equations, solution = solved()
    left_out = LeftOut.of(equations.term, scale, MANY, targets)
    samples, held, _ = left_out.calibrated(solution, COUNT, seed=0)
    assert samples.shape == (len(scale), COUNT) and len(held) == len(MANY)
    assert factor_of(held) == pytest.approx(1.0, rel=1e-6)
    made = [
        softened(a, t, *weighted_rows(equations.term, a, t, scale))
        for a, t in zip(MANY, targets, strict=True)
    ]
    x, y = (np.concatenate(each) for each in zip(*made, strict=True))
    leverage = np.einsum("rw,wv,rv->r", x, _inverse(solution), x)
    pulled = np.where(leverage > median_of(leverage), (y - x @ solution.mean) / leverage, 0.0)
    pulls = np.split(pulled, np.cumsum([len(values) for _, values in made])[:-1])
    moved, found = [], []
    for k in (0, 7):
        other, without = solved(k)
        rows, values = weighted_rows(other.term, MANY[k], targets[k], scale)
        missed = rows @ without.mean - values
        assert held[k].energy == pytest.approx(missed[0] / 3.0, rel=1e-4)
        assert np.allclose(held[k].forces.ravel(), missed[1:], rtol=1e-3, atol=1e-4)
        with_it = rows @ solution.mean - values
        moved.append(np.abs(missed - with_it).max() / np.abs(missed).max())
        # bars: the posterior without the frame, and what others pull it to
        inverse = _inverse(without)
        kept = np.concatenate([np.full(len(pull), n != k) for n, pull in enumerate(pulls)])
        across = rows @ inverse @ (x.T * np.concatenate(pulls))[:, kept]
        expected = np.array([np.einsum("rw,wv,rv->r", rows, inverse, rows), (across**2).sum(1)])
        seen = np.concatenate([[3.0 * held[k].energy_std], held[k].forces_std.ravel()]) ** 2
        found.append(np.linalg.lstsq(expected.T, seen, rcond=None)[0])
        assert np.allclose(np.sqrt(found[-1] @ expected / seen), 1.0, atol=0.06)
    assert np.allclose(found[0], found[1], rtol=0.1) and np.min(found) > 0
    assert min(moved) > 0.3  # a frame decides much of what is said of it


def _inverse(solution):
    lower = np.tril(solution.factor)
    return np.linalg.inv(lower @ lower.T)


def test_intervals_of_few_labels_hold_new_energies_and_forces():
    """Of direct fits to forty frames; two standard deviations are 95 %."""
    inside, energies = [], []
    for seed in range(3):
        potential = im.fit(frames(40, seed) + ISOLATED, spec=SMALL, progress=False).potential
        for atoms in frames(40, 10 + seed):
            found = potential.predict_unwatched(atoms)
            bars = uncertainty(potential, potential.batch(atoms))
            off = found.forces.numpy() - atoms.calc.results["forces"]
            inside.append(np.abs(off) <= 2 * bars.forces_std.numpy())
            missed = abs(float(found.energy) - atoms.calc.results["energy"])
            energies.append(missed <= 2 * float(bars.energy_std[0]))
    assert 0.92 < np.mean(inside) < 0.98
    assert 0.90 < np.mean(energies) < 0.995


def test_frames_that_lack_labels_judge_by_what_they_have(learned):
    targets, scale, solved = learned
    equations, solution = solved()
    lacking = [replace(targets[0], energy=np.nan), *targets[1:]]
    left_out = LeftOut.of(equations.term, scale, MANY, lacking)
    held = left_out.calibrated(solution, 8, seed=0)[1]
    assert np.isnan(held[0].energy) and np.isfinite(held[0].forces).all()
    assert np.isfinite([each.energy for each in held[1:]]).all()
