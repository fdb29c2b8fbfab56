"""One call for all methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from ase import Atoms

from interpmd.attribution.explanation import Explanation, view
from interpmd.attribution.targets import Energy, Force
from interpmd.errors import InterpmdError
from interpmd.potentials.potential import Potential


class MethodError(InterpmdError, ValueError):
    """An unknown method or context."""


@dataclass(frozen=True)
class Method:
    """How to explain, and what that guarantees."""

    run: Callable[[Potential, Atoms, Energy | Force, int | None], Explanation]
    what: str
    guarantees: str
    cost: str


def _mobius(
    potential: Potential, atoms: Atoms, target: Energy | Force, order: int | None
) -> Explanation:
    return view(potential, potential.decompose(atoms, order=order), target)


#: All methods by name; a new one is added here.
METHODS = {
    "mobius": Method(
        _mobius,
        "contribution of each cluster of atoms beyond all its parts (Harsanyi dividend, "
        "many-body expansion)",
        "complete, symmetric, null player, rows free of net force and torque (1e-8)",
        "one decomposition",
    )
}

CONTEXTS = ("vacuum",)


def explain(
    potential: Potential,
    atoms: Atoms,
    target: Energy | Force | None = None,
    method: str = "mobius",
    order: int | None = 3,
    context: str = "vacuum",
) -> Explanation:
    """Explain the energy, or the force on an atom.

    Args:
        potential: the potential.
        atoms: the structure.
        target: `Energy()` (if None) or `Force(atom, along=...)`.
        method: see `methods`.
        order: largest body order of the rows; what is above stands as one remainder per site.
        context: "vacuum": a cluster by itself.

    Raises:
        MethodError: unknown method or context.
        TargetError: no such atom, or no direction.
        StructureError, UnknownElementError: the structure cannot be evaluated.
    """
    target = Energy() if target is None else target
    if not isinstance(target, Energy | Force):
        raise MethodError(f"the target is Energy() or Force(atom), not {target!r}")
    if method not in METHODS:
        raise MethodError(f"no method is called {method!r}; known: {', '.join(METHODS)}")
    if context not in CONTEXTS:
        raise MethodError(f"no context is called {context!r}; known: {', '.join(CONTEXTS)}")
    if isinstance(target, Force):
        target.direction(atoms)
    return METHODS[method].run(potential, atoms, target, order)


def methods() -> pd.DataFrame:
    """All methods: what each computes, what it guarantees, what it costs."""
    rows = {
        name: {"computes": m.what, "guarantees": m.guarantees, "cost": m.cost}
        for name, m in METHODS.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
