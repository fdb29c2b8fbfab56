"""The result of every explanation: values keyed by clusters of atoms, which add up."""

from __future__ import annotations

import html
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase import Atoms

from interpmd.attribution.arithmetic import combined, with_sums
from interpmd.attribution.certificate import TOLERANCE, Certificate, Check
from interpmd.attribution.clusters import Clusters
from interpmd.attribution.fragments import Fragments
from interpmd.attribution.groupings import GroupingError, pair_matrix, spreads, sums
from interpmd.attribution.kinds import KINDS, describe, name_fragments
from interpmd.attribution.targets import Target
from interpmd.decomposition.decomposition import standard_deviation

if TYPE_CHECKING:
    import shap
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Explanation:
    """What each cluster of atoms contributes to a target.

    Attributes:
        atoms: the structure that was explained.
        target: what is explained.
        clusters: the atoms that each value belongs to.
        values: in `unit`, shape (clusters,), or (clusters, 3) for a vector.
        predicted: what the values should sum to: the target of the model, a number or shape (3,).
        method, context: how it was made.
        statement: what is guaranteed, what is an estimate, what is convention.
        complete: whether the method claims that the values sum to the target.
        exact: whether the values are those of their definition, not estimates.
        fragments: the players, where they are not single atoms.
        samples: deviations of the values under joint samples of the posterior, where it is known,
            shape (clusters, samples) or (clusters, 3, samples); sums of values keep their errors.
        checks: what the method itself found out, by name ("momentum", "torque", ...).
        provenance: of the model.
        evaluations: structures, parts of structures and sets of gates that the model evaluated;
            the making of a table is not counted.
    """

    atoms: Atoms
    target: Target
    clusters: Clusters
    values: np.ndarray
    predicted: np.ndarray
    method: str = "mobius"
    context: str = "vacuum"
    statement: str = ""
    complete: bool = True
    exact: bool = True
    fragments: Fragments | None = None
    samples: np.ndarray | None = None
    checks: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    evaluations: int = 0

    #: so that numbers of numpy leave multiplication to `__rmul__`
    __array_ufunc__ = None

    def __len__(self) -> int:
        return len(self.clusters)

    @property
    def unit(self) -> str:
        """eV or eV/A."""
        return self.target.unit

    @property
    def total(self) -> float | np.ndarray:
        """Sum of all values."""
        total = self.values.sum(axis=0)
        return float(total) if np.ndim(total) == 0 else total

    @property
    def residual(self) -> float:
        """Completeness error: largest difference between `total` and `predicted`."""
        return float(np.abs(self.total - self.predicted).max())

    @property
    def stds(self) -> np.ndarray | None:
        """Standard deviation of each value under the posterior, where it is known."""
        return None if self.samples is None else standard_deviation(self.samples)

    @property
    def total_std(self) -> float | np.ndarray | None:
        """Standard deviation of `total`, covariances of the values included."""
        if self.samples is None:
            return None
        found = standard_deviation(self.samples.sum(axis=0))
        return float(found) if np.ndim(found) == 0 else found

    @property
    def orders(self) -> np.ndarray:
        """Number of players of each value; 0 for remainders."""
        return self.clusters.order

    @cached_property
    def _described(self) -> tuple[list[str], list[str]]:
        if self.fragments is not None:
            return name_fragments(self.atoms, self.clusters, self.fragments)
        labels, kinds, _ = describe(self.atoms, self.clusters)
        return labels, kinds

    @property
    def labels(self) -> list[str]:
        """Chemical name of every cluster."""
        return self._described[0]

    @property
    def kinds(self) -> list[str]:
        """Kind of every cluster, one of `kinds.KINDS`."""
        return self._described[1]

    def __getitem__(self, key: Any) -> Any:
        """Value of a tuple of atoms (summed over terms and images), or some of the clusters.

        A tuple of atoms gives a number (or vector), 0 if no value belongs to exactly these
        atoms; an index, slice or mask gives an explanation with only those clusters.

        Raises:
            GroupingError: a tuple with an atom that the structure lacks.
        """
        if isinstance(key, tuple):
            if lacking := [a for a in key if a not in range(len(self.atoms))]:
                raise GroupingError(
                    f"there is no atom {lacking[0]!r}: atoms are 0 to {len(self.atoms) - 1}"
                )
            wanted = tuple(sorted(key))
            mine = [tuple(sorted(t)) == wanted for t in self.members]
            return self.values[np.array(mine, dtype=bool) & ~self.clusters.remainder].sum(axis=0)
        chosen = np.atleast_1d(np.arange(len(self))[key])
        values = self.values[chosen]
        return replace(
            self,
            clusters=self.clusters.take(chosen),
            values=values,
            predicted=values.sum(axis=0),
            samples=None if self.samples is None else self.samples[chosen],
            complete=False,
        )

    @cached_property
    def members(self) -> list[tuple[int, ...]]:
        """Atoms of every cluster."""
        return self.clusters.tuples()

    def only(
        self,
        order: int | None = None,
        kind: str | None = None,
        term: str | None = None,
        atom: int | None = None,
    ) -> Explanation:
        """The clusters of one order, kind or term, or with one atom in them.

        Raises:
            GroupingError: no such kind or term.
        """
        for what, name, known in (("kind", kind, KINDS), ("term", term, self.clusters.terms)):
            if name is not None and name not in known:
                raise GroupingError(f"no {what} is called {name!r}; known: {', '.join(known)}")
        keep = np.ones(len(self), dtype=bool)
        if order is not None:
            keep &= self.orders == order
        if kind is not None:
            keep &= np.array([k == kind for k in self.kinds], dtype=bool)
        if term is not None:
            keep &= np.array([self.clusters.terms[t] == term for t in self.clusters.term])
        if atom is not None:
            keep &= np.array([atom in t for t in self.members], dtype=bool)
        return self[keep]

    @property
    def interactions(self) -> Explanation:
        """The same without single players, whose own energies would drown what they do together:
        hundreds of electronvolts where interactions are tenths."""
        return self[self.orders != 1]

    def merged(self) -> Explanation:
        """One value for each cluster, terms added up."""
        keys = [("all", *key[1:]) for key in self.clusters.identities()]
        return with_sums(self, keys, self.values, self.samples)

    def __sub__(self, other: Explanation) -> Explanation:
        """Difference, cluster by cluster; of two structures, methods, contexts or potentials."""
        return combined(self, other, -1.0, "-")

    def __add__(self, other: Explanation) -> Explanation:
        """Sum, cluster by cluster."""
        return combined(self, other, 1.0, "+")

    def __mul__(self, factor: float) -> Explanation:
        """Values times a number."""
        samples = None if self.samples is None else factor * self.samples
        return replace(
            self, values=self.values * factor, predicted=self.predicted * factor, samples=samples
        )

    __rmul__ = __mul__

    def __truediv__(self, number: float) -> Explanation:
        """Values divided by a number."""
        return self * (1 / number)

    def __neg__(self) -> Explanation:
        """Values with the other sign."""
        return self * -1.0

    def to_frame(self) -> pd.DataFrame:
        """One line per cluster that contributes, the largest first."""
        clusters = self.clusters
        frame = pd.DataFrame(
            {
                "label": self.labels,
                "kind": self.kinds,
                "term": [clusters.terms[t] for t in clusters.term],
                "order": clusters.order,
                "atoms": pd.Series(self.members, dtype=object),
                "remainder": clusters.remainder,
            }
        )
        if self.atoms.pbc.any():
            frame["shifts"] = pd.Series([key[3] for key in clusters.identities()], dtype=object)
        column = f"value_{self.unit}"
        if self.values.ndim == 1:
            frame[column] = self.values
            size = np.abs(self.values)
        else:
            for axis, name in enumerate("xyz"):
                frame[f"{column}_{name}"] = self.values[:, axis]
            size = np.linalg.norm(self.values, axis=1)
        if (stds := self.stds) is not None:
            if stds.ndim == 1:
                frame[f"std_{self.unit}"] = stds
            else:
                for axis, name in enumerate("xyz"):
                    frame[f"std_{self.unit}_{name}"] = stds[:, axis]
        order = np.argsort(-size, kind="stable")
        return frame.iloc[order[size[order] > 0]].reset_index(drop=True)

    def by(
        self, what: str, fragments: Fragments | None = None, std: bool = False
    ) -> pd.Series | pd.DataFrame:
        """Sums over "order", "term", "kind", "pair", "atom" or "fragment".

        A value goes in equal parts to its pairs or atoms.

        Args:
            what: the grouping.
            fragments: for "fragment"; the players, or the molecules, if None.
            std: whether to add columns with standard deviations under the posterior (covariances
                included; NaN where there is none).

        Raises:
            GroupingError: another word.
        """
        return sums(self, what, fragments, std)

    def certificate(self, model: Any = None) -> Certificate:
        """The axioms, checked on this explanation, and what its model is certified for.

        Args:
            model: what was explained; with it at hand also faithfulness is checked (deletion and
                insertion curves, infidelity), at the cost of some hundred evaluations, and how far
                the structure and its fragments by themselves are from the training data.

        Raises:
            MethodError: faithfulness needs captum, or somebody who can be taken away; or another
                model was explained.
        """
        limit = TOLERANCE if self.complete else None
        words = "" if self.complete else f"{self.method} does not claim that its values add up"
        checks = [Check("axioms", "completeness", self.residual, limit, self.unit, words)]
        for name, unit in (("momentum", "eV/A"), ("torque", "eV")):
            if name in self.checks:
                checks.append(Check("axioms", name, self.checks[name], TOLERANCE, unit))
        checks += [
            Check("faithfulness", name, value)
            for name, value in self.checks.items()
            if name not in ("momentum", "torque")
        ]
        if model is not None:
            from interpmd.attribution.extrapolation import extrapolation_checks
            from interpmd.attribution.faithfulness import faithfulness
            from interpmd.attribution.infidelity import infidelity
            from interpmd.attribution.removal import check_same

            check_same(model, self)
            checks += [*faithfulness(model, self).checks(), *infidelity(model, self)]
            checks += extrapolation_checks(model, self)
        checks += self._determined()
        made = Certificate.from_json(self.provenance.get("certificate", ()))
        return Certificate((*checks, *made.checks), self.statement, self.exact)

    def _determined(self) -> list[Check]:
        """How well the data determine sum and single values; noted, for there is no limit."""
        if self.samples is None:
            return []
        spread = np.abs(self.stds).reshape(len(self), -1).max(1, initial=0.0)
        largest = np.abs(self.values).reshape(len(self), -1).max(1, initial=0.0)
        # isolated atoms and terms with fixed formulas have none: they would pass for well known
        learned = np.flatnonzero(spread)
        some = spread[learned[np.argsort(-largest[learned])[:10]]]
        words = "posterior standard deviation of the sum"
        single = "the same of a single one of the ten largest values that were learned (median)"
        found = [("sum", float(np.max(self.total_std)), words)]
        if len(some):
            found.append(("single values", float(np.median(some)), single))
        return [Check("identifiability", n, v, None, self.unit, w) for n, v, w in found]

    def save(self, path: str | Path) -> None:
        """Write to one file (.npz: arrays and JSON, no pickles)."""
        from interpmd.attribution.storage import save_explanation

        save_explanation(self, path)

    def to_shap(self, by: str = "label") -> shap.Explanation:
        """A `shap.Explanation` of one sample, for shap's own plots; see `to_shap`."""
        from interpmd.attribution.storage import to_shap

        return to_shap([self], by)[0]

    def plot(
        self, by: str = "label", most: int = 8, ax: Axes | None = None, kind: str = "waterfall"
    ) -> Axes:
        """A picture of the values; vectors are projected on their sum.

        Args:
            by: "label" for single clusters, or a grouping of `by`; for waterfall and bars.
            most: bars.
            ax: where to draw.
            kind: "waterfall" or "bars", whose bars add up; "heat_map", players by players (see
                `pair_matrix`); "shares", of the orders above one in percent of their sum.

        Raises:
            GroupingError: another kind.
        """
        from interpmd.views.plots.explained import draw

        return draw(self, by, most, ax, kind)

    def pair_matrix(self) -> pd.DataFrame:
        """Players by players: values of pairs, and of larger clusters in equal parts to their
        pairs, below the diagonal; single players and remainders on it; NaN above. The cells sum
        to the total (of vectors: along its direction).

        Players are the fragments if there are some, else the atoms.
        """
        return pair_matrix(self)

    def scalars(self, by: str = "label") -> dict[str, float]:
        """Values by name; vectors are projected on the direction of `predicted`."""
        if by == "label":
            found: dict[str, float] = {}
            for label, value in zip(self.labels, self.flat(self.values), strict=True):
                found[label] = found.get(label, 0.0) + float(value)
            return found
        grouped = self.by(by)
        numbers = self.flat(grouped.to_numpy())
        return {str(k): float(v) for k, v in zip(grouped.index, numbers, strict=True)}

    def spreads(self, by: str = "label") -> dict[str, float] | None:
        """Standard deviations of `scalars`; None without posterior."""
        return spreads(self, by)

    def flat(self, values: np.ndarray) -> np.ndarray:
        """Numbers as they are; vectors along the direction of `predicted`."""
        if self.values.ndim == 1:
            return values
        return values @ (np.asarray(self.predicted) / (np.linalg.norm(self.predicted) or 1.0))

    def __repr__(self) -> str:
        count = f"{len(self)} value{'s' * (len(self) != 1)}"
        return f"{self.target} by {self.method}: total {self._sum()} {self.unit} of {count}"

    def _sum(self) -> str:
        """The total, with its error bar where it is known."""
        total = np.array2string(np.asarray(self.total), precision=4)
        if self.total_std is None:
            return total
        short = {"float_kind": lambda value: f"{value:.2g}"}
        return f"{total} ± {np.array2string(np.asarray(self.total_std), formatter=short)}"

    def _repr_html_(self) -> str:
        head = html.escape(f"{self.method}, {self.context}: total {self._sum()} {self.unit}")
        rows = self.to_frame()
        more = f"<p>… {len(rows) - 12} more: <code>.to_frame()</code></p>" if len(rows) > 12 else ""
        certificate = self.certificate()
        return (
            f"<p><b>{html.escape(str(self.target))}</b>, {head}</p>"
            f"{rows.head(12).round(4).to_html()}{more}"
            f"<details><summary>certificate: <b>{certificate.badge}</b></summary>"
            f"{certificate._repr_html_()}</details>"
        )


def load_explanation(path: str | Path) -> Explanation:
    """Read what `Explanation.save` wrote."""
    from interpmd.attribution.storage import load

    return load(path)
