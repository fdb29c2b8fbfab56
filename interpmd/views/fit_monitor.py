"""Watch a fit while it learns: errors by number of frames, and parity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from interpmd.errors import NoFitError
from interpmd.fitting.progress import FitProgress
from interpmd.fitting.report import Evaluation
from interpmd.markup import markup
from interpmd.plots.learning import held_out_errors
from interpmd.plots.style import axes_in_a_row, unshown_axes
from interpmd.units import unit_sign
from interpmd.views.panels import Panel, Picture, side_by_side, table_html
from interpmd.views.toolkit import widgets

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What a fit does in each stage, in words.
STAGES = {
    "smoothness": "choosing how smooth the potential is",
    "refinement": "refining the channels",
    "frames": "learning from frames",
    "ridge": "choosing the strength of the prior",
    "test": "done",
}


@dataclass(frozen=True)
class Milestone:
    """How good a fit was at some moment.

    Attributes:
        stage: of the fit.
        step: within the stage, in words.
        frames: number of frames that it had learned from.
        evaluation: predictions beside labels, on held-out frames or, at the end, on the test set.
    """

    stage: str
    step: str
    frames: int
    evaluation: Evaluation


class FitMonitor(Panel):
    """Errors and parity of a fit while it runs.

    Show it in a cell of its own, or with `display` above the fit, and give it to the fit::

        monitor = im.FitMonitor()
        display(monitor)
        report = im.fit(train, test=test, watch=monitor)

    Left: error on frames that the fit does not learn from, by the number of frames learned from;
    right: their energies and forces, predicted against true, by the potential so far. The table
    below has the same numbers. A monitor that is given to another fit starts afresh.

    Attributes:
        milestones: one for each line of the table.
    """

    def __init__(self) -> None:
        self.milestones: list[Milestone] = []
        self.frames, self._ended = 0, False
        self._bar = widgets.IntProgress(min=0, max=1, layout={"width": "420px"})
        self._words = widgets.HTML("waiting for a fit: <code>im.fit(..., watch=monitor)</code>")
        self._pictures = [Picture() for _ in "123"]
        self._table = widgets.HTML()
        super().__init__(
            [
                widgets.HBox([self._bar, self._words], layout={"flex_flow": "wrap"}),
                side_by_side(self._pictures),
                self._table,
            ]
        )

    def __call__(self, now: FitProgress) -> None:
        """Show a step of the fit; `im.fit` calls this."""
        if self._ended:
            self.milestones, self.frames = [], 0
        self._ended = now.stage == "test"
        if now.stage == "frames":
            self.frames = now.done
        self._bar.max, self._bar.value = max(now.total, 1), now.done
        step = f"{now.done} of {now.total}"
        if now.stage == "smoothness":
            step = f"{now.value:.0f} Bessel functions: error {now.error:.3g}"
        elif now.stage == "ridge":
            step = f"ridge {now.value:.0e}"
        elif now.stage == "test":
            step = "test set" if now.evaluation is not None else ""
        self._words.value = markup("<b>{}</b> {}", STAGES[now.stage], step)
        if now.evaluation is not None:
            self.milestones.append(Milestone(now.stage, step, self.frames, now.evaluation))
            self._draw()

    def to_frame(self) -> pd.DataFrame:
        """Errors at every milestone, in meV and meV/Å."""
        rows = [
            {"stage": m.stage, "step": m.step, "frames": m.frames, **m.evaluation.summary()}
            for m in self.milestones
        ]
        return pd.DataFrame(rows)

    def plot(self) -> tuple[Axes, ...]:
        """Errors by number of frames, and the parity of energies and of forces.

        Raises:
            NoFitError: there is no fit yet, or no frames are held out.
        """
        if not self.milestones:
            raise NoFitError(
                "there is nothing to show yet: pass the monitor to a fit, im.fit(..., "
                "watch=monitor), that holds frames out (validation above 0)"
            )
        axes = axes_in_a_row((9.6, 3.4), 1.15, 1, 1)
        self._draw_errors(axes[0])
        self._draw_parity(axes[1:])
        return tuple(axes)

    def _draw(self) -> None:
        axes = [unshown_axes((4.2, 3.6)) for _ in self._pictures]
        self._draw_errors(axes[0])
        self._draw_parity(axes[1:])
        errors = self.milestones[-1].evaluation.summary()
        words = (
            f"errors on held-out frames by the number of frames, now {self.frames}",
            f"predicted against true energies, RMSE {errors.get('energy_rmse_meV', 0):.1f} meV",
            f"predicted against true forces, RMSE {errors['force_rmse_meV/A']:.1f} meV/Å",
        )
        for picture, ax, alternative in zip(self._pictures, axes, words, strict=True):
            picture.show(ax, alternative, dpi=80)
        table = self.to_frame().rename(columns=lambda name: unit_sign(name.replace("_", " ")))
        self._table.value = table_html(table, digits=2, index=False)

    def _draw_errors(self, ax: Axes) -> None:
        """Both errors by the number of frames, as they were last for each number."""
        table = self.to_frame()
        learned = table[table.stage != "test"].drop_duplicates("frames", keep="last")
        errors = {
            "energy (meV)": learned["energy_rmse_meV"],
            "force (meV/Å)": learned["force_rmse_meV/A"],
        }
        held_out_errors(learned.frames, errors, ax)

    def _draw_parity(self, axes: list[Axes]) -> None:
        last = self.milestones[-1]
        last.evaluation.plot(axes)
        where = "test set" if last.stage == "test" else f"held out, {self.frames} frames learned"
        for ax in axes:
            ax.set_title(f"{where}: {ax.get_title()}", fontsize=10)

    def __repr__(self) -> str:
        if not self.milestones:
            return "FitMonitor: no fit yet"
        last = self.milestones[-1]
        errors = last.evaluation.summary()
        return (
            f"FitMonitor: {last.stage}, {self.frames} frames, "
            f"energy {errors.get('energy_rmse_meV', float('nan')):.2f} meV, "
            f"force {errors['force_rmse_meV/A']:.2f} meV/Å (RMSE)"
        )
