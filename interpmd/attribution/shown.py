"""How an explanation shows itself: one line, and a table with its certificate in notebooks."""

from __future__ import annotations

from abc import ABC, abstractmethod

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
        """The total, with its error bar where it is known."""
        total = np.array2string(np.asarray(self.total), precision=4)
        if self.total_std is None:
            return total
        short = {"float_kind": lambda value: f"{value:.2g}"}
        return f"{total} ± {np.array2string(np.asarray(self.total_std), formatter=short)}"

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
            table(rows.head(LINES).round(4)),
            more,
            certificate.verdict,
            certificate._repr_html_(),
        )
