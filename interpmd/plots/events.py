"""Pictures of events: passages over a barrier, works around the crossing, flows of energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from interpmd.plots.molecule import draw_molecule, plane_of
from interpmd.plots.style import BLUE, GREY, ORANGE, SERIES, YELLOW, bare, line_of, new_axes

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.axes import Axes


def passages(
    curves: Sequence[tuple[np.ndarray, np.ndarray, bool]],
    states: tuple[float, float, float],
    name: str,
    most: int = 100,
    ax: Axes | None = None,
) -> Axes:
    """A coordinate against time, one line for each event.

    Args:
        curves: times in fs (0 at the crossing), values, and whether it goes to the second state.
        states: where the first state ends, the middle, and where the second state begins.
        name: of the coordinate, with its unit.
        most: lines that are drawn, the first ones; the legend counts all.
        ax: where to draw.
    """
    ax = new_axes(ax, (7, 3.6))
    drawn = curves[:most]
    faint = max(0.15, min(0.9, 10 / max(1, len(drawn))))
    for times, values, forward in drawn:
        ax.plot(
            times,
            values,
            color=BLUE if forward else ORANGE,
            ls="-" if forward else "--",
            lw=0.8,
            alpha=faint,
        )
    low, middle, high = states
    ax.axhline(middle, color="black", lw=0.6)
    for edge in (low, high):
        ax.axhline(edge, color=GREY, lw=0.8, ls=":")
    ax.axvline(0, color=GREY, lw=0.8, ls=":")
    ax.set(xlabel="time from the crossing (fs)", ylabel=name)
    for forward, words in ((True, "forward"), (False, "backward")):
        if count := sum(one == forward for _, _, one in curves):
            style = {"color": BLUE if forward else ORANGE, "ls": "-" if forward else "--"}
            shown = sum(one == forward for _, _, one in drawn)
            some = f" ({shown} of them drawn)" if shown < count else ""
            ax.plot([], [], label=f"{count} {words}{some}", **style)
    ax.legend(frameon=False, fontsize=8)
    return bare(ax)


def energies_around(
    times: np.ndarray,
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    foot: float,
    label: str,
    ax: Axes | None = None,
) -> Axes:
    """Mean energies around the crossing, with bands of two standard errors to either side.

    Args:
        times: fs, 0 at the crossing.
        curves: mean and standard error by name; one called "sum" is drawn thick.
        foot: time in fs from which the rise is counted.
        label: of the energies.
        ax: where to draw.
    """
    ax = new_axes(ax, (8.5, 4))
    for number, (name, (mean, error)) in enumerate(curves.items()):
        colour, line = line_of(number)
        thick = name == "sum"
        style = {"color": "black", "lw": 2.2} if thick else {"color": colour, "ls": line, "lw": 1.6}
        ax.plot(times, mean, label=name, zorder=5 if thick else 3, **style)
        ax.fill_between(
            times, mean - 2 * error, mean + 2 * error, color=style["color"], alpha=0.18, lw=0
        )
    ax.axhline(0, color="black", lw=0.6)
    ax.axvline(0, color=GREY, lw=1, ls=":")
    ax.axvspan(foot, 0, color=YELLOW, alpha=0.12, lw=0)
    ax.set(xlabel="time from the crossing (fs); shaded: the rise", ylabel=label)
    ax.legend(
        frameon=False,
        fontsize=8,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        title="bands: ± 2 standard errors",
        title_fontsize=8,
    )
    return bare(ax)


def flows(
    atoms: Atoms,
    centres: np.ndarray,
    names: Sequence[str],
    arrows: Sequence[tuple[int, int, float, float]],
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Flows of energy between groups, as arrows on the molecule, thicker where more flows.

    Args:
        atoms: the molecule.
        centres: of the groups in Å, shape (groups, 3).
        names: of the groups.
        arrows: giver, taker, energy and its standard error in eV.
        title: above the picture.
        ax: where to draw.
    """
    ax = new_axes(ax, (7, 5))
    plane = plane_of(atoms)
    draw_molecule(atoms, (), ax=ax, plane=plane, title=title)
    flat = ((centres - atoms.positions.mean(0)) @ plane.T)[:, :2]
    largest = max((energy for _, _, energy, _ in arrows), default=1.0)
    for number, (giver, taker, energy, error) in enumerate(arrows):
        start, end = flat[giver], flat[taker]
        ax.annotate(
            "",
            end,
            start,
            arrowprops={
                "arrowstyle": "-|>",
                "lw": 1 + 4 * energy / largest,
                "color": BLUE,
                "alpha": 0.85,
                "connectionstyle": "arc3,rad=0.25",
                "shrinkA": 10,
                "shrinkB": 10,
            },
            zorder=6,
        )
        across = np.array([end[1] - start[1], start[0] - end[0]])
        place = 0.5 * (start + end) + 0.15 * across
        ax.text(
            *place,
            f"{1000 * energy:.0f} ± {1000 * error:.0f}",
            fontsize=8,
            ha="center",
            va="center",
            color=BLUE,
            zorder=9 + number,
            bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.8},
        )
    listed = [
        f"{names[giver]} → {names[taker]}: {1000 * energy:.0f} ± {1000 * error:.0f} meV"
        for giver, taker, energy, error in arrows
    ]
    ax.text(
        1.0,
        0.5,
        "\n".join(listed),
        transform=ax.transAxes,
        fontsize=8,
        va="center",
        ha="left",
    )
    return ax


def two_ledgers(
    names: Sequence[str],
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    who: tuple[str, str],
    ax: Axes | None = None,
) -> Axes:
    """Rises of interactions by two models, side by side, with standard errors.

    Args:
        names: of the interactions.
        first, second: means and standard errors in eV.
        who: names of the models.
        ax: where to draw.
    """
    ax = new_axes(ax, (7.5, 0.5 * len(names) + 1.4))
    rows = np.arange(len(names))
    for number, ((mean, error), name) in enumerate(zip((first, second), who, strict=True)):
        colour, hatch, _ = SERIES[number]
        ax.barh(
            rows + 0.4 * (number - 0.5),
            1000 * mean,
            0.38,
            xerr=1000 * error,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            label=name,
            error_kw={"lw": 1},
        )
    ax.axvline(0, color="black", lw=0.6)
    ax.set_yticks(rows, names)
    ax.invert_yaxis()
    ax.set(xlabel="energy taken up on the way to the crossing (meV), ± 1 standard error")
    ax.legend(frameon=False, fontsize=8)
    return bare(ax)
