"""What every method of explanation must satisfy, as one function to call on any method."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.data import chemical_symbols

from interpmd import arguments
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.methods.dispatch import explain
from interpmd.attribution.methods.registry import METHODS
from interpmd.attribution.targets import Energy, Force, Power, Target
from interpmd.errors import MethodError
from interpmd.potentials.analytic import LennardJones
from interpmd.potentials.isolated import Isolated
from interpmd.potentials.potential import Potential
from interpmd.potentials.watch import unwatched
from interpmd.structures.fragments import fragments_of

#: Distance in Å at which atoms no longer interact.
FAR = 1000.0


def check_explainer(
    method: str,
    potential: Potential,
    atoms: Atoms,
    order: int | None = 2,
    seed: int = 0,
    gauge: str | None = None,
    **options: Any,
) -> int:
    """Check that a method keeps what it guarantees, on one potential and one structure.

    Checked for the energy and for a force component, as far as `interpmd.methods()` claims it:
    the values sum to the target (complete); an atom (in the gauge "molecules" a copy of the
    first molecule) too far away to feel anything gets its own energy and nothing of a force
    (null player; not where charges flow to it all the same; groups: where nothing interacts each
    gets the energies of its atoms); atoms and their mirror images
    get the same (symmetric); explanations of a sum of potentials are the sum of explanations
    (linear); no value moves or turns the whole (momentum). Always: finite values, the same values
    when asked again, and for methods that are exact and symmetric the same after translation,
    rotation and permutation. Distant atoms, mirror images and turns are checked where the
    structure is a molecule.

    Args:
        method: name under which it is registered.
        potential: what is explained.
        atoms: a structure that it knows; a few atoms, since many methods evaluate all coalitions.
        order, options: of `explain`.
        seed: of directions and rotations.
        gauge: see `explain`.

    Returns:
        The number of targets (energy, force) that the method explains.

    Raises:
        AssertionError: naming the guarantee, the target, and by how much it fails.
    """
    arguments.seeds(seed=seed)
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=3)
    asked = _Asked(method, potential, order, gauge, options)
    answered = 0
    for target in (Energy(), Force(0, along=direction)):
        try:
            explanation = asked(atoms, target)
        except MethodError:
            continue
        answered += 1
        for guarantee, error in _errors(asked, atoms, target, explanation, rng):
            if not error <= METHODS[method].rounding * (1 + float(np.abs(explanation.total))):
                where = f", gauge {gauge}" if gauge else ""
                raise AssertionError(
                    f"{method} of {target}{where}: not {guarantee}, by {error:.3g}"
                )
    return answered


class _Asked:
    """`explain` with everything fixed but the structure, the target and the potential."""

    def __init__(
        self,
        method: str,
        potential: Potential,
        order: int | None,
        gauge: str | None,
        options: dict,
    ) -> None:
        self.method, self.potential, self.order, self.gauge = method, potential, order, gauge
        self.options, self.guarantees = options, METHODS[method].guarantees

    def __call__(
        self, atoms: Atoms, target: Target, potential: Potential | None = None
    ) -> Explanation:
        chosen = self.potential if potential is None else potential
        order = self.order if METHODS[self.method].has_players else "auto"
        return explain(chosen, atoms, target, self.method, order, gauge=self.gauge, **self.options)


def _errors(
    asked: _Asked, atoms: Atoms, target: Target, explanation: Explanation, rng: np.random.Generator
) -> Iterator[tuple[str, float]]:
    yield "finite", 0.0 if np.isfinite(explanation.values).all() else np.inf
    again = asked(atoms, target)
    yield "the same again", _apart(_by_atom(explanation), _by_atom(again))
    if "complete" in asked.guarantees:
        yield "complete", explanation.residual
    if "momentum" in asked.guarantees:
        yield "free of net momentum", _moving(asked, atoms, rng)
        if not atoms.pbc.any():
            yield "free of net angular momentum", _turning(asked, atoms, rng)
    if "linear" in asked.guarantees:
        other = Potential({"another": LennardJones.example()})
        both = asked(atoms, target, asked.potential + other)
        parts = _by_atom(explanation).add(_by_atom(asked(atoms, target, other)), fill_value=0.0)
        yield "linear", _apart(_by_atom(both), parts)
    if METHODS[asked.method].exact and "symmetric" in asked.guarantees:
        yield "the same in any frame and order", _moved(asked, atoms, target, explanation, rng)
    if atoms.pbc.any():
        return
    if asked.gauge == "groups":  # whose coalitions are those of one molecule
        if "null player" in asked.guarantees:
            yield "null player", _bystanders(asked, atoms, target)
        return
    if "null player" in asked.guarantees:
        yield "null player", _far_away(asked, atoms, target)
    if "symmetric" in asked.guarantees and isinstance(target, Energy):
        yield "symmetric", _mirrored(asked, atoms)


def _moved(
    asked: _Asked, atoms: Atoms, target: Target, explanation: Explanation, rng: np.random.Generator
) -> float:
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    order = rng.permutation(len(atoms))
    moved = atoms[order]
    moved.positions = moved.positions @ turn.T + rng.normal(size=3)
    moved.cell = np.asarray(moved.cell) @ turn.T
    if isinstance(target, Force):
        first = int(np.flatnonzero(order == 0)[0])
        target = Force(first, along=turn @ np.asarray(target.along))
    there = _by_atom(asked(moved, target))
    there.index = order[there.index.to_numpy(dtype=int)]
    return _apart(_by_atom(explanation), there)


def _moving(asked: _Asked, atoms: Atoms, rng: np.random.Generator) -> float:
    """Largest net force of a value on all atoms together, in a random direction, in eV/Å."""
    everyone = Force(tuple(range(len(atoms))), along=rng.normal(size=3))
    return float(np.abs(asked(atoms, everyone).values).max(initial=0.0))


def _turning(asked: _Asked, atoms: Atoms, rng: np.random.Generator) -> float:
    """Largest net torque of a value about a random axis in eV: its power in a rigid rotation."""
    turning = atoms.copy()
    arms = atoms.positions - atoms.positions.mean(0)
    axis = rng.normal(size=3)
    turning.set_velocities(np.cross(axis / np.linalg.norm(axis), arms) / units.fs)
    return float(np.abs(asked(turning, Power()).values).max(initial=0.0))


def _far_away(asked: _Asked, atoms: Atoms, target: Target) -> float:
    """What a player far away gets beyond its own energy, or of a force."""
    last = len(atoms)
    first = fragments_of(atoms)[0] if asked.gauge == "molecules" else (0,)
    lone = atoms[list(first)]
    far = Atoms(lone.symbols, positions=lone.positions + FAR)
    together, here, alone = (
        float(asked.potential.predict_unwatched(a).energy[0]) for a in (atoms + far, atoms, lone)
    )
    if abs(together - here - alone) > 1e-10 * (1 + abs(together)):
        return 0.0  # it interacts all the same
    with unwatched():
        explanation = asked(atoms + far, target)
    of_players = explanation[~explanation.clusters.remainder]
    value = float(_by_atom(of_players).loc[lambda v: v.index >= last].sum())
    return abs(value - alone) if isinstance(target, Energy) else abs(value)


def _bystanders(asked: _Asked, atoms: Atoms, target: Target) -> float:
    """What groups get beyond the energies of their atoms where atoms are all there is."""
    energies = {
        symbol: -(float(z) ** 1.5) for z, symbol in enumerate(chemical_symbols) if 0 < z < 20
    }
    explanation = asked(atoms, target, Potential([Isolated(energies)]))
    sums = explanation.by("fragment")
    own = [sum(energies[atoms.symbols[a]] for a in m) for m in explanation.fragments or ()]
    of_energy = isinstance(target, Energy)
    expected = {(k,): value * of_energy for k, value in enumerate(own)}
    return max(abs(float(value) - expected.get(k, 0.0)) for k, value in sums.items())


def _mirrored(asked: _Asked, atoms: Atoms) -> float:
    """Difference between atoms and their mirror images."""
    images, gap = atoms.copy(), 1.6 if asked.gauge == "molecules" else 0.75
    images.positions[:, 0] = 2 * (atoms.positions[:, 0].min() - gap) - atoms.positions[:, 0]
    with unwatched():
        values = _by_atom(asked(atoms + images, Energy()))
    values = values.reindex(range(2 * len(atoms)), fill_value=0.0).to_numpy()
    return float(np.abs(values[: len(atoms)] - values[len(atoms) :]).max())


def _by_atom(explanation: Explanation) -> pd.Series:
    values = explanation.by("atom")
    assert isinstance(values, pd.Series), "energies and components are numbers"
    return values


def _apart(first: pd.Series, second: pd.Series) -> float:
    return float(first.sub(second, fill_value=0.0).abs().max()) if len(first) + len(second) else 0.0
