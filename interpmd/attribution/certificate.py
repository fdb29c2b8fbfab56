"""What may be believed of an explanation, and what is convention."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from interpmd.decomposition.decomposition import standard_deviation
from interpmd.errors import CertificateError

#: Groups of checks; the first belongs to each explanation, the others to potentials too.
GROUPS = {
    "axioms": "sums, symmetries and conservation laws that hold by construction",
    "analytic truth": "rows of potentials with known terms",
    "learned truth": "rows of potentials fitted to known terms",
    "quantum truth": "many-body expansion by the reference method itself",
    "faithfulness": "taking away what ranks high changes the target most",
    "sanity": "an explanation must depend on what was learned",
    "readability": "whether the rows are as large as what they explain, or cancel",
    "on the data": "whether the training data vouch for what was evaluated",
    "reproducibility": "whether two fits to disjoint halves of the data agree on the rows",
    "identifiability": "how far the training data determine the rows",
}

#: Error bar over value of the largest rows up to which these count as determined.
DETERMINED = 0.25

#: Sum of the rows over what they explain above which they are no explanation that can be read.
UNREADABLE = 20.0

#: Largest violation of an axiom, in eV or eV/A.
TOLERANCE = 1e-8


@dataclass(frozen=True)
class Check:
    """One property that was checked.

    Attributes:
        group: one of `GROUPS`.
        name: of the property.
        value: what was found.
        limit: largest value that passes; None if there is no limit to compare with.
        unit: of value and limit.
        words: what it means.
    """

    group: str
    name: str
    value: float
    limit: float | None = None
    unit: str = ""
    words: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the value is within the limit; None without limit."""
        return None if self.limit is None else bool(self.value <= self.limit)

    def __str__(self) -> str:
        verdict = {True: "passed", False: "FAILED", None: "noted"}[self.passed]
        limit = f" ({_limit(self)})" if _limit(self) else ""
        unit = f" {self.unit}" if self.unit else ""
        words = f": {self.words}" if self.words else ""
        return f"{verdict}  {self.group}, {self.name} {self.value:.3g}{unit}{limit}{words}"


@dataclass(frozen=True, repr=False)
class Certificate:
    """Checks of an explanation, or of a potential.

    Attributes:
        checks: in the order in which they were made.
        statement: what is fact and what is convention.
        exact: whether values are those of their definition, not estimates.

    Example:
        >>> from ase.build import molecule
        >>> import interpmd as im
        >>> certificate = im.explain(im.load("water"), molecule("H2O")).certificate()
        >>> certificate.badge, certificate.completeness < 1e-8
        ('EXACT', True)
        >>> certificate.require("faithfulness")  # not checked without the model
        Traceback (most recent call last):
        ...
        interpmd.errors.CertificateError: 'faithfulness' was not checked; made: ...
    """

    checks: tuple[Check, ...] = ()
    statement: str = ""
    exact: bool = True

    @property
    def passed(self) -> bool:
        """Whether no check fails and what should add up does."""
        return self.badge != "NOT EXACT"

    @property
    def badge(self) -> str:
        """In words.

        NOT EXACT: a check fails, or the values are not claimed to add up. ESTIMATE: they add up,
        but come from a sample or a convention of the method. EXACT: they are those of the
        definition and the axioms hold. CHECKED: nothing fails, axioms are not among the checks.
        """
        axioms = self.group("axioms")
        if any(_fails(check) for check in self.checks):
            return "NOT EXACT"
        if not axioms:
            return "CHECKED"
        return "EXACT" if self.exact else "ESTIMATE"

    @property
    def determined(self) -> bool | None:
        """Whether the data determine the rows; None where nothing was learned.

        Not where the error bars of the largest rows are above `DETERMINED` of these, nor where a
        part that was evaluated is beyond the training data.
        """
        values = {(c.group, c.name): c.value for c in self.checks}
        relative = values.get(("identifiability", "relative"))
        if relative is None:
            return None
        return relative <= DETERMINED and values.get(("on the data", "grade"), 0.0) <= 1.0

    @property
    def verdict(self) -> str:
        """What is exact, and whether the rows are determined, in words."""
        words = {
            True: "rows determined by the data",
            False: "rows NOT determined by the data",
            None: "",
        }[self.determined]
        if self.determined is False and self._grade > 1.0:
            words = "BEYOND the training data"
        return f"{self.badge}, {words}" if words else self.badge

    @property
    def _grade(self) -> float:
        grades = [c.value for c in self.group("on the data")]
        return max(grades, default=0.0)

    def __getitem__(self, name: str) -> float:
        """Value of a check by its name."""
        for check in self.checks:
            if check.name == name:
                return check.value
        raise KeyError(f"no check is called {name!r}; made: {[c.name for c in self.checks]}")

    @property
    def completeness(self) -> float:
        """Largest difference between the sum of the values and the target."""
        return self["completeness"]

    def group(self, name: str) -> tuple[Check, ...]:
        """The checks of one group."""
        return tuple(c for c in self.checks if c.group == name)

    def require(self, *groups: str) -> Certificate:
        """Raise unless all checks of these groups (or of these names) were made and pass.

        Returns:
            The certificate itself, so that a notebook can end a cell with it.

        Raises:
            CertificateError: a check fails, or none was made, or values are not claimed to add up;
                says which and why.
        """
        for wanted in groups or ("axioms",):
            made = [c for c in self.checks if wanted in (c.group, c.name)]
            if not made:
                raise CertificateError(
                    f"{wanted!r} was not checked; made: "
                    + (", ".join(sorted({c.group for c in self.checks})) or "nothing")
                )
            failed = [str(c) for c in made if _fails(c)]
            if failed:
                raise CertificateError("; ".join(failed))
        return self

    def with_checks(self, checks: Iterable[Check]) -> Certificate:
        """The same with more checks."""
        return replace(self, checks=(*self.checks, *checks))

    def to_frame(self) -> pd.DataFrame:
        """One line per check."""
        return pd.DataFrame(
            [
                {
                    "group": c.group,
                    "check": c.name,
                    "value": c.value,
                    "limit": c.limit,
                    "unit": c.unit,
                    "passed": c.passed,
                    "words": c.words,
                }
                for c in self.checks
            ],
            columns=["group", "check", "value", "limit", "unit", "passed", "words"],
        )

    def to_json(self) -> list[dict[str, Any]]:
        """For the card of a potential."""
        return [dict(vars(c)) for c in self.checks]

    @classmethod
    def from_json(cls, checks: Iterable[dict[str, Any]], statement: str = "") -> Certificate:
        """The inverse of `to_json`."""
        return cls(tuple(Check(**c) for c in checks), statement)

    def __str__(self) -> str:
        lines = [f"[{self.verdict}]", *(f"  {c}" for c in self.checks)]
        return "\n".join([*lines, f"  {self.statement}"] if self.statement else lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        colour = {"EXACT": "#1b7f3b", "CHECKED": "#1f5fa8", "ESTIMATE": "#7a5a00"}.get(
            self.badge, "#a8320b"
        )
        if self.determined is False and self.badge != "NOT EXACT":
            colour = "#666666"
        mark = {True: "✓ passed", False: "✗ failed", None: "• noted"}
        whole = '<td style="white-space:nowrap">'
        rows = "".join(
            f"<tr>{whole}{mark[c.passed]}</td><td>{html.escape(c.group)}</td>"
            f"<td>{html.escape(c.name)}</td><td>{c.value:.3g} {html.escape(c.unit)}</td>"
            f"{whole}{_limit(c)}</td><td>{html.escape(c.words)}</td></tr>"
            for c in self.checks
        )
        return (
            f'<div><span style="background:{colour};color:white;padding:2px 8px;'
            f'border-radius:4px;font-weight:bold">{self.verdict}</span>'
            f"<table>{rows}</table><i>{html.escape(self.statement)}</i></div>"
        )


def own_checks(
    residual: float, complete: bool, method: str, unit: str, measured: Mapping[str, float]
) -> list[Check]:
    """What an explanation knows of itself without its model.

    Args:
        residual: completeness error, in `unit`.
        complete: whether the method claims that its values add up.
        method: its name.
        unit: of the values.
        measured: by the method, by name: "momentum" (eV/A), "torque" (eV), errors of estimates.
    """
    words = "" if complete else f"{method} does not claim that its values add up"
    limit = TOLERANCE if complete else None
    checks = [Check("axioms", "completeness", residual, limit, unit, words)]
    units = {"momentum": "eV/A", "torque": "eV"}
    checks += [
        Check("axioms", name, measured[name], TOLERANCE, of)
        for name, of in units.items()
        if name in measured
    ]
    if "grade" in measured:
        words = "largest extrapolation grade of what was evaluated; above 1 beyond the data"
        checks.append(Check("on the data", "grade", measured["grade"], None, "", words))
    return checks + [
        Check("faithfulness", name, value)
        for name, value in measured.items()
        if name not in (*units, "grade")
    ]


def determination(values: np.ndarray, samples: np.ndarray | None, unit: str) -> list[Check]:
    """How well the data determine sum and single values; noted, for there is no limit.

    Args:
        values: shape (clusters,) or (clusters, 3).
        samples: deviations under the posterior, shape (clusters, ..., samples), where it is known.
        unit: of both.
    """
    if samples is None:
        return []
    spread = np.abs(standard_deviation(samples)).reshape(len(values), -1).max(1, initial=0.0)
    largest = np.abs(values).reshape(len(values), -1).max(1, initial=0.0)
    # isolated atoms and terms with fixed formulas have none: they would pass for well known
    learned = np.flatnonzero(spread)
    some = spread[learned[np.argsort(-largest[learned])[:10]]]
    total = float(np.max(standard_deviation(samples.sum(axis=0))))
    words = "posterior standard deviation of the sum"
    checks = [Check("identifiability", "sum", total, None, unit, words)]
    if len(some):
        words = "the same of a single one of the ten largest values that were learned (median)"
        single = float(np.median(some))
        checks.append(Check("identifiability", "single values", single, None, unit, words))
        ten = learned[np.argsort(-largest[learned])[:10]]
        relative = float(np.sqrt((spread[ten] ** 2).sum() / max((largest[ten] ** 2).sum(), 1e-300)))
        words = "error bars of the ten largest values over these"
        checks.append(Check("identifiability", "relative", relative, None, "", words))
    return checks


def readability(values: np.ndarray, predicted: np.ndarray, gauge: str) -> list[Check]:
    """How much larger the rows are than what they explain: beyond `UNREADABLE` they cancel.

    Args:
        values: shape (clusters,) or (clusters, 3).
        predicted: what they sum to.
        gauge: of the rows.
    """
    total = float(np.linalg.norm(predicted))
    if not len(values) or total < 1e-9:
        return []
    rows = float(np.linalg.norm(values.reshape(len(values), -1), axis=1).sum())
    words = "sum of the rows over what they explain"
    if rows / total > UNREADABLE:
        better = {"atoms": '"internal" or "groups"', "groups": '"internal"'}.get(gauge, "another")
        words += f": they cancel and cannot be read; take the gauge {better}"
    return [Check("readability", "rows over total", rows / total, None, "", words)]


def _limit(check: Check) -> str:
    """Largest value that passes, in words; nothing where there is none."""
    return "" if check.limit is None else f"at most {check.limit:.3g}"


def _fails(check: Check) -> bool:
    """Beyond its limit, or an axiom that the method does not claim."""
    return check.passed is False or (check.group == "axioms" and check.passed is None)
