"""One call for all methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from inspect import signature
from typing import Any

from ase import Atoms

from interpmd.attribution import methods as _families  # noqa: F401 (registers them)
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.methods.registry import METHODS, Request
from interpmd.attribution.models import CountedModel, as_model
from interpmd.attribution.targets import Energy, Target
from interpmd.errors import MethodError, StructureError
from interpmd.structures.fragments import fragments_of
from interpmd.structures.systems import check_structure


def explain(
    model: Any,
    atoms: Atoms,
    target: Target | None = None,
    method: str = "mobius",
    order: int | None = 3,
    context: str = "vacuum",
    fragments: str | Sequence[Sequence[int]] | None = None,
    **options: Any,
) -> Explanation:
    """Explain the energy, a force, or a torque.

    Args:
        model: a Potential, any ASE calculator, or a torch function (`TorchModel`).
        atoms: the structure.
        target: `Energy()` (if None), `Force(atom, along=...)` or `Torque(dihedral)`.
        method: see `methods`.
        order: largest number of players that get a value together (the largest body order of
            the rows); what is above stands as remainders.
        context: "vacuum": a cluster by itself; "in_situ": the effect of taking it away from the
            whole structure.
        fragments: players instead of single atoms; see `fragments_of`.
        options: of the method, for instance `samples` and `seed` of those that sample.

    Raises:
        MethodError: unknown method, context or option, or one that does not suit the model.
        ModelError: the model is none.
        TargetError: no such atom, or no direction.
        FragmentError: no such fragments.
        StructureError, UnknownElementError: the structure cannot be evaluated.
    """
    if not isinstance(atoms, Atoms):
        raise StructureError(f"explain takes one ase.Atoms, not {type(atoms).__name__}")
    target = Energy() if target is None else target
    if not isinstance(target, Target):
        raise MethodError(f"the target is Energy(), Force(atom) or Torque(...), not {target!r}")
    if method not in METHODS:
        raise MethodError(f"no method is called {method!r}; known: {', '.join(METHODS)}")
    chosen = METHODS[method]
    if context not in chosen.contexts:
        raise MethodError(
            f"{method} knows no context {context!r}; known: {', '.join(chosen.contexts)}"
        )
    if order is not None and (isinstance(order, bool) or int(order) != order or order < 1):
        raise MethodError(f"order is a number of players, 1 or more, not {order!r}")
    wrapped = CountedModel(as_model(model))
    if chosen.models == "potential" and wrapped.potential is None:
        raise MethodError(f"{method} needs an interpmd potential, not {wrapped.name}")
    if wrapped.potential is None:
        check_structure(atoms)
    else:
        wrapped.potential.batch(atoms)
    if target.functional(atoms).vector and not chosen.vectors:
        raise MethodError(f"{method} explains numbers only; give the force a direction (along=)")
    request = Request(
        model=wrapped,
        atoms=atoms.copy(),
        target=target,
        order=order,
        context=context,
        fragments=None if fragments is None else fragments_of(atoms, fragments),
    )
    known = options_of(method)
    if unknown := set(options) - set(known):
        raise MethodError(
            f"{method} has no option {', '.join(sorted(unknown))}; known: "
            + (", ".join(known) or "none")
        )
    found = chosen.run(request, **options)
    evaluations = found.evaluations + wrapped.evaluations
    return replace(found, method=method, exact=chosen.exact, evaluations=evaluations)


def options_of(method: str) -> list[str]:
    """Names of the options that a method takes; none of an unknown one."""
    if method not in METHODS:
        return []
    parameters = signature(METHODS[method].run).parameters
    return [name for name, p in parameters.items() if p.default is not p.empty]


def knows_error_bars(method: str) -> bool:
    """Whether a method knows the posterior of its values; an unknown one does not."""
    return method in METHODS and METHODS[method].error_bars


def cooperativity(
    model: Any,
    atoms: Atoms,
    target: Target | None = None,
    order: int = 2,
    fragments: str | Sequence[Sequence[int]] | None = None,
) -> Explanation:
    """How the others change what a cluster does: its effect in situ less that in vacuum.

    Zero where interactions are additive; every value is the sum of all larger interactions that
    the cluster takes part in.

    Args:
        model, atoms, target, order, fragments: see `explain`.
    """
    there = explain(model, atoms, target, "mobius", order, "in_situ", fragments)
    alone = explain(model, atoms, target, "mobius", order, "vacuum", fragments)
    return there - alone[~alone.clusters.remainder]
