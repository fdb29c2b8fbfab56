"""What may be believed of an explanation, and what is convention."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from interpmd.errors import CertificateError
from interpmd.markup import Markup, joined, markup

#: Groups of checks; the first belongs to each explanation, the others to potentials too.
GROUPS = {
    "axioms": "sums, symmetries and conservation laws that hold by construction",
    "analytic truth": "rows of potentials with known terms",
    "learned truth": "rows of potentials fitted to known terms",
    "quantum truth": "many-body expansion by the reference method itself",
    "truth": "the reference method's own rows in the same gauge",
    "faithfulness": "taking away what ranks high changes the target most",
    "sanity": "an explanation must depend on what was learned",
    "readability": "whether the rows are as large as what they explain, or cancel",
    "on the data": "whether the training data vouch for what was evaluated",
    "reproducibility": "whether two fits to disjoint halves of the data agree on the rows",
    "identifiability": "how far the training data determine the rows",
    "convention": "what is so by convention, and would be otherwise by another",
}

#: Groups of a potential's checks that are about rows of other gauges than "atoms", too.
OTHER_GAUGES = {"quantum truth": ("molecules",)}

#: What checks of a group are about, where the numbers alone would claim too much.
ABOUT = {
    "learned truth": "says what this kind of model can find out, on a known potential; not that "
    "these rows are right",
}

#: Error bar over value of the largest rows up to which these count as determined.
DETERMINED = 0.25

#: Difference of the rows of two fits over these up to which they count as reproduced.
REPRODUCED = 0.5

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
        value: what was measured; NaN where the check could not be made, for the reason in words.
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
    def made(self) -> bool:
        """Whether it was made at all."""
        return not math.isnan(self.value)

    @property
    def passed(self) -> bool | None:
        """Whether the value is within the limit; None without limit, or where it was not made."""
        return None if self.limit is None or not self.made else bool(self.value <= self.limit)

    @property
    def measured(self) -> str:
        """Value and unit in words."""
        return f"{self.value:.3g} {self.unit}".rstrip() if self.made else "not checked"

    @property
    def meaning(self) -> str:
        """What it means, and what it does not."""
        return "; ".join(part for part in (self.words, ABOUT.get(self.group)) if part)

    def __str__(self) -> str:
        verdict = {True: "passed", False: "FAILED", None: "noted"}[self.passed]
        limit = f" ({_limit(self)})" if _limit(self) else ""
        words = f": {self.meaning}" if self.meaning else ""
        return f"{verdict}  {self.group}, {self.name} {self.measured}{limit}{words}"


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

        Not where the error bars of the largest rows are above `DETERMINED` of these, where two
        fits to halves of the data differ by more than `REPRODUCED` of the rows, nor where a part
        that was evaluated is beyond the training data.
        """
        limits = {
            ("identifiability", "relative"): DETERMINED,
            ("reproducibility", "relative difference"): REPRODUCED,
        }
        if self.grade > 1.0:
            return False
        known = {(c.group, c.name): c.value for c in self.checks if (c.group, c.name) in limits}
        return all(value <= limits[key] for key, value in known.items()) if known else None

    @property
    def readable(self) -> bool:
        """Whether the rows are at most `UNREADABLE` times what they explain."""
        return all(check.value <= UNREADABLE for check in self.group("readability"))

    @property
    def verdict(self) -> str:
        """What is exact, and whether the rows are determined and can be read, in words."""
        words = {
            True: "rows determined by the data",
            False: "rows NOT determined by the data",
            None: "",
        }[self.determined]
        if self.grade > 1.0:
            words = "BEYOND the training data"
        if self.determined is None and not self.readable:
            words = "rows cancel each other"
        return f"{self.badge}, {words}" if words else self.badge

    @property
    def grade(self) -> float:
        """Largest extrapolation grade of what was evaluated; 0 where it is not known."""
        return max((check.value for check in self.group("on the data")), default=0.0)

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
            made = [c for c in self.checks if wanted in (c.group, c.name) and c.made]
            if not made:
                raise CertificateError(
                    f"{wanted!r} was not checked; made: "
                    + (", ".join(sorted({c.group for c in self.checks})) or "nothing")
                )
            failed = [str(c) for c in made if _fails(c)]
            if failed:
                raise CertificateError("; ".join(failed))
        return self

    def of_gauge(self, gauge: str) -> Certificate:
        """What holds for the rows of one gauge.

        Without how others were reproduced (see `interpmd.reproducibility`), and without what was
        checked on rows of atoms, unless these are asked for.
        """
        kept = []
        for check in self.checks:
            whose, _, name = check.name.rpartition(": ")
            if check.group != "reproducibility":
                if gauge in ("atoms", *OTHER_GAUGES.get(check.group, ())):
                    kept.append(check)
            elif whose in ("", gauge):
                kept.append(replace(check, name=name))
        return replace(self, checks=tuple(kept))

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
                    "words": c.meaning,
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
        doubtful = self.determined is False or (self.determined is None and not self.readable)
        if doubtful and self.badge != "NOT EXACT":
            colour = "#666666"
        mark = {True: "✓ passed", False: "✗ failed", None: "• noted"}
        # to the left, where words are read, whatever the page does with tables
        cell = '<td style="text-align:left;vertical-align:top{}">{{}}</td>'
        widths = (";white-space:nowrap", "", ";white-space:nowrap", "")
        row = "<tr>{}</tr>".format("".join(map(cell.format, widths)))
        rows = joined(
            markup(row, mark[c.passed], f"{c.group}: {c.name}", _measured(c), c.meaning)
            for c in self.checks
        )
        return markup(
            '<div><span style="background:{};color:white;padding:2px 8px;'
            'border-radius:4px;font-weight:bold">{}</span><table>{}</table><i>{}</i></div>',
            colour,
            self.verdict,
            rows,
            self.statement,
        )


def _limit(check: Check) -> str:
    """Largest value that passes, in words; nothing where there is none."""
    return "" if check.limit is None else f"at most {check.limit:.3g}"


def _measured(check: Check) -> Markup:
    """The value, and in a second line the largest that passes, where there is one."""
    return joined([check.measured, _limit(check)] if _limit(check) else [check.measured], "<br>")


def _fails(check: Check) -> bool:
    """Beyond its limit, or an axiom that the method does not claim."""
    return check.passed is False or (check.group == "axioms" and check.passed is None)
