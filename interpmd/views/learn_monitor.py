"""Watch a run of learning: errors by labels beside random choice, and what was chosen and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from interpmd.errors import NoFitError
from interpmd.fitting.active.learn import LearnProgress
from interpmd.markup import markup
from interpmd.plots.learning import label_race
from interpmd.plots.style import axes_in_a_row, unshown_axes
from interpmd.units import unit_sign
from interpmd.views.panels import Panel, Picture, side_by_side, table_html
from interpmd.views.toolkit import widgets

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Errors that are drawn, with what they are in words.
ERRORS = {"force_rmse_meV/A": "all atoms", "worst_force_meV/A": "the worst 5 % of atoms"}

#: Decisions in the table, the last ones.
LINES = 8


class LearnMonitor(Panel):
    """Errors by number of labels and the decisions of a run of learning, while it runs.

    Show it in a cell of its own and give it to the run::

        monitor = im.LearnMonitor()
        display(monitor)
        report = im.learn(start, candidates, "gfn2-xtb", test=test, watch=monitor)

    Attributes:
        history, decisions: as in `LearnReport`, as far as the run has come.
    """

    def __init__(self) -> None:
        self.history, self.decisions = pd.DataFrame(), pd.DataFrame()
        self.doing = ""
        self._bar = widgets.IntProgress(min=0, max=1, layout={"width": "420px"})
        self._words = widgets.HTML("waiting for a run: <code>im.learn(..., watch=monitor)</code>")
        self._pictures = [Picture() for _ in ERRORS]
        self._table = widgets.HTML()
        super().__init__(
            [
                widgets.HBox([self._bar, self._words], layout={"flex_flow": "wrap"}),
                side_by_side(self._pictures),
                self._table,
            ]
        )

    def __call__(self, now: LearnProgress) -> None:
        """Show a step; `im.learn` calls this."""
        news = len(now.history) != len(self.history) or now.done
        self.history, self.decisions, self.doing = now.history, now.decisions, now.doing
        self._bar.max, self._bar.value = now.budget, now.labels
        self._words.value = markup(
            "<b>{} of {} labels</b> {}", str(now.labels), str(now.budget), now.doing
        )
        if news and len(self.history):
            self._draw()

    def plot(self) -> tuple[Axes, ...]:
        """Errors by number of labels.

        Raises:
            NoFitError: there is nothing yet.
        """
        if not len(self.history):
            raise NoFitError(
                "there is nothing to show yet: pass the monitor to a run, im.learn(..., "
                "watch=monitor)"
            )
        axes = axes_in_a_row((10.0, 3.8), 1, 1)
        for ax, (column, words) in zip(axes, ERRORS.items(), strict=True):
            label_race(self.history, column, ax=ax, title=words)
        return tuple(axes)

    def _draw(self) -> None:
        for picture, (column, words) in zip(self._pictures, ERRORS.items(), strict=True):
            ax = label_race(self.history, column, ax=unshown_axes((4.4, 3.5)), title=words)
            last = self.history.dropna(subset=[column]) if column in self.history else []
            said = f", now {last.iloc[-1][column]:.1f} meV/Å" if len(last) else ""
            picture.show(ax, f"force errors of {words} by number of labels{said}", dpi=80)
        if len(self.decisions):
            shown = self.decisions[self.decisions.how == "active"].tail(LINES)
            shown = shown.drop(columns=["how"]).iloc[::-1]
            shown = shown.rename(
                columns={
                    "goal_std": "goal std (eV/Å)",
                    "error_before": "error before (meV/Å)",
                    "gain": "variance taken",
                    "misfit": "of misfit",
                }
            )
            shown = shown.rename(columns=lambda name: unit_sign(str(name)))
            self._table.value = table_html(shown, digits=2, index=False)

    def __repr__(self) -> str:
        if not len(self.history):
            return "LearnMonitor: no run yet"
        last = self.history.iloc[-1]
        error = last.get("force_rmse_meV/A", float("nan"))
        return f"LearnMonitor: {last.labels} labels ({last.how}), force {error:.1f} meV/Å (RMSE)"
