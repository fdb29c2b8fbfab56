"""The result of every explanation: values keyed by clusters of atoms, which add up."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase import Atoms

from interpmd.attribution import archive
from interpmd.attribution.certificate import Certificate
from interpmd.attribution.checks import of_both, of_rows, own_checks
from interpmd.attribution.contributions import (
    Contributions,
    directed,
    frame_of,
    keys_of,
    pair_matrix,
    summed,
    sums_of,
)
from interpmd.attribution.kinds import KINDS, ORDER_OF_KINDS, describe, name_fragments, player_name
from interpmd.attribution.shown import Shown
from interpmd.attribution.targets import Target
from interpmd.decomposition.clusters import Clusters
from interpmd.decomposition.decomposition import standard_deviation
from interpmd.errors import GroupingError
from interpmd.plots.budgets import bars, budget, heat_map, order_shares, shares
from interpmd.structures.fragments import Fragments, fragments_of

if TYPE_CHECKING:
    import shap
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Shown):
    """What each cluster of atoms contributes to a target.

    Attributes:
        atoms: the structure that was explained.
        target: what is explained.
        clusters: the atoms that each value belongs to.
        values: in `unit`, shape (clusters,), or (clusters, 3) for a vector.
        predicted: what the values should sum to: the target of the model, a number or shape (3,).
        gauge: what stands for "absent"; see `interpmd.gauges`.
        method, context: how it was made.
        statement: what is guaranteed, what is an estimate, what is convention.
        complete: whether the method claims that the values sum to the target.
        exact: whether the values are those of their definition, not estimates.
        fragments: the players, where they are not single atoms.
        samples: deviations of the values under joint samples of the posterior, where it is known,
            shape (clusters, samples) or (clusters, 3, samples); sums of values keep their errors.
        convention: how far each value moves when the free choices of the gauge vary (stiffnesses
            of coordinates by exp(N(0, 0.5))), of the shape of `values`; None where nothing is free.
        kinds_of_terms: kind of each term, where the terms are the names of the rows.
        checks: what the method itself found out, by name ("momentum", "torque", ...).
        provenance: of the model.
        reference: the structure from which the difference is explained; None where it is not one.
        evaluations: structures, parts of structures and sets of gates that the model evaluated;
            the making of a table is not counted.

    Example:
        >>> import interpmd as im
        >>> from interpmd.demo import MALONALDEHYDE
        >>> force = im.explain(im.load("malonaldehyde"), MALONALDEHYDE, im.Force(8, along=0))
        >>> force
        force on H8 towards O0 by tensions, gauge internal: total ... ± ... eV/... of ... values
    """

    atoms: Atoms
    target: Target
    clusters: Clusters
    values: np.ndarray
    predicted: np.ndarray
    gauge: str = "atoms"
    method: str = "mobius"
    context: str = "vacuum"
    statement: str = ""
    complete: bool = True
    exact: bool = True
    fragments: Fragments | None = None
    samples: np.ndarray | None = None
    convention: np.ndarray | None = None
    kinds_of_terms: dict[str, str] | None = None
    checks: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    reference: Atoms | None = None
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
        spread = standard_deviation(self.samples.sum(axis=0))
        return float(spread) if np.ndim(spread) == 0 else spread

    @property
    def orders(self) -> np.ndarray:
        """Number of players of each value; 0 for remainders."""
        return self.clusters.order

    @cached_property
    def _described(self) -> tuple[list[str], list[str]]:
        if self.kinds_of_terms is not None:
            labels = [self.clusters.terms[t] for t in self.clusters.term]
            return labels, [self.kinds_of_terms[label] for label in labels]
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
            count = len(self.atoms)
            if lacking := [a for a in key if a not in range(count)]:
                raise GroupingError(f"there is no atom {lacking[0]!r}: atoms are 0 to {count - 1}")
            wanted = tuple(sorted(key))
            same = [tuple(sorted(t)) == wanted for t in self.members]
            return self.values[np.array(same, dtype=bool) & ~self.clusters.remainder].sum(axis=0)
        chosen = np.atleast_1d(np.arange(len(self))[key])
        some = self.contributions.take(chosen)
        total = some.values.sum(axis=0)
        convention = None if self.convention is None else self.convention[chosen]
        return self._with(some, predicted=total, complete=False, convention=convention)

    @property
    def contributions(self) -> Contributions:
        """Clusters, values and samples alone."""
        return Contributions(self.clusters, self.values, self.samples)

    def _with(self, rows: Contributions, **changes: Any) -> Explanation:
        return replace(
            self, clusters=rows.clusters, values=rows.values, samples=rows.samples, **changes
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
            if name not in (None, *known):
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
        """All but single players, whose own energies would drown what they do together."""
        return self[self.orders != 1]

    def merged(self) -> Explanation:
        """One value for each cluster, terms added up."""
        named = self.kinds_of_terms is not None
        return self if named else self._with(self.contributions.merged())

    def __sub__(self, other: Explanation) -> Explanation:
        """Difference, cluster by cluster; of two structures, methods, contexts or potentials."""
        return self._plus(other, -1.0, "-")

    def __add__(self, other: Explanation) -> Explanation:
        """Sum, cluster by cluster."""
        return self._plus(other, 1.0, "+")

    def _plus(self, other: Explanation, sign: float, symbol: str) -> Explanation:
        if len(self.atoms) != len(other.atoms) or (self.atoms.numbers != other.atoms.numbers).any():
            raise GroupingError("explanations of structures with different atoms")
        if self.unit != other.unit or self.values.ndim != other.values.ndim:
            raise GroupingError(f"{self.target} and {other.target} cannot be combined")
        first, second, kinds = self.contributions, other.contributions, self.kinds_of_terms
        if self.gauge != other.gauge:
            raise GroupingError(
                f'rows of the gauges "{self.gauge}" and "{other.gauge}" are not about the same'
            )
        if (self.method, self.context) != (other.method, other.context):
            first, second = first.merged(), second.merged()

        def either(name: str) -> str:
            a, b = getattr(self, name), getattr(other, name)
            return a if a == b else f"{a} {symbol} {b}"

        return self._with(
            first.plus(second, sign, same_draws=self.provenance == other.provenance),
            predicted=self.predicted + sign * other.predicted,
            **{name: either(name) for name in ("method", "context", "statement")},
            complete=self.complete and other.complete,
            convention=None,
            kinds_of_terms=kinds and {**kinds, **(other.kinds_of_terms or {})},
            checks=of_both(self.checks, other.checks),
            reference=None,
            evaluations=self.evaluations + other.evaluations,
        )

    def __mul__(self, factor: float) -> Explanation:
        """Values times a number."""
        convention = None if self.convention is None else abs(factor) * self.convention
        rows, predicted = self.contributions.scaled(factor), factor * self.predicted
        return self._with(rows, predicted=predicted, convention=convention)

    __rmul__ = __mul__

    def __truediv__(self, number: float) -> Explanation:
        """Values divided by a number."""
        return self * (1 / number)

    def __neg__(self) -> Explanation:
        """Values with the other sign."""
        return self * -1.0

    def to_frame(self) -> pd.DataFrame:
        """One line per cluster that contributes, the largest first."""
        names = {
            "label": self.labels,
            "kind": self.kinds,
            "atoms": pd.Series(self.members, dtype=object),
        }
        return frame_of(
            self.contributions, names, self.unit, bool(self.atoms.pbc.any()), self.convention
        )

    def by(
        self,
        what: str,
        fragments: Fragments | None = None,
        std: bool = False,
        components: bool = False,
    ) -> pd.Series | pd.DataFrame:
        """Sums over "label", "order", "term", "kind", "pair", "atom" or "fragment".

        A value goes in equal parts to its pairs or atoms. Vectors count along their sum.

        Args:
            what: the grouping.
            fragments: for "fragment"; the players, or the molecules, if None.
            std: add columns of standard deviations under the posterior (NaN where there is none).
            components: whether vectors have columns x, y and z instead.

        Raises:
            GroupingError: another word.
        """
        keys = self._keys(what, fragments)
        rows = self.contributions if components else self.contributions.along(self.predicted)
        return sums_of(rows, keys, ORDER_OF_KINDS, what, self.unit, std)

    def _keys(self, what: str, fragments: Fragments | None = None) -> list[list[Any]]:
        if what == "label":
            return [[label] for label in self.labels]
        kinds = self.kinds if what == "kind" else ()
        given = fragments or self.fragments
        if what == "fragment" and given is None:
            given = fragments_of(self.atoms)
        return keys_of(self.clusters, what, kinds, given or ())

    def certificate(self) -> Certificate:
        """The axioms, checked on this explanation, and what its model is certified for.

        With the model at hand `interpmd.certify_explanation` checks more.
        """
        checks = own_checks(self.residual, self.complete, self.method, self.unit, self.checks)
        shown = self.interactions if self.unit == "eV" and (self.orders != 1).any() else self
        rows, total = shown.contributions, shown.predicted
        checks += of_rows(rows, total, self.total_std, self.unit, self.gauge)
        made = Certificate.from_json(self.provenance.get("certificate", ())).of_gauge(self.gauge)
        return Certificate((*checks, *made.checks), self.statement, self.exact)

    def save(self, path: str | Path) -> None:
        """Write to one file (.npz: arrays and JSON, no pickles); see `load_explanation`."""
        archive.write(path, {each.name: getattr(self, each.name) for each in fields(self)})

    def to_shap(self, by: str = "label") -> shap.Explanation:
        """A `shap.Explanation` of this one sample, for shap's own plots; see `im.to_shap`."""
        return archive.shap_table([self.named(by)])[0]

    def plot(
        self, by: str = "label", most: int = 8, ax: Axes | None = None, kind: str = "waterfall"
    ) -> Axes:
        """A picture of the values; vectors are projected on their sum.

        Args:
            by: a grouping of `by`; for waterfall and bars.
            most: bars.
            ax: where to draw.
            kind: "waterfall" or "bars", whose bars add up; "heat_map", players by players (see
                `pair_matrix`); "shares", of the orders above one in percent of their sum.

        Raises:
            GroupingError: another kind.
        """
        title = self.subject + (", along its direction" if self.values.ndim > 1 else "")
        unit = self.unit.replace("A", "Å")
        if kind == "heat_map":
            return heat_map(self.pair_matrix(), unit=unit, title=title, ax=ax)
        if kind == "shares":
            table = order_shares(self.scalars("order"), self.method)
            return shares(table, "share of the sum (%)", title, ax)
        if kind not in ("waterfall", "bars"):
            raise GroupingError(f"no plot is called {kind!r}: waterfall, bars, heat_map, shares")
        picture = budget if kind == "waterfall" else bars
        return picture(self.scalars(by), self.spreads(by), most, unit, title, ax)

    def pair_matrix(self) -> pd.DataFrame:
        """Players by players (fragments if there are some, else atoms): values of pairs, and of
        larger clusters in equal parts to their pairs, below the diagonal; single players and
        remainders on it; NaN above. The cells sum to the total (of vectors: along its direction).
        """
        players = self.fragments or tuple((a,) for a in range(len(self.atoms)))
        names = [player_name(self.atoms, members) for members in players]
        cells = pair_matrix(self.clusters, self.flat(self.values), players)
        return pd.DataFrame(cells, index=names, columns=names)

    def scalars(self, by: str = "label") -> dict[str, float]:
        """Values by name; vectors are projected on the direction of `predicted`."""
        sums = summed(self._keys(by), self.flat(self.values))
        return {str(key): float(value) for key, value in sums.items()}

    def spreads(self, by: str = "label") -> dict[str, float] | None:
        """Standard deviations of `scalars`; None without posterior."""
        along = self.contributions.along(self.predicted).samples
        if along is None:
            return None
        sums = summed(self._keys(by), along)
        return {str(key): float(standard_deviation(samples)) for key, samples in sums.items()}

    def flat(self, values: np.ndarray) -> np.ndarray:
        """Numbers as they are; vectors along the direction of `predicted`."""
        return directed(values, self.predicted) if self.values.ndim > 1 else values
