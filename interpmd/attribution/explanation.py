"""The result of every explanation: values keyed by clusters of atoms, which add up."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from ase import Atoms

from interpmd.attribution.kinds import KINDS, chemistry, describe
from interpmd.attribution.targets import Energy, Force
from interpmd.decomposition import Decomposition
from interpmd.errors import InterpmdError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What `Explanation.by` sums over. Shares of atoms and pairs are equal parts of a row: for
#: atoms that is the Shapley value, for pairs a convention.
GROUPINGS = ("order", "term", "kind", "pair", "atom", "fragment")


class GroupingError(InterpmdError, ValueError):
    """An unknown way of summing rows."""


@dataclass(frozen=True)
class Certificate:
    """What was checked about one explanation.

    Attributes:
        completeness: largest difference between the sum of the rows and the potential, eV or
            eV/A.
        momentum: largest net force of a row in eV/A; remainders, which act on many, included.
        torque: largest net torque of a row in eV.
        statement: what is fact and what is convention.
    """

    completeness: float
    momentum: float
    torque: float
    statement: str

    @property
    def passed(self) -> bool:
        """Whether the axioms hold to 1e-8."""
        return max(self.completeness, self.momentum, self.torque) < 1e-8

    def __str__(self) -> str:
        badge = "EXACT" if self.passed else "NOT EXACT"
        return (
            f"[{badge}] rows add up to {self.completeness:.1e}; net force of a row "
            f"{self.momentum:.1e} eV/A, net torque {self.torque:.1e} eV. {self.statement}"
        )


@dataclass(frozen=True, eq=False)
class Explanation:
    """What each cluster of atoms contributes to a target.

    Attributes:
        table: the decomposition that it is a view of.
        target: what is explained.
        values: contribution of each row in `unit`, shape (rows,), or (rows, 3) for a vector.
        predicted: what the potential itself says, a number or shape (3,).
        labels, kinds: chemical name and kind of each row.
        method, context: how it was made.
        provenance: of the potential.
    """

    table: Decomposition
    target: Energy | Force
    values: np.ndarray
    predicted: np.ndarray
    labels: tuple[str, ...]
    kinds: tuple[str, ...]
    method: str = "mobius"
    context: str = "vacuum"
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """eV or eV/A."""
        return self.target.unit

    @property
    def atoms(self) -> Atoms:
        """The structure that was explained."""
        return self.table.structure

    @property
    def total(self) -> float | np.ndarray:
        """Sum of all rows."""
        total = self.values.sum(axis=0)
        return float(total) if np.ndim(total) == 0 else total

    @property
    def residual(self) -> float:
        """Completeness error: largest difference between `total` and `predicted`."""
        return float(np.abs(self.total - self.predicted).max())

    def to_frame(self) -> pd.DataFrame:
        """One line per row that contributes, the largest first."""
        rows = self.table.rows
        frame = rows[["term", "order", "atoms", "shifts", "remainder"]].copy()
        frame.insert(0, "label", self.labels)
        frame.insert(1, "kind", self.kinds)
        column = f"value_{self.unit}"
        if self.values.ndim == 1:
            frame[column] = self.values
            size = np.abs(self.values)
        else:
            for axis, name in enumerate("xyz"):
                frame[f"{column}_{name}"] = self.values[:, axis]
            size = np.linalg.norm(self.values, axis=1)
        if isinstance(self.target, Energy):
            frame["std_eV"] = self.table.energy_stds
        order = np.argsort(-size, kind="stable")
        return frame.iloc[order[size[order] > 0]].reset_index(drop=True)

    def by(self, what: str) -> pd.Series | pd.DataFrame:
        """Sums over "order", "term", "kind", "pair", "atom" or "fragment".

        A row's value goes in equal parts to its pairs or atoms; fragments are sets of molecules.

        Raises:
            GroupingError: another word.
        """
        if what not in GROUPINGS:
            raise GroupingError(f"cannot sum by {what!r}; choose one of {', '.join(GROUPINGS)}")
        sums: dict[Any, Any] = {}
        for keys, value in zip(self._keys(what), self.values, strict=True):
            for key in keys:
                sums[key] = sums.get(key, 0.0) + value / len(keys)
        order = sorted(sums, key=lambda k: KINDS.index(k) if k in KINDS else 0)
        column = f"value_{self.unit}"
        index = pd.Index(order, name=what, tupleize_cols=False)
        stacked = np.array([sums[k] for k in order])
        if self.values.ndim == 1:
            return pd.Series(stacked, index=index, name=column)
        return pd.DataFrame(stacked, index=index, columns=[f"{column}_{x}" for x in "xyz"])

    def certificate(self) -> Certificate:
        """Check the axioms on this explanation."""
        table = self.table
        owner = np.repeat(np.arange(len(table.order)), np.diff(table.first))
        members = table.structure.positions[table.member_atoms]
        members = members + table.member_shifts @ np.asarray(table.structure.cell)
        net, torque = np.zeros((2, len(table.order), 3))
        np.add.at(net, owner, table.member_forces)
        np.add.at(torque, owner, np.cross(members, table.member_forces))
        remainders = any(table.remainder)
        return Certificate(
            completeness=self.residual,
            momentum=float(np.abs(net).max(initial=0.0)),
            torque=float(np.abs(torque).max(initial=0.0)),
            statement=(
                "The sum is fact; the split among rows is a convention (pure rows that vanish "
                "when an atom leaves) and depends on the training data"
                + ("; remainders are what lies above the chosen order." if remainders else ".")
            ),
        )

    def plot(self, by: str = "label", most: int = 8, ax: Axes | None = None) -> Axes:
        """Budget of contributions as a waterfall; vectors are projected on their sum.

        Args:
            by: "label" for single rows, or a grouping of `by`.
            most: bars.
            ax: where to draw.
        """
        from interpmd.views.plots import budget

        direction = None
        if self.values.ndim == 2:
            length = np.linalg.norm(self.total)
            direction = np.asarray(self.total) / (length or 1.0)
        values: dict[str, float] = {}
        if by == "label":
            for label, value in zip(self.labels, self.values, strict=True):
                scalar = float(value if direction is None else value @ direction)
                values[label] = values.get(label, 0.0) + scalar
        else:
            grouped = self.by(by)
            found = grouped.to_numpy() if direction is None else grouped.to_numpy() @ direction
            values = {str(k): float(v) for k, v in zip(grouped.index, found, strict=True)}
        title = f"{self.target}" + ("" if direction is None else ", along its direction")
        return budget(values, most=most, unit=self.unit.replace("A", "Å"), title=title, ax=ax)

    def _keys(self, what: str) -> list[list[Any]]:
        table = self.table
        if what == "order":
            return [[int(o)] for o in table.order]
        if what == "term":
            return [[table.terms[t]] for t in table.term]
        if what == "kind":
            return [[k] for k in self.kinds]
        sites = [
            tuple(int(a) for a in table.member_atoms[first : first + (1 if rest else last - first)])
            for first, last, rest in zip(
                table.first[:-1], table.first[1:], table.remainder, strict=True
            )
        ]
        if what == "atom":
            return [list(s) for s in sites]
        if what == "fragment":
            fragments = chemistry(table.structure).fragments
            return [[tuple(sorted({int(fragments[a]) for a in s}))] for s in sites]
        split: Callable = lambda s: [tuple(sorted(p)) for p in combinations(s, 2)] or [s]  # noqa: E731
        return [split(s) for s in sites]

    def __repr__(self) -> str:
        return f"{self.target} by {self.method}: total {self.total} {self.unit}"

    def _repr_html_(self) -> str:
        return (
            f"<p><b>{self.target}</b>, {self.method}, {self.context}: total {self.total} "
            f"{self.unit}</p>{self.to_frame().head(12).round(4).to_html()}<p>{self.certificate()}</p>"
        )


def view(potential, table: Decomposition, target: Energy | Force) -> Explanation:
    """The table of a structure, seen as contributions to a target."""
    atoms = table.structure
    # rows are made in float64, and so must be what they are compared with
    single = potential.dtype != torch.float64
    found = (copy.deepcopy(potential).double() if single else potential).predict(atoms)
    predicted = target.of_prediction(
        atoms, float(found.energy[0]), found.forces.double().cpu().numpy()
    )
    labels, kinds, _ = describe(atoms, table)
    provenance = {"level": potential.card.level, **potential.card.provenance}
    return Explanation(
        table,
        target,
        np.asarray(target.of_rows(table)),
        np.asarray(predicted),
        tuple(labels),
        tuple(kinds),
        provenance=provenance,
    )
