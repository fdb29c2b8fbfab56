"""Why a molecule has its value: rows of its groups, Shapley values of its sites, swaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import norm

from interpmd.attribution.methods.indices import shapley
from interpmd.design.rows import Rows, dense, moebius_weights
from interpmd.design.scaffold import Design, Space
from interpmd.units import number_sign, unit_sign

#: A row is predicted where data take away at least this part of the variance that it had before.
DETERMINED = 0.5


@dataclass(frozen=True)
class DesignExplanation:
    """A molecule taken apart into its groups, "absent" being hydrogen.

    Attributes:
        space: the molecules.
        design: this one.
        unit: of all numbers.
        base, base_std: value of the bare scaffold.
        total, total_std: value of this molecule.
        row_sites: substituted sites of each row, as positions in `space.sites`.
        rows, rows_std: the rows, which add up to `total` - `base`.
        shapley_sites: the substituted sites.
        shapley, shapley_std: their Shapley values, which add up to the same.
        measured: whether all molecules that a row needs were evaluated.
        learned: how much of the variance that each row had before any data they took away, from 0
            to 1; below `DETERMINED` the row is hardly more than a guess.
    """

    space: Space
    design: Design
    unit: str
    base: float
    base_std: float
    total: float
    total_std: float
    row_sites: tuple[tuple[int, ...], ...]
    rows: Float[np.ndarray, " rows"]
    rows_std: Float[np.ndarray, " rows"]
    shapley_sites: tuple[int, ...]
    shapley: Float[np.ndarray, " sites"]
    shapley_std: Float[np.ndarray, " sites"]
    measured: tuple[bool, ...]
    learned: Float[np.ndarray, " rows"]

    @property
    def known(self) -> tuple[str, ...]:
        """Of each row "measured", "predicted", or "undetermined" where data hardly speak of it."""
        words = np.where(self.learned < DETERMINED, "undetermined", "predicted")
        return tuple(
            "measured" if m else str(word) for m, word in zip(self.measured, words, strict=True)
        )

    @property
    def residual(self) -> float:
        """What rows and base miss of the total: rounding."""
        return float(self.total - self.base - self.rows.sum())

    def to_frame(self) -> pd.DataFrame:
        """Rows: order, groups, value, error bar, and whether it is measured (every molecule in it
        was evaluated), predicted, or undetermined."""
        return pd.DataFrame(
            {
                "order": [len(sites) for sites in self.row_sites],
                "groups": [self._words(sites) for sites in self.row_sites],
                "value": self.rows,
                "std": self.rows_std,
                "known": self.known,
            }
        )

    def by_site(self) -> pd.DataFrame:
        """Shapley values of the groups at the sites, with error bars."""
        names = self.space.names(self.design)
        return pd.DataFrame(
            {
                "site": [self.space.sites[s] for s in self.shapley_sites],
                "group": [names[s] for s in self.shapley_sites],
                "value": self.shapley,
                "std": self.shapley_std,
            }
        )

    def _words(self, sites: Sequence[int]) -> str:
        names = self.space.names(self.design)
        return " + ".join(f"{names[s]} at {self.space.sites[s]}" for s in sites)

    def __repr__(self) -> str:
        unit = f" {unit_sign(self.unit)}" if self.unit else ""
        return (
            f"{self.space.key(self.design)}: {number_sign(self.total, '.3f')} "
            f"± {self.total_std:.3f}{unit}, the bare scaffold {number_sign(self.base, '.3f')}; "
            f"{len(self.rows)} rows, residual {self.residual:.0e}"
        )


def explain_design(
    space: Space, rows: Rows, evaluated: Mapping[Design, float], design: Design, unit: str
) -> DesignExplanation:
    """Rows and Shapley values of a molecule as the model of rows has them.

    Args:
        space: the molecules.
        rows: what is known of them.
        evaluated: values of the sound ones.
        design: which molecule.
        unit: of the objective.
    """
    molecules, signs = moebius_weights(design)
    sets = [sites for sites in signs if sites]
    weights = dense([signs[sites] for sites in sets], len(molecules))
    weighted = {sites: weights[k] for k, sites in enumerate(sets)}
    shares = shapley(weighted)
    sites = tuple(site for (site,) in sorted(shares))
    parts = [*weights, *(shares[(site,)] for site in sites)]
    parts += [np.eye(len(molecules))[0], np.eye(len(molecules))[-1]]
    means, covariance = rows.combined(molecules, np.array(parts))
    bars = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    n = len(sets)
    before = rows.before(molecules, weights)
    return DesignExplanation(
        space,
        design,
        unit,
        float(means[-2]),
        float(bars[-2]),
        float(means[-1]),
        float(bars[-1]),
        tuple(sets),
        means[:n],
        bars[:n],
        sites,
        means[n:-2],
        bars[n:-2],
        tuple(all(molecules[m] in evaluated for m in signs[s]) for s in sets),
        np.clip(1.0 - (bars[:n] / before) ** 2, 0.0, 1.0),
    )


def single_swaps(
    space: Space,
    rows: Rows,
    evaluated: Mapping[Design, float],
    design: Design,
    sign: float,
) -> pd.DataFrame:
    """Every molecule that differs at one site, by the gain that it promises.

    Returns:
        Columns site, from, to, gain (in the direction that is sought), std, chance (that the gain
        is above 0), evaluated; the largest gain first.
    """
    swaps = [
        (s, g)
        for s, groups in enumerate(space.groups)
        for g in range(len(groups))
        if g != design[s]
    ]
    others = [tuple(g if t == s else h for t, h in enumerate(design)) for s, g in swaps]
    weights = np.hstack([-np.ones((len(others), 1)), np.eye(len(others))])
    means, covariance = rows.combined([design, *others], weights)
    gains = sign * means
    bars = np.sqrt(np.maximum(np.diag(covariance), 1e-24))
    names = space.names(design)
    frame = pd.DataFrame(
        {
            "site": [space.sites[s] for s, _ in swaps],
            "from": [names[s] for s, _ in swaps],
            "to": [space.groups[s][g].name for s, g in swaps],
            "gain": gains,
            "std": bars,
            "chance": norm.cdf(gains / bars),
            "evaluated": [other in evaluated for other in others],
        }
    )
    return frame.sort_values("gain", ascending=False, ignore_index=True)


@dataclass(frozen=True)
class Step:
    """One group put on the way from the scaffold to a molecule.

    Attributes:
        design: the molecule after it.
        site: number of the site.
        group: name of the group.
        value, std: of the molecule.
        others: molecules that the same step could have made instead: design, site, group, value,
            std.
    """

    design: Design
    site: int
    group: str
    value: float
    std: float
    others: tuple[tuple[Design, int, str, float, float], ...]


def path_to(space: Space, rows: Rows, design: Design, sign: float) -> list[Step]:
    """From the bare scaffold to a molecule, each time by the group that gains most."""
    here, steps = (0,) * len(design), []
    while here != design:
        open_sites = [s for s, g in enumerate(design) if here[s] != g]
        options = [
            tuple(design[s] if t == s else g for t, g in enumerate(here)) for s in open_sites
        ]
        means, bars = rows.predict(options)
        order = np.argsort(-sign * means, kind="stable").tolist()
        told = [
            (
                options[k],
                space.sites[open_sites[k]],
                space.groups[open_sites[k]][design[open_sites[k]]].name,
                float(means[k]),
                float(bars[k]),
            )
            for k in order
        ]
        steps.append(Step(*told[0], tuple(told[1:])))
        here = told[0][0]
    return steps
