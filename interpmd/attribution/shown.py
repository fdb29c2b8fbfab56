"""How an explanation shows itself: one line, and a table with its certificate in notebooks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import pandas as pd
from ase import Atoms

from interpmd.attribution.certificate import Certificate
from interpmd.attribution.targets import Target
from interpmd.markup import markup, table

#: Lines of the table in a notebook.
LINES = 12


class Shown(ABC):
    """A result with a total, a table and a certificate.

    Attributes:
        atoms: the structure.
        target: what is explained.
        gauge, method, context: how.
        unit: of the values.
    """

    atoms: Atoms
    target: Target
    gauge: str
    method: str
    context: str

    @property
    @abstractmethod
    def unit(self) -> str:
        """Of the values."""

    @property
    @abstractmethod
    def total(self) -> float | np.ndarray:
        """Sum of all values."""

    @property
    @abstractmethod
    def total_std(self) -> float | np.ndarray | None:
        """Its error bar, where it is known."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """One line per cluster that contributes, the largest first."""

    @abstractmethod
    def scalars(self, by: str = "label") -> dict[str, float]:
        """Values by name."""

    @abstractmethod
    def certificate(self) -> Certificate:
        """What may be believed of it."""

    def named(self, by: str = "label") -> dict[str, float]:
        """`scalars` with atoms named by symbol and index."""
        values = self.scalars(by)
        if by != "atom":
            return values
        return {f"{self.atoms.symbols[int(a)]}{a}": value for a, value in values.items()}

    @property
    def subject(self) -> str:
        """What is explained in words, atoms by symbol and index."""
        return self.target.named(self.atoms)

    def __repr__(self) -> str:
        count = f"{len(self)} value{'s' * (len(self) != 1)}"
        return (
            f"{self.subject} by {self.method}, gauge {self.gauge}: total {self._sum()} "
            f"{self.unit} of {count}"
        )

    def _sum(self) -> str:
        """The total, with its error bar where it is known, whose second digit is the last."""
        total, std = np.asarray(self.total), self.total_std
        largest = 0.0 if std is None else float(np.max(std))
        digits = int(np.clip(1 - np.floor(np.log10(largest)), 1, 4)) if largest > 0 else 4
        shown = _written(total, lambda value: f"{value + 0.0:.{digits}f}")
        if std is None:
            return shown
        # what is zero by symmetry is not so to the last bit
        return f"{shown} ± {_written(std, lambda value: f'{value:.2g}' if value > 1e-12 else '0')}"

    def _repr_html_(self) -> str:
        how = f"gauge {self.gauge}, {self.method}, {self.context}: total {self._sum()} {self.unit}"
        rows, certificate = self.to_frame(), self.certificate()
        more = ""
        if len(rows) > LINES:
            more = markup("<p>… {} more: <code>.to_frame()</code></p>", len(rows) - LINES)
        return markup(
            "<p><b>{}</b>, {}</p>{}{}"
            "<details><summary>certificate: <b>{}</b></summary>{}</details>",
            self.subject,
            how,
            table(_telling(rows).head(LINES)),
            more,
            certificate.verdict,
            certificate._repr_html_(),
        )


def _written(values: float | np.ndarray, form: Callable[[float], str]) -> str:
    return np.array2string(np.asarray(values), formatter={"float_kind": form})


def _telling(rows: pd.DataFrame) -> pd.DataFrame:
    """Rounded, without the columns that say nothing here, or again what the label says."""
    silent = []
    if "term" in rows and list(rows["term"]) == list(rows["label"]):
        silent.append("term")
    if "remainder" in rows and not any(rows["remainder"]):
        silent.append("remainder")
    return rows.drop(columns=silent).round(4).replace(-0.0, 0.0)
