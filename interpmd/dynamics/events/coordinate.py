"""Reaction coordinates: a function of the structure, and where its two states begin.

A coordinate at or below `low` is in the first state, at or above `high` in the second; between them
lies the surface `middle`, whose crossing counts as the moment of an event. Two thresholds instead
of one tell an event from a recrossing: who comes back before reaching the other state has had none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from jaxtyping import Float

from interpmd import arguments
from interpmd.errors import ArgumentError, ReactionError, StructureError


@dataclass(frozen=True)
class ReactionCoordinate:
    """What is watched, and the states between which it goes.

    Attributes:
        function: from a structure to a number.
        low: at or below it lies the first state.
        middle: whose crossing is the moment of an event.
        high: at or above it lies the second state.
        name, unit: for tables and pictures.
        states: names of the two states.
        period: of a coordinate that comes back to itself (360 for degrees), else None; its values
            are then counted from half a period below `middle` to half a period above it.
        atoms: on which it depends; all if None.
    """

    function: Callable[[Atoms], float]
    low: float
    middle: float
    high: float
    name: str = "coordinate"
    unit: str = ""
    states: tuple[str, str] = ("A", "B")
    period: float | None = None
    atoms: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        arguments.finite(low=self.low, middle=self.middle, high=self.high)
        if not self.low < self.middle < self.high:
            raise ArgumentError(
                f"low, middle and high of a coordinate ascend, not {self.low}, {self.middle}, "
                f"{self.high}"
            )

    def __call__(self, atoms: Atoms) -> float:
        """The value for a structure.

        Raises:
            ReactionError: the function gives no finite number.
        """
        value = self.function(atoms)
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = np.nan
        if not np.isfinite(number):
            raise ReactionError(
                f"the coordinate {self.name!r} is {value!r} for {atoms.symbols}, not a finite "
                "number; its function takes ase.Atoms and returns one"
            )
        if self.period is not None:
            turns = round((number - self.middle) / self.period)
            number -= self.period * turns
        return number

    def values(self, frames: Sequence[Atoms]) -> Float[np.ndarray, " frames"]:
        """The values for some structures."""
        return np.array([self(atoms) for atoms in frames])

    def state(self, value: float) -> int:
        """0 in the first state, 1 in the second, −1 between them."""
        return 0 if value <= self.low else 1 if value >= self.high else -1

    def slope(self, atoms: Atoms, step: float = 1e-4) -> Float[np.ndarray, "atoms 3"]:
        """Derivatives with respect to the positions, by central differences of `step` Å."""
        moved, slope = atoms.copy(), np.zeros((len(atoms), 3))
        for atom in range(len(atoms)) if self.atoms is None else self.atoms:
            for axis in range(3):
                ends = []
                for sign in (1, -1):
                    moved.positions[atom, axis] = atoms.positions[atom, axis] + sign * step
                    ends.append(self(moved))
                moved.positions[atom, axis] = atoms.positions[atom, axis]
                change = ends[0] - ends[1]
                if self.period is not None:
                    change -= self.period * round(change / self.period)
                slope[atom, axis] = change / (2 * step)
        return slope

    def with_states(self, low: float, middle: float, high: float) -> ReactionCoordinate:
        """The same coordinate with other states."""
        return replace(self, low=low, middle=middle, high=high)

    def check(self, atoms: Atoms) -> None:
        """Whether a structure has the atoms that the coordinate is about.

        Raises:
            StructureError: it has not.
        """
        if wrong := [a for a in self.atoms or () if not 0 <= a < len(atoms)]:
            raise StructureError(
                f"the coordinate {self.name!r} is about atom {wrong[0]}, and the structure has "
                f"{len(atoms)} atoms, numbered from 0"
            )

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return (
            f"{self.name}: {self.states[0]} up to {self.low:g}{unit}, {self.states[1]} from "
            f"{self.high:g}{unit}"
        )


@dataclass(frozen=True)
class _Transfer:
    """Distance from the donor less distance from the acceptor."""

    donor: int
    proton: int
    acceptor: int

    def __call__(self, atoms: Atoms) -> float:
        return _distance(atoms, self.donor, self.proton) - _distance(
            atoms, self.acceptor, self.proton
        )


@dataclass(frozen=True)
class _Distance:
    first: int
    second: int

    def __call__(self, atoms: Atoms) -> float:
        return _distance(atoms, self.first, self.second)


@dataclass(frozen=True)
class _Torsion:
    members: tuple[int, int, int, int]

    def __call__(self, atoms: Atoms) -> float:
        return float(atoms.get_dihedral(*self.members, mic=bool(atoms.pbc.any())))


@dataclass(frozen=True)
class _Pucker:
    """See `ring_pucker`."""

    ring: tuple[int, ...]

    def __call__(self, atoms: Atoms) -> float:
        size = len(self.ring)
        places = atoms.positions[list(self.ring)]
        if atoms.pbc.any():
            steps, _ = find_mic(places[1:] - places[:-1], atoms.cell, atoms.pbc)
            places = places[0] + np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
        arms = places - places.mean(0)
        turns = 2 * np.pi * np.arange(size) / size
        normal = np.cross(np.sin(turns) @ arms, np.cos(turns) @ arms)
        heights = arms @ (normal / np.linalg.norm(normal))
        if size % 2:
            return float(np.sqrt(2 / size) * (np.cos(2 * turns) @ heights))
        return float((-1.0) ** np.arange(size) @ heights / np.sqrt(size))


def proton_transfer(
    proton: int, donor: int, acceptor: int, edge: float = 0.5
) -> ReactionCoordinate:
    """A proton that goes from a donor to an acceptor: d(donor, H) − d(acceptor, H) in Å.

    Args:
        proton, donor, acceptor: atoms.
        edge: Å. The proton is at the donor below −edge, at the acceptor above it.

    Raises:
        ArgumentError: equal atoms, or an edge that is not above 0.
    """
    _different(proton=proton, donor=donor, acceptor=acceptor)
    arguments.positive(edge=edge)
    return ReactionCoordinate(
        _Transfer(donor, proton, acceptor),
        -edge,
        0.0,
        edge,
        f"transfer of proton {proton} from {donor} to {acceptor}",
        "Å",
        (f"at {donor}", f"at {acceptor}"),
        None,
        (donor, proton, acceptor),
    )


def hydrogen_bond(
    hydrogen: int, acceptor: int, made: float = 2.2, broken: float = 2.8
) -> ReactionCoordinate:
    """A hydrogen bond that is made or broken: d(H, acceptor) in Å.

    Args:
        hydrogen, acceptor: atoms.
        made: Å. Below it the bond is made. broken: Å. Above it the bond is broken.

    Raises:
        ArgumentError: equal atoms, or distances that do not ascend.
    """
    _different(hydrogen=hydrogen, acceptor=acceptor)
    arguments.positive(made=made, broken=broken)
    return ReactionCoordinate(
        _Distance(hydrogen, acceptor),
        made,
        0.5 * (made + broken),
        broken,
        f"hydrogen bond {hydrogen}···{acceptor}",
        "Å",
        ("made", "broken"),
        None,
        (hydrogen, acceptor),
    )


def torsion_flip(
    i: int, j: int, k: int, l: int, middle: float, edge: float = 30.0
) -> ReactionCoordinate:
    """A torsion that turns past a barrier: the dihedral i-j-k-l in degrees.

    Args:
        i, j, k, l: atoms.
        middle: degrees, of the barrier between the two states.
        edge: degrees from there to either state, below 180.

    Raises:
        ArgumentError: equal atoms, or an edge out of range.
    """
    _different(i=i, j=j, k=k, l=l)
    arguments.finite(middle=middle)
    arguments.positive(edge=edge)
    if edge >= 180:
        raise ArgumentError(f"edge is below 180 degrees, not {edge}")
    return ReactionCoordinate(
        _Torsion((i, j, k, l)),
        middle - edge,
        middle,
        middle + edge,
        f"torsion {i}-{j}-{k}-{l}",
        "°",
        (f"below {middle - edge:g}°", f"above {middle + edge:g}°"),
        360.0,
        (i, j, k, l),
    )


def ring_pucker(ring: Sequence[int], edge: float = 0.2) -> ReactionCoordinate:
    """A ring that flips: Cremer and Pople's pucker in Å (J. Am. Chem. Soc. 97, 1354, 1975).

    Of a ring with an even number of atoms, q(N/2) of their equation 14, which tells one chair from
    the other; with an odd number q2 cos φ2 of equation 12, which tells an envelope from its mirror
    image.

    Args:
        ring: its atoms, in order around it.
        edge: Å; the first state lies below −edge, the second above it.

    Raises:
        ArgumentError: fewer than four atoms, equal atoms, or an edge that is not above 0.
    """
    ring = arguments.atoms_of(ring, "ring")
    if len(ring) < 4 or len(set(ring)) < len(ring):
        raise ArgumentError(f"a ring that puckers has four different atoms or more, not {ring}")
    arguments.positive(edge=edge)
    name = f"pucker of ring {'-'.join(map(str, ring))}"
    return ReactionCoordinate(
        _Pucker(ring), -edge, 0.0, edge, name, "Å", ("down", "up"), None, ring
    )


def as_coordinate(given: Any, low: float | None, middle: float | None, high: float | None):
    """A reaction coordinate, or a function of a structure together with the states that it needs.

    Raises:
        ArgumentError: something else, or a function without states.
    """
    if isinstance(given, ReactionCoordinate):
        if low is None and middle is None and high is None:
            return given
        low, high = given.low if low is None else low, given.high if high is None else high
        return given.with_states(low, given.middle if middle is None else middle, high)
    if not callable(given):
        raise ArgumentError(
            "a coordinate is one of im.proton_transfer, im.hydrogen_bond, im.torsion_flip, "
            f"im.ring_pucker, or a function of ase.Atoms with low= and high=, not {given!r}"
        )
    if low is None or high is None:
        raise ArgumentError(
            "a function of the structure needs its two states: low=, at or below which the first "
            "one lies, and high=, at or above which the second one does"
        )
    arguments.finite(low=low, high=high)
    middle = 0.5 * (low + high) if middle is None else middle
    name = getattr(given, "__name__", type(given).__name__)
    return ReactionCoordinate(given, low, middle, high, "coordinate" if "<" in name else name)


def _distance(atoms: Atoms, i: int, j: int) -> float:
    vector = atoms.positions[j] - atoms.positions[i]
    if atoms.pbc.any():
        vector = find_mic(vector, atoms.cell, atoms.pbc)[0]
    return float(np.sqrt(vector @ vector))


def _different(**atoms: int) -> None:
    """Raise ArgumentError unless all are whole numbers, 0 or more, and differ."""
    arguments.count(0, **atoms)
    if len(set(atoms.values())) < len(atoms):
        words = ", ".join(f"{name}={atom}" for name, atom in atoms.items())
        raise ArgumentError(f"these atoms must differ: {words}")
