"""What an exploration found: molecules in order, why, what to change next, what not to believe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from interpmd import arguments
from interpmd.design.descriptors import descriptors
from interpmd.design.evaluate import Evaluated
from interpmd.design.explained import (
    DesignExplanation,
    Step,
    explain_design,
    path_to,
    single_swaps,
)
from interpmd.design.rows import Rows, fit_rows
from interpmd.design.scaffold import Design, Space
from interpmd.errors import DesignError
from interpmd.plots.design import Branch, choice_tree, group_table
from interpmd.units import DISPLAY, number_sign, unit_sign

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Error bars by which a value may miss what all other molecules say of it before it is suspect.
UNLIKE = 3.5

#: A molecule: its design, or the names of its groups ("CN|H|NH2").
Molecule = Design | str | Sequence[str]


def factor_of(own: str, unit: str | None) -> float:
    """What values in their own unit are multiplied with for another one; 1 for none.

    Raises:
        ArgumentError: it is no energy, or there is no such unit.
    """
    if unit is None or unit == own:
        return 1.0
    known = DISPLAY if own == "eV" else {own: 1.0}
    arguments.one_of(known, unit=unit)
    return known[unit]


@dataclass(frozen=True)
class Exploration:
    """Evaluated molecules of a space, and the model of rows that they support.

    Attributes:
        space: all molecules.
        evaluated: those that were computed, in that order.
        objective: its name.
        unit: of values, energies in eV unless shown otherwise.
        model: the level of theory or potential.
        maximize: whether the largest value is sought.
        order: most groups of a row.
    """

    space: Space
    evaluated: tuple[Evaluated, ...]
    objective: str
    unit: str
    model: str
    maximize: bool = True
    order: int = 2

    @property
    def sign(self) -> float:
        """1 if the largest value is sought, else -1."""
        return 1.0 if self.maximize else -1.0

    @cached_property
    def sound(self) -> dict[Design, float]:
        """Values of the molecules that are what was meant, by every choice of groups that makes
        them."""
        return {
            design: float(one.value)
            for one in self.evaluated
            if one.value is not None and one.sound
            for design in self.space.twins.get(one.design, (one.design,))
        }

    @cached_property
    def _left_out(self) -> dict[Design, tuple[float, float]]:
        """What all other molecules say of each sound one: mean and error bar."""
        rows = self.rows
        firsts = [one.design for one in self.evaluated if one.sound]
        if self.space.twins:  # a molecule is no witness for itself
            values = np.array([self.sound[design] for design in firsts])
            rows = rows.of_data(np.array(firsts, dtype=int), values)
        means, bars = rows.left_out()
        return dict(zip(firsts, zip(means.tolist(), bars.tolist(), strict=True), strict=True))

    @cached_property
    def rows(self) -> Rows:
        """The model of rows.

        Raises:
            DesignError: no molecule is sound.
        """
        if not self.sound:
            reasons = "; ".join(sorted({one.reason or "" for one in self.evaluated})[:3])
            raise DesignError(f"none of {len(self.evaluated)} molecules has a value: {reasons}")
        return fit_rows(
            list(self.sound),
            list(self.sound.values()),
            [descriptors(groups) for groups in self.space.groups],
            min(self.order, len(self.space.sites)),
        )

    @property
    def winner(self) -> Design:
        """The best sound molecule that raises no doubt; of those with doubts if all do."""
        if not self.ranked:
            self.rows  # raises with the reasons  # noqa: B018
        return self.ranked[0]

    @cached_property
    def ranked(self) -> tuple[Design, ...]:
        """Sound molecules that raise no doubt, the best first; those with doubts if all do."""
        sound = [one for one in self.evaluated if one.sound]
        good = [one for one in sound if not one.doubts] or sound
        good.sort(key=lambda one: -self.sign * float(one.value or 0.0))
        return tuple(one.design for one in good)

    def design(self, molecule: Molecule | None) -> Design:
        """The molecule that is meant; the winner if None.

        Raises:
            DesignError: there is none with such groups.
        """
        if molecule is None:
            return self.winner
        return self.space.design(molecule)

    def table(self, unit: str | None = None) -> pd.DataFrame:
        """All evaluated molecules, the best first, those without a value last.

        Args:
            unit: "kcal/mol", "kJ/mol", "meV" for energies; that of the objective if None.

        Returns:
            Columns of the sites (names of groups), value, predicted and std (by all others),
            suspect (why not to believe it, empty if nothing is wrong), smiles.
        """
        factor, rows = self.factor(unit), []
        columns = [_column(site) for site in self.space.sites]
        for one in self.evaluated:
            mean, bar = self._left_out.get(one.design, (np.nan, np.nan))
            names = dict(zip(columns, self.space.names(one.design), strict=True))
            value = np.nan if one.value is None else factor * one.value
            rows.append(
                {
                    **names,
                    "value": value,
                    "predicted": factor * mean,
                    "std": factor * bar,
                    "suspect": "; ".join(self._suspicions(one, mean, bar)),
                    "smiles": one.smiles,
                }
            )
        frame = pd.DataFrame(rows)
        frame["_order"] = [
            (not one.sound, one.value is None, -self.sign * (one.value or 0.0))
            for one in self.evaluated
        ]
        return frame.sort_values("_order", ignore_index=True, kind="stable").drop(columns="_order")

    def best(self, count: int = 10, unit: str | None = None) -> pd.DataFrame:
        """The best molecules that are sound."""
        arguments.count(count=count)
        return self.table(unit).head(min(count, len(self.sound)))

    def suspects(self, unit: str | None = None) -> pd.DataFrame:
        """Molecules whose values should not be believed, and why."""
        frame = self.table(unit)
        return frame.loc[(frame["suspect"] != "").to_numpy()].reset_index(drop=True)

    def _suspicions(self, one: Evaluated, mean: float, bar: float) -> list[str]:
        found = [one.reason] if one.reason else []
        found += one.doubts
        if one.sound and one.value is not None and np.isfinite(mean):
            away = (one.value - mean) / bar
            if abs(away) > UNLIKE:
                found.append(f"unlike its parts: {number_sign(away, '+.1f')} error bars from them")
        return found

    def proposals(self, count: int = 10, unit: str | None = None) -> pd.DataFrame:
        """Molecules that were not evaluated, the most promising first.

        Returns:
            Columns of the sites, predicted, std, chance (to beat the winner), smiles.
        """
        arguments.count(count=count)
        known = {self.space.first_of(one.design) for one in self.evaluated}
        rest = [d for d in self.space.designs() if self.space.first_of(d) == d and d not in known]
        factor = self.factor(unit)
        if not rest:
            return pd.DataFrame()
        means, bars = self.rows.predict(rest)
        top = self.sign * self.sound[self.winner]
        chance = norm.cdf((self.sign * means - top) / np.maximum(bars, 1e-12))
        order = np.argsort(-self.sign * means, kind="stable")[:count]
        columns = [_column(site) for site in self.space.sites]
        return pd.DataFrame(
            [
                {
                    **dict(zip(columns, self.space.names(rest[k]), strict=True)),
                    "predicted": factor * means[k],
                    "std": factor * bars[k],
                    "chance": chance[k],
                    "smiles": self.space.smiles(rest[k]),
                }
                for k in order
            ]
        )

    def explain(self, molecule: Molecule | None = None) -> DesignExplanation:
        """Rows and Shapley values of a molecule with error bars; of the winner if None.

        Raises:
            DesignError: there is no such molecule.
        """
        return explain_design(self.space, self.rows, self.sound, self.design(molecule), self.unit)

    def next_swaps(
        self, molecule: Molecule | None = None, count: int = 10, unit: str | None = None
    ) -> pd.DataFrame:
        """Which single group to change next, and how sure the gain is; see `single_swaps`."""
        arguments.count(count=count)
        frame = single_swaps(
            self.space, self.rows, self.sound, self.design(molecule), self.sign
        ).head(count)
        frame[["gain", "std"]] *= self.factor(unit)
        return frame

    def path(self, molecule: Molecule | None = None) -> list[Step]:
        """From the bare scaffold to a molecule, group by group."""
        return path_to(self.space, self.rows, self.design(molecule), self.sign)

    def single_rows(self, unit: str | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
        """What each group does alone at each site (the additive table), and its error bars.

        Returns:
            Two tables, groups by sites; not a number where a group is not tried.
        """
        names = list(dict.fromkeys(g.name for groups in self.space.groups for g in groups[1:]))
        bare = (0,) * len(self.space.sites)
        pairs = [
            (names.index(group.name), s, tuple(g if t == s else 0 for t in range(len(bare))))
            for s, groups in enumerate(self.space.groups)
            for g, group in enumerate(groups)
            if g
        ]
        weights = np.hstack([-np.ones((len(pairs), 1)), np.eye(len(pairs))])
        means, covariance = self.rows.combined([bare, *(d for *_, d in pairs)], weights)
        bars = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        values = np.full((2, len(names), len(bare)), np.nan)
        for (row, column, _), mean, bar in zip(pairs, means, bars, strict=True):
            values[:, row, column] = mean, bar
        columns = [_column(site) for site in self.space.sites]
        factor = self.factor(unit)
        one, other = (pd.DataFrame(factor * v, index=names, columns=columns) for v in values)
        return one, other

    def plot(self, unit: str | None = None, ax: Axes | None = None) -> Axes:
        """What each group does alone at each site, as a heat map with error bars."""
        values, errors = self.single_rows(unit)
        title = f"{self.objective}: one group instead of H"
        return group_table(values, errors, unit or self.unit, title, ax)

    def plot_path(
        self, molecule: Molecule | None = None, unit: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """The way from the bare scaffold to a molecule, as a tree of the choices on it."""
        design, factor = self.design(molecule), self.factor(unit)
        mean, bar = self.rows.predict([(0,) * len(design)])
        start = Branch("all H", factor * float(mean[0]), factor * float(bar[0]), True)
        steps = [
            [
                Branch(f"{group} at {site}", factor * value, factor * std, k == 0)
                for k, (_, site, group, value, std) in enumerate(
                    [(s.design, s.site, s.group, s.value, s.std), *s.others]
                )
            ]
            for s in self.path(design)
        ]
        title = f"to {self.space.key(design)}"
        return choice_tree(start, steps, unit or self.unit, self.objective, title, ax)

    def factor(self, unit: str | None) -> float:
        """What values are multiplied with for a unit.

        Raises:
            ArgumentError: the objective is no energy, or there is no such unit.
        """
        return factor_of(self.unit, unit)

    def __repr__(self) -> str:
        count, failed = len(self.evaluated), sum(not one.sound for one in self.evaluated)
        what = f"{count} of {len(self.space)} molecules evaluated"
        if failed:
            what += f", {failed} of them not sound"
        if not self.sound:
            return f"Exploration of {self.objective}: {what}"
        best = self.winner
        value = f"{number_sign(self.sound[best], '.3f')} {unit_sign(self.unit)}".strip()
        return f"Exploration of {self.objective}: {what}; best {self.space.key(best)} with {value}"


def _column(site: int) -> str:
    return f"site {site}"
