"""One call for all methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from inspect import signature
from typing import Any

import numpy as np
from ase import Atoms

from interpmd import arguments
from interpmd.attribution import methods as _families  # noqa: F401 (registers them)
from interpmd.attribution.checks import WHOLE
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.atoms import AtomsGauge
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.choice import as_gauge, suitable_gauge
from interpmd.attribution.gauges.games import part_charges
from interpmd.attribution.gauges.molecules import MoleculesGauge
from interpmd.attribution.methods.registry import METHODS, Method, Request
from interpmd.attribution.models import CountedModel, Model, as_model
from interpmd.attribution.relaxation import relaxed
from interpmd.attribution.targets import Target, as_target
from interpmd.errors import GaugeError, MethodError, StructureError
from interpmd.potentials.watch import DOUBTFUL, watch_of
from interpmd.structures.charged_parts import with_fragment_charges
from interpmd.structures.coordinates import Coordinates
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.fragments import fragments_of
from interpmd.structures.groups import Grouping
from interpmd.structures.systems import check_structure


def explain(
    model: Any,
    atoms: Structures,
    target: Target | None = None,
    method: str | None = None,
    order: int | str | None = "auto",
    context: str = "vacuum",
    fragments: str | Sequence[Sequence[int]] | None = None,
    *,
    gauge: str | Gauge | Grouping | Coordinates | None = None,
    reference: Atoms | str | None = None,
    fragment_charges: Sequence[float] | None = None,
    progress: bool = True,
    **options: Any,
) -> Explanation:
    """Explain the energy, a force, or a torque.

    Args:
        model: a Potential, a level of theory by name ("gfn2-xtb"), any ASE calculator, or a torch
            function (`TorchModel`).
        atoms: the structure, or a file of it (see `read_frames`).
        target: `Energy()` (if None), `Force(atom, along=...)` or `Torque(dihedral)`.
        method: see `methods`; that of the gauge if None.
        order: largest number of players that get a value together (the largest body order of
            the rows); what is above stands as remainders. "auto": 3, of groups as many as are
            few; None: all.
        context: "vacuum": a cluster by itself; "in_situ": the effect of taking it away from the
            whole structure.
        fragments: players instead of single atoms; see `fragments_of`.
        gauge: what "absent" means: "internal", "groups", "molecules" or "atoms" (see `gauges`), or
            one that is ready (`groups_of`). If None it is chosen by the system, unless a method,
            order, context or fragments are asked for, which are those of atoms. Named in the
            result.
        reference: explain the difference from another structure of the same atoms, or from the
            "relaxed" one, which the model's own forces lead to.
        fragment_charges: charge in e of each fragment (molecule, or atom where these are the
            players), in their order. If None they follow from Lewis structures, where the model
            sees charges; see `interpmd.structures.charged_parts`.
        progress: whether to show a bar where error bars of forces take longer than some seconds.
        options: of the method, for instance `samples` and `seed` of those that sample.

    Raises:
        GaugeError, MethodError: unknown gauge, method, context or option, or one that does not
            suit the model, the question or the other.
        ModelError: the model gives no energies and forces.
        TargetError: no such atom, or no direction.
        FragmentError: no such fragments, or a charged structure whose parts have charges that are
            not known.
        StructureError, UnknownElementError: the structure cannot be evaluated.

    Warns:
        ExtrapolationWarning: an atom of the structure is unlike the training data.
    """
    atoms = one_structure(atoms)
    target = as_target(target)
    wrapped = CountedModel(as_model(model))
    if wrapped.potential is None:
        check_structure(atoms)
    else:
        wrapped.potential.batch(atoms)
    frames = [atoms]
    if reference is not None:
        frames.append(reference_structure(wrapped, atoms, reference))
    chosen_gauge = settled_gauge(frames, target, gauge, method, order, context, fragments)
    chosen, order = settled_method(chosen_gauge, method, order, context, options)
    if chosen.models == "potential" and wrapped.potential is None:
        raise MethodError(f"{chosen.name} needs an interpmd potential, not {wrapped.name}")
    if target.functional(atoms).vector and not chosen.vectors:
        raise MethodError(
            f"{chosen.name} explains numbers only; give the force a direction (along=)"
        )
    if fragment_charges is not None:
        frames = [_charged(wrapped, f, chosen_gauge, fragment_charges) for f in frames]
    arguments.seeds(**{key: value for key, value in options.items() if key == "seed"})
    arguments.count(**{key: value for key, value in options.items() if key == "samples"})
    answers = []
    for frame in frames:
        request = Request(
            model=wrapped,
            atoms=frame.copy(),
            target=target,
            order=order,
            gauge=chosen_gauge,
            context=context,
            fragments=chosen_gauge.players,
            progress=progress,
        )
        answer = chosen.run(request, **options)
        answers.append(
            replace(
                answer,
                method=chosen.name,
                gauge=chosen_gauge.name,
                exact=chosen.exact,
                statement=_with_reason(answer.statement, chosen_gauge)
                + _words_of_charges(request, chosen_gauge),
            )
        )
    answer = answers[0]
    if reference is not None:
        answer = replace(answers[0] - answers[1], reference=frames[1].copy())
    grade, of_parts = wrapped.grade, wrapped.grade is not None
    if grade is None and chosen.error_bars and options.get("error_bars", True):
        wrapped.posterior(frames)  # a table asks for no posterior of structures
        grade = wrapped.grade
    if wrapped.potential is not None and (grade is None or not grade <= DOUBTFUL):
        graded = [watch_of(wrapped.potential).look(wrapped.potential, frame) for frame in frames]
        if grade is None and None not in graded:
            grade = max(graded)
    if grade is not None:
        name = "grade" if of_parts or chosen_gauge.name == "internal" else WHOLE
        answer = replace(answer, checks=answer.checks | {name: grade})
    # the games of some methods count the parts that they evaluate, the model all of them
    return replace(answer, evaluations=answer.evaluations + wrapped.evaluations)


def settled_gauge(
    frames: Sequence[Atoms],
    target: Target,
    gauge: str | Gauge | Grouping | Coordinates | None = None,
    method: str | None = None,
    order: int | str | None = "auto",
    context: str = "vacuum",
    fragments: str | Sequence[Sequence[int]] | None = None,
) -> Gauge:
    """The gauge of a question, made for all frames; for the arguments see `explain`.

    Raises:
        GaugeError, FragmentError: see `explain`.
    """
    players = None if fragments is None else fragments_of(frames[0], fragments)
    if gauge is not None:
        return as_gauge(gauge, frames, players)
    if fragments == "molecules":
        return MoleculesGauge(players or ())
    if arguments.named(method, METHODS) and "atoms" not in METHODS[method].gauges:
        return as_gauge(METHODS[method].gauges[0], frames, players)
    classic = (method, order, context, fragments) != (None, "auto", "vacuum", None)
    return AtomsGauge(players) if classic else suitable_gauge(frames, target)


def _suitable(name: str, gauge: Gauge, context: str) -> Method:
    """The method of that name, if it suits the gauge and the context."""
    if not arguments.named(name, METHODS):
        raise MethodError(f"no method is called {name!r}; known: {', '.join(METHODS)}")
    chosen = METHODS[name]
    if gauge.name not in chosen.gauges:
        others = [m for m, about in METHODS.items() if gauge.name in about.gauges]
        raise MethodError(
            f"{name} does not suit the gauge {gauge.name!r}, where absent means that "
            f"{gauge.absent}; it suits {', '.join(chosen.gauges)}, and the gauge has "
            f"{', '.join(others)}"
        )
    if context not in chosen.contexts or (context != "vacuum" and gauge.name == "groups"):
        raise MethodError(
            f"{name} knows no context {context!r} in the gauge {gauge.name!r}; known: "
            f"{', '.join(chosen.contexts) if gauge.name != 'groups' else 'vacuum'}"
        )
    return chosen


def _with_reason(statement: str, gauge: Gauge) -> str:
    """A statement with the reason why the gauge is not the one that the system calls for."""
    because = gauge.because if isinstance(gauge, AtomsGauge) else ""
    return f"{statement} Atoms are the players: {because}." if because else statement


def _charged(model: Model, atoms: Atoms, gauge: Gauge, charges: Sequence[float]) -> Atoms:
    """A frame whose players carry the charges that the user gave."""
    if gauge.name not in ("molecules", "atoms"):
        hint = "give them to groups_of(atoms, groups, charges)" if gauge.name == "groups" else (
            "its coordinates carry none; leave them out"
        )  # fmt: skip
        raise GaugeError(f'the gauge "{gauge.name}" takes no fragment_charges: {hint}')
    players = gauge.players or [(atom,) for atom in range(len(atoms))]
    return with_fragment_charges(atoms, players, charges, model.charge_of(atoms))


def _words_of_charges(request: Request, gauge: Gauge) -> str:
    """Which players carry a charge, where the model sees it; nothing where all are neutral."""
    if gauge.name not in ("molecules", "atoms"):
        return ""
    charges = part_charges(request.model, request.atoms)
    players = gauge.players or [(atom,) for atom in range(len(charges))]
    carried = [(members, charges[list(members)].sum()) for members in players]
    named = [
        f"{request.atoms[list(members)].symbols} ({members[0]}) {charge:+g}"
        for members, charge in carried
        if abs(charge) > 1e-6
    ]
    if not named:
        return ""
    return f" Parts by themselves carry the charges of their players, in e: {', '.join(named)}."


def reference_structure(model: Model, atoms: Atoms, reference: Atoms | str) -> Atoms:
    """The structure that another is compared with; for the arguments and errors see `explain`."""
    if isinstance(reference, Atoms):
        if len(reference) != len(atoms) or (reference.numbers != atoms.numbers).any():
            raise StructureError(
                f"the reference is {reference.symbols}, not the atoms of {atoms.symbols} in order"
            )
        return reference
    if reference == "relaxed":
        return relaxed(model, atoms)
    raise MethodError(f'a reference is a structure or "relaxed", not {reference!r}')


def settled_order(order: int | str | None, gauge: Gauge) -> int | None:
    """Largest number of players of a row, that of the gauge if "auto".

    Raises:
        MethodError: no number of players, or a gauge that has none.
    """
    if order == "auto":
        return gauge.default_order
    if gauge.name == "internal":
        raise MethodError(
            'order counts players, and the coordinates of the gauge "internal" are none; leave '
            'order out, or take gauge="groups", "molecules" or "atoms"'
        )
    if order is None:
        return None
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or order < 1:
        raise MethodError(f"order is a number of players, 1 or more, not {order!r}")
    return int(order)


def settled_method(
    gauge: Gauge,
    method: str | None,
    order: int | str | None,
    context: str,
    options: Mapping[str, Any],
) -> tuple[Method, int | None]:
    """The method and the order of a question, if they suit each other, the gauge and the options.

    Raises:
        MethodError: they do not.
    """
    chosen = _suitable(gauge.method if method is None else method, gauge, context)
    settled = settled_order(order, gauge)
    known = options_of(chosen.name)
    if unknown := set(options) - set(known):
        raise MethodError(
            f"{chosen.name} has no option {', '.join(sorted(unknown))}; known: "
            + (", ".join(known) or "none")
        )
    return chosen, settled


def options_of(method: str) -> list[str]:
    """Names of the options that a method takes; none of an unknown one."""
    if not arguments.named(method, METHODS):
        return []
    parameters = signature(METHODS[method].run).parameters
    return [name for name, p in parameters.items() if p.default is not p.empty]


def knows_error_bars(method: str) -> bool:
    """Whether a method knows the posterior of its values; an unknown one does not."""
    return arguments.named(method, METHODS) and METHODS[method].error_bars


def cooperativity(
    model: Any,
    atoms: Structures,
    target: Target | None = None,
    order: int = 2,
    fragments: str | Sequence[Sequence[int]] | None = None,
    fragment_charges: Sequence[float] | None = None,
) -> Explanation:
    """How the others change what a cluster does: its effect in situ less that in vacuum.

    Zero where interactions are additive; every value is the sum of all larger interactions that
    the cluster takes part in.

    Args:
        model, atoms, target, order, fragments, fragment_charges: see `explain`.
    """
    there, alone = (
        explain(
            model,
            atoms,
            target,
            "mobius",
            order,
            context,
            fragments,
            fragment_charges=fragment_charges,
        )
        for context in ("in_situ", "vacuum")
    )
    return there - alone[~alone.clusters.remainder]
