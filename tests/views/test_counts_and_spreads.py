"""What a picture leaves out is counted, and what has a spread shows it."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from ase.build import molecule
from matplotlib.collections import LineCollection

from interpmd import plots
from interpmd.attribution.over_time.events.flow import Flow
from interpmd.plots.events import passages


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_a_single_number_of_labels_shows_its_spread():
    lines = {"how": "a", "labels": 25, "error": [100.0, 140.0, 120.0]}
    ax = plots.label_race(pd.DataFrame(lines), "error")
    spreads = [c.get_segments() for c in ax.collections if isinstance(c, LineCollection)]
    assert np.allclose(spreads[0][0], [[25, 100], [25, 140]])


def test_passages_that_are_not_drawn_are_counted():
    times, values = np.linspace(-1, 1, 5), np.linspace(-1, 1, 5)
    curves = [(times, values if n % 3 else -values, n % 3 > 0) for n in range(12)]
    ax = passages(curves, (-0.5, 0.0, 0.5), "coordinate (Å)", most=6)
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["8 forward (4 of them drawn)", "4 backward (2 of them drawn)"]
    assert len([line for line in ax.get_lines() if len(line.get_xdata()) == 5]) == 6


def test_flows_that_nobody_would_see_are_left_out():
    got = np.array([[0.0, -0.04, 0.002], [0.04, 0.0, -0.02], [-0.002, 0.02, 0.0]])
    error = np.full((3, 3), 1e-4)
    error[1, 2] = error[2, 1] = 0.011
    flow = Flow(molecule("H2O"), ((0,), (1,), (2,)), ("O0", "H1", "H2"), got, error, -30.0)
    words = flow.plot().texts[-1].get_text()
    assert words == "O0 → H1: 40 ± 0 meV"  # 20 is below two errors, 2 below a tenth of the largest
    table = flow.to_frame()
    assert (table.index.name, table.columns.name) == ("gets", "from")
