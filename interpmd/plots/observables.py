"""Pictures of what is measured along a trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from interpmd.errors import ArgumentError
from interpmd.plots.curves import hatch_where
from interpmd.plots.style import BLUE, ORANGE, bare, line_of, new_axes

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def barcode(
    values: Float[np.ndarray, "frames rows"],
    names: Sequence[str],
    times: Float[np.ndarray, " frames"],
    ax: Axes | None = None,
) -> Axes:
    """A line for each interaction, marked in the frames in which it is there (as ProLIF draws).

    Args:
        values: above 0 where it is there (blue), below where it acts against (orange, lower half).
        names: of the interactions.
        times: fs; numbers of the frames where these are whole.
        ax: where to draw.
    """
    ax = new_axes(ax, (8, 0.3 * len(names) + 1.2))
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    for row in range(len(names)):
        for sign, colour, low in ((1, BLUE, -0.4), (-1, ORANGE, 0.0)):
            there = np.flatnonzero(sign * values[:, row] > 0)
            height = 0.8 if not (values < 0).any() else 0.4
            spans = [(float(times[k]) - step / 2, step) for k in there]
            # one bar for frames that follow each other
            ax.broken_barh(_joined(spans), (row + low, height), color=colour, lw=0)
    ax.set_yticks(range(len(names)), list(names), fontsize=8)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(float(times[0]) - step / 2, float(times[-1]) + step / 2)
    whole = np.allclose(times, np.arange(len(times)))
    ax.set_xlabel("frame" if whole else "time (fs)")
    return bare(ax)


def explained_barcode(
    dataset: xr.Dataset, least: float | None = None, most: int = 15, ax: Axes | None = None
) -> Axes:
    """Interactions by frames: where each pushes along (blue) or against (orange) the target.

    Args:
        dataset: of `explain_trajectory`, of a number.
        least: size from which a row is marked, in the dataset's unit; a tenth of the largest if
            None.
        most: rows that are drawn.
        ax: where to draw.

    Raises:
        ArgumentError: the dataset explains vectors.
    """
    if "component" in dataset.dims:
        raise ArgumentError("vectors have no sign: give the force a direction with along=")
    values = dataset.value.values
    limit = 0.1 * float(np.abs(values).max()) if least is None else least
    marks = np.sign(values) * (np.abs(values) >= limit)
    rows = np.flatnonzero(marks.any(0))[:most]
    names = [str(name) for name in dataset.interaction.values[rows]]
    ax = barcode(marks[:, rows], names, dataset.time_fs.values, ax=ax)
    unit = dataset.attrs.get("unit", "").replace("/A", "/Å")
    ax.set_title(
        f"{dataset.attrs.get('target', '')}: blue along, orange against, from {limit:.2g} {unit}",
        fontsize=9,
    )
    return ax


def profile(
    places: Float[np.ndarray, " bins"],
    energies: Float[np.ndarray, " bins"],
    stds: Float[np.ndarray, " bins"],
    x: str = "",
    y: str = "free energy (eV)",
    ax: Axes | None = None,
) -> Axes:
    """A curve with whiskers of one standard deviation; hatched where nothing is known.

    Args:
        places, energies, stds: of the bins; NaN where nothing is known.
        x, y: names of the axes.
        ax: where to draw.
    """
    ax = new_axes(ax, (6.4, 3.8))
    if (unseen := ~np.isfinite(energies)).any():
        hatch_where(ax, places, unseen, "not visited")
    spread = np.where(np.isfinite(stds), stds, 0.0)
    ax.errorbar(places, energies, spread, fmt="o-", color=BLUE, ms=3.5, capsize=2, label="± 1 std")
    ax.set(xlabel=x, ylabel=y)
    ax.legend(frameon=False, fontsize=8)
    return bare(ax)


def spectrum_line(
    wave_numbers: Float[np.ndarray, " points"],
    density: Float[np.ndarray, " points"],
    stds: Float[np.ndarray, " points"],
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A density over wave numbers, with a band of one standard error.

    Args:
        wave_numbers: 1/cm.
        density, stds: cm.
        title: above the picture.
        ax: where to draw.
    """
    ax = new_axes(ax, (8, 3.2))
    if np.isfinite(stds).any():
        low = np.maximum(density - stds, 0.0)
        ax.fill_between(wave_numbers, low, density + stds, color=BLUE, alpha=0.25, lw=0)
    ax.plot(wave_numbers, density, color=BLUE, lw=1.3)
    ax.set(xlabel="wave number (cm⁻¹)", ylabel="part of the motion (cm)")
    ax.set_title(title, fontsize=10)
    ax.margins(x=0)
    ax.set_ylim(bottom=0)
    return bare(ax)


def radial_lines(
    distances: Float[np.ndarray, " bins"],
    values: Mapping[str, Float[np.ndarray, " bins"]],
    stds: Mapping[str, Float[np.ndarray, " bins"]],
    ax: Axes | None = None,
) -> Axes:
    """Radial distribution functions, told apart by colour and line style, with error bands.

    Args:
        distances: Å.
        values, stds: by pair of elements.
        ax: where to draw.
    """
    ax = new_axes(ax, (6.4, 3.8))
    tallest = 0.0
    for number, (pair, g) in enumerate(values.items()):
        colour, style = line_of(number)
        ax.plot(distances, g, color=colour, ls=style, lw=1.7, label=pair.replace("-", "–"))
        if np.isfinite(stds[pair]).any():
            ax.fill_between(
                distances, g - stds[pair], g + stds[pair], color=colour, alpha=0.25, lw=0
            )
        between = g[distances > 1.3]  # peaks of bonds are far taller than all else
        tallest = max(tallest, float(between.max(initial=0.0)))
    ax.axhline(1, color="black", lw=0.6, ls=":")
    ax.set_ylim(0, 1.15 * max(tallest, 1.0))
    ax.set(xlabel="distance (Å)", ylabel="g(r)")
    ax.legend(frameon=False)
    return bare(ax)


def _joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans (start, width), those that touch made one."""
    joined: list[tuple[float, float]] = []
    for start, width in spans:
        if joined and abs(sum(joined[-1]) - start) < 1e-6 * width + 1e-9:
            joined[-1] = (joined[-1][0], joined[-1][1] + width)
        else:
            joined.append((start, width))
    return joined
