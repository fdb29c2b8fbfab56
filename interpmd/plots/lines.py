"""Pictures against time, and of curves that rankings make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from interpmd.errors import ArgumentError
from interpmd.plots.budgets import others
from interpmd.plots.style import BLUE, GREY, ORANGE, bare, line_of, new_axes
from interpmd.units import unit_sign

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def time_lines(
    times: np.ndarray,
    series: Mapping[str, np.ndarray],
    unit: str = "eV/Å",
    event: float | None = None,
    ax: Axes | None = None,
    event_label: str = "proton in the middle",
) -> Axes:
    """Contributions against time, told apart by colour and line style.

    Args:
        times: fs; whole numbers are frames.
        series: values by name, each of the length of `times`; one called "sum" is drawn thick.
        unit: of the values.
        event: time to mark, with `event_label`.
        ax: where to draw.
        event_label: words beside it.
    """
    from matplotlib.ticker import MaxNLocator

    ax = new_axes(ax, (8, 3.6))
    for number, (name, values) in enumerate(series.items()):
        colour, line = line_of(number)
        if name == "sum":
            ax.plot(times, values, color="black", lw=2.4, label="sum", zorder=5)
        else:
            ax.plot(times, values, color=colour, ls=line, lw=1.6, label=name)
    if event is not None:
        ax.axvline(event, color=GREY, lw=1, ls=":")
        ax.text(event, ax.get_ylim()[1], f" {event_label}", va="top", color="#444444")
    ax.axhline(0, color="black", lw=0.6)
    ax.set(xlabel="time (fs)", ylabel=unit_sign(unit))
    if np.issubdtype(np.asarray(times).dtype, np.integer):
        ax.set_xlabel("frame")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return bare(ax)


def explained_lines(dataset: xr.Dataset, most: int = 5, ax: Axes | None = None) -> Axes:
    """The largest contributions of `im.explain_trajectory` against time, and their sum.

    Args:
        dataset: of a number; of a vector take `.isel(component=0)`.
        most: number of lines; the other contributions share one more.
        ax: where to draw.

    Raises:
        ValueError: the dataset explains vectors.
    """
    if "component" in dataset.dims:
        raise ArgumentError(
            "vectors have no single line each: take dataset.isel(component=0), or give the force "
            "a direction with along="
        )
    size = np.abs(dataset.value).mean("frame")
    series = _strongest(dataset.value, size, most) | {"sum": dataset.total.values}
    label = f"{dataset.attrs['target']} ({dataset.attrs['unit']})"
    return time_lines(dataset.time_fs.values, series, unit=label, ax=ax)


def work_ledger(dataset: xr.Dataset, most: int = 6, ax: Axes | None = None) -> Axes:
    """Work of the largest interactions since the first frame, their sum, and the kinetic energy.

    Where the ledger closes, the circles of the kinetic energy lie on the line of the sum.

    Args:
        dataset: from `im.ledger`.
        most: number of interactions with a line; the others share one more.
        ax: where to draw.
    """
    ax = new_axes(ax, (8.5, 4))
    times = dataset.time_fs.values
    series = _strongest(dataset.work, np.abs(dataset.work).max("frame"), most)
    series["sum"] = dataset.total_work.values
    time_lines(times, series, unit="eV", ax=ax)
    gained = dataset.kinetic_energy.values - dataset.kinetic_energy.values[0]
    ax.plot(
        times,
        gained,
        "o",
        ms=5,
        mfc="none",
        color="black",
        zorder=6,
        markevery=max(1, len(times) // 20),
        label="kinetic energy gained",
    )
    whom = dataset.attrs["target"].replace("power on ", "")
    ax.set(ylabel=f"work on {whom} (eV)")
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def energy_and_temperature(
    times: Float[np.ndarray, " frames"],
    energies: Float[np.ndarray, " frames"],
    temperatures: Float[np.ndarray, " frames"],
    wanted: float,
    ax: Axes | None = None,
) -> Axes:
    """Potential energy and temperature against time, each with an axis of its own.

    Args:
        times: fs.
        energies: eV; drawn from the first on.
        temperatures: K.
        wanted: temperature of the thermostat in K, as a dotted line.
        ax: where to draw.
    """
    ax = new_axes(ax, (5.4, 3.8))
    ax.plot(times, energies - energies[0], color=BLUE)
    ax.set_xlabel("time (fs)")
    ax.set_ylabel("potential energy (eV), solid", color=BLUE)
    other = ax.twinx()
    other.plot(times, temperatures, color=ORANGE, ls="--")
    other.axhline(wanted, color=GREY, lw=0.8, ls=":")
    other.set_ylabel("temperature (K), dashed", color=ORANGE)
    return ax


def rankings(
    fractions: np.ndarray,
    panels: Mapping[str, Mapping[str, np.ndarray]],
    x: str = "",
    y: str = "",
) -> Figure:
    """Curves of several rankings, in panels side by side, told apart by colour and line style.

    Args:
        fractions: where the curves are known, from 0 to 1.
        panels: by title, curves by the name of their ranking.
        x, y: names of the axes.
    """
    import matplotlib.pyplot as plt

    size = (4 * len(panels), 3.2)
    figure, axes = plt.subplots(
        1, len(panels), figsize=size, sharey=True, layout="constrained", squeeze=False
    )
    for ax, (title, curves) in zip(axes[0], panels.items(), strict=True):
        for number, (name, values) in enumerate(curves.items()):
            colour, line = line_of(number)
            ax.plot(fractions, values, color=colour, ls=line, label=name)
        ax.set(xlabel=x, title=title)
        bare(ax)
    axes[0, 0].set_ylabel(y, fontsize=8)
    axes[0, 0].legend(frameon=False)
    return figure


def _strongest(values: xr.DataArray, size: xr.DataArray, most: int) -> dict[str, np.ndarray]:
    """Lines of the largest rows, and one for all others together."""
    ranked = np.argsort(-size.values, kind="stable")
    names = values.interaction.values
    series = {str(names[row]): values.values[:, row] for row in ranked[:most]}
    rest = [row for row in ranked[most:] if size.values[row] > 0]
    if len(rest):
        series[others(len(rest))] = values.values[:, rest].sum(1)
    return series
