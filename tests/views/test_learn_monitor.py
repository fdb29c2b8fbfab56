"""The panel of a run of learning."""

from __future__ import annotations

import pytest
from ase.build import molecule

import interpmd as im


def test_the_monitor_follows_a_run():
    frames = im.label(
        im.sample(molecule("H2O"), "rattle", n=40, seed=0), "gfn2-xtb", progress=False
    )
    monitor = im.LearnMonitor()
    with pytest.raises(im.NoFitError, match="watch=monitor"):
        monitor.plot()
    report = im.learn(
        frames[:6], frames[6:30], test=frames[30:], batch=4, budget=14, progress=False,
        spec=im.Spec(weights=200), watch=monitor,
    )  # fmt: skip
    assert monitor.history.equals(report.history)
    assert monitor.decisions.equals(report.decisions)
    assert monitor._bar.value == 14 and "done" in monitor._words.value
    error = report.history.iloc[-1]["force_rmse_meV/A"]
    assert f"{error:.1f}" in monitor._pictures[0].value
    lines = monitor.plot()[0].get_lines()
    assert list(lines[0].get_xdata()) == [6, 10, 14]
    assert "14 labels" in repr(monitor)
