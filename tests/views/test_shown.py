"""What has `plot()` draws into a figure of pyplot, which notebooks show from any line of a cell."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

import interpmd as im
from interpmd.decomposition import pair_curve, triplet_map
from interpmd.decomposition.assemble import decompose
from interpmd.demo import MALONALDEHYDE
from interpmd.fitting.report import Evaluation, FitReport
from interpmd.potentials import LennardJones, Potential
from interpmd.trust.truth.agreement import QuantumTruth

PAIRS = Potential([LennardJones.example()])
POTENTIAL = im.load("malonaldehyde")
FOUND = im.explain(POTENTIAL, MALONALDEHYDE, im.Force(8), gauge="atoms")


def evaluation():
    rng = np.random.default_rng(0)
    energy, forces = rng.normal(size=(5, 2)), rng.normal(size=(15, 3, 2))
    return Evaluation(energy, forces, np.full(5, 3), np.ones(15, int), ("a",) * 5)


def quantum_truth():
    lines = [(0, 3, (0, 1), 2, -4.0, -3.9), (0, 3, (0, 1, 2), 3, -1.0, -0.9)]
    columns = ["frame", "molecules", "fragments", "order", "quantum", "potential"]
    table = pd.DataFrame(lines, columns=columns).assign(quantum_force=0.0, force_error=0.0)
    return QuantumTruth("gfn2-xtb", 3, table)


def trajectory():
    return im.simulate(POTENTIAL, MALONALDEHYDE, steps=2, interval=1, progress=False)


@pytest.mark.parametrize(
    "plot",
    [
        *(
            pytest.param(lambda kind=kind: FOUND.plot(kind=kind), id=kind)
            for kind in ("waterfall", "bars", "heat_map", "shares")
        ),
        pytest.param(lambda: decompose(POTENTIAL, MALONALDEHYDE, order=2).plot(), id="table"),
        pytest.param(lambda: im.doctor(im.load("water")).plot(), id="diagnosis"),
        pytest.param(
            lambda: im.faithfulness(
                PAIRS, im.explain(PAIRS, MALONALDEHYDE, gauge="atoms"), repeats=1
            ).plot(),
            id="faithfulness",
        ),
        pytest.param(
            lambda: im.infidelity(
                PAIRS, im.explain(PAIRS, MALONALDEHYDE, gauge="atoms"), samples=5
            ).plot(),
            id="infidelity",
        ),
        pytest.param(lambda: evaluation().plot(), id="evaluation"),
        pytest.param(
            lambda: FitReport(PAIRS, pd.DataFrame(), {"test": evaluation()}, 0.0).plot(),
            id="fit report",
        ),
        pytest.param(lambda: quantum_truth().plot(), id="quantum truth"),
        pytest.param(lambda: trajectory().plot(), id="trajectory"),
        pytest.param(lambda: pair_curve(POTENTIAL, "O", "H").plot(), id="curve"),
        pytest.param(
            lambda: triplet_map(POTENTIAL, ("H", "O", "H"), distance=1.0, points=5).plot(), id="map"
        ),
    ],
)
def test_what_is_plotted_is_shown_once(plot):
    """A figure that is open and not itself the value of the cell, which would show it again."""
    plt.close("all")
    found = plot()
    drawn = [found] if isinstance(found, Axes) else list(found)
    (number,) = plt.get_fignums()
    assert drawn and all(isinstance(ax, Axes) for ax in drawn)
    assert set(drawn) <= set(plt.figure(number).axes)
    plt.close("all")
