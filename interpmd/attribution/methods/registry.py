"""The methods of explanation and what each guarantees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from ase import Atoms

from interpmd.attribution.certificate import TOLERANCE
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.choice import GAUGES
from interpmd.attribution.models import Model
from interpmd.attribution.targets import Target
from interpmd.errors import MethodError
from interpmd.potentials.potential import Potential
from interpmd.structures.fragments import Fragments

#: What a method may guarantee; `certificate` checks those that it claims.
AXIOMS = {
    "complete": "the values sum to the target",
    "null player": "who changes nothing gets nothing",
    "symmetric": "players that are interchangeable get the same",
    "linear": "explanations of summed potentials are summed explanations",
    "momentum": "every value is a force that conserves momentum and angular momentum",
}


#: Gauges with players that come and go.
PLAYERS = ("groups", "molecules", "atoms")


@dataclass(frozen=True)
class Request:
    """A question, as a method gets it.

    Attributes:
        model: what is explained.
        atoms, target: the structure, and what about it.
        order: largest number of players that get a value together.
        gauge: what absent means.
        context: "vacuum" or "in_situ".
        fragments: the players; single atoms if None.
        progress: whether to show a bar where it takes long.
    """

    model: Model
    atoms: Atoms
    target: Target
    order: int | None
    gauge: Gauge
    context: str = "vacuum"
    fragments: Fragments | None = None
    progress: bool = False

    @property
    def potential(self) -> Potential:
        """The interpmd potential that is explained.

        Raises:
            MethodError: another model is explained, which has no terms, gates or rows of its own.
        """
        if self.model.potential is None:
            raise MethodError(f"this needs an interpmd potential, not {self.model.name}")
        return self.model.potential


@dataclass(frozen=True)
class Method:
    """How to explain, and what that guarantees.

    Attributes:
        name: under which it is registered.
        run: from the request to the explanation; keyword arguments are the method's options.
        computes: in words.
        guarantees: those of `AXIOMS` that hold to rounding, always.
        cost: in words.
        exact: whether the values are those of the definition, not estimates.
        models: "any", or "potential" where the terms of an interpmd potential are needed.
        gauges: that it suits; what is absent in each is told by `interpmd.gauges`.
        contexts: that it knows.
        vectors: whether it explains vectors, or numbers only.
        needs: package of an extra, if any.
        error_bars: whether it knows the posterior of its values (option `error_bars`).
        whole_table: whether it reads the table to its full order, whatever order is asked for.
        rounding: largest error of a guarantee that is rounding, relative to the values.
    """

    name: str
    run: Callable[..., Explanation]
    computes: str
    guarantees: tuple[str, ...]
    cost: str
    exact: bool = True
    models: str = "any"
    gauges: tuple[str, ...] = PLAYERS
    contexts: tuple[str, ...] = ("vacuum",)
    vectors: bool = True
    needs: str | None = None
    error_bars: bool = False
    whole_table: bool = False
    rounding: float = TOLERANCE

    @property
    def has_players(self) -> bool:
        """Whether its rows are of players, which orders count and which can be taken away."""
        return bool(set(self.gauges) & set(PLAYERS))


#: All methods by name; `@method(...)` adds to it.
METHODS: dict[str, Method] = {}


def method(name: str, **about: Any) -> Callable:
    """Decorator: register a function from a `Request` to an `Explanation`."""
    unknown = set(about["guarantees"]) - set(AXIOMS)
    if unknown or name in METHODS:
        raise ValueError(f"{name}: registered twice, or unknown guarantees {unknown}")

    def add(run: Callable[..., Explanation]) -> Callable[..., Explanation]:
        METHODS[name] = Method(name, run, **about)
        return run

    return add


class MethodTable(pd.DataFrame):
    """A table of words: notebooks show whole cells, which pandas would cut at 50 letters."""

    @property
    def _constructor(self) -> type[MethodTable]:
        return MethodTable

    def _repr_html_(self) -> str | None:
        with pd.option_context("display.max_colwidth", None):
            return super()._repr_html_()


def methods() -> MethodTable:
    """All methods: what each computes, what it guarantees, what it costs."""
    rows = {
        name: {
            "computes": m.computes,
            "guarantees": ", ".join(m.guarantees) or "none",
            "exact": m.exact,
            "models": m.models,
            "gauges": ", ".join(m.gauges),
            "contexts": ", ".join(m.contexts),
            "cost": m.cost,
            "needs": m.needs or "",
        }
        for name, m in METHODS.items()
    }
    return MethodTable(pd.DataFrame.from_dict(rows, orient="index").rename_axis("method"))


def gauges() -> MethodTable:
    """All gauges: what absent means, what the rows are and sum to, and the methods that suit."""
    rows = {
        name: {
            "absent means": gauge.absent,
            "rows": gauge.rows,
            "exact for": gauge.exact_for,
            "methods": ", ".join(m for m, about in METHODS.items() if name in about.gauges),
        }
        for name, gauge in GAUGES.items()
    }
    return MethodTable(pd.DataFrame.from_dict(rows, orient="index").rename_axis("gauge"))
