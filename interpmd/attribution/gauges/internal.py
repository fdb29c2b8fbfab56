"""Forces as tensions of internal coordinates.

Every force that neither moves a molecule as a whole nor turns it is carried by its coordinates:
F = B^T g with Wilson's B = dq/dx and a tension g = -dE/dq for every coordinate. Coordinates are
redundant, so that many g do; the one with the least sum of g²/k, with k the stiffness of each, is
unique and does not depend on units:

    g = K B (B^T K B)^+ F

It is what a harmonic molecule with the stiffnesses K would answer: (B^T K B)^+ F is how far the
forces displace its atoms, B makes stretches of that, K tensions. What is left of F, because no
coordinate sees it, is the motion of the whole (a net force or torque, as of an external field) or
a direction that the coordinates do not span; it stands as remainder, so that rows and remainders
always sum to the forces.

The tensions are linear in the forces: error bars from samples of forces are exact. The choice of
the stiffnesses is a convention; `convention_bars` says how much the rows depend on it. In a
molecule without rings it decides only what the angles and the out-of-plane motion at one centre
share among them: bonds and torsions have nothing to share with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from interpmd.errors import InternalGaugeError
from interpmd.structures.coordinates import Coordinates, model_stiffness
from interpmd.structures.coordinates.span import Span, model_hessian, span

#: Names of what no coordinate carries.
REMAINDERS = (
    "whole system: translation",
    "whole system: rotation",
    "not spanned by the coordinates",
)

#: eV/Å. Remainders below this come from the convergence of a calculation, and need not be shown.
NEGLIGIBLE = 1e-4

#: Standard deviation of the logarithm of the stiffnesses in `convention_bars`.
SPREAD = 0.5


@dataclass(frozen=True)
class Balance:
    """Coordinates at one frame, ready to take up forces.

    Attributes:
        coordinates: the set.
        derivatives: B, shape (components, atoms, 3).
        stiffnesses: K, shape (components,).
        span: what the coordinates see, and (B^T K B)^+.
    """

    coordinates: Coordinates
    derivatives: Float[np.ndarray, "components atoms 3"]
    stiffnesses: Float[np.ndarray, " components"]
    span: Span


@dataclass(frozen=True)
class Tensions:
    """Forces as rows, one for each coordinate.

    Attributes:
        coordinates: whose `labels`, `kinds` and `atoms` name the rows.
        tensions: g = -dE/dq of each component in eV/Å, eV/rad or eV, shape (components,).
        rows: forces of each row in eV/Å, shape (rows, atoms, 3); their sum and that of the
            remainders is the force.
        remainders: in the order of `REMAINDERS`, shape (3, atoms, 3); zero to rounding where
            the forces neither move nor turn the whole and the coordinates are complete.
    """

    coordinates: Coordinates
    tensions: Float[np.ndarray, " components"]
    rows: Float[np.ndarray, "rows atoms 3"]
    remainders: Float[np.ndarray, "3 atoms 3"]

    def named_remainders(
        self, tolerance: float = NEGLIGIBLE
    ) -> dict[str, Float[np.ndarray, "atoms 3"]]:
        """Remainders whose largest component exceeds the tolerance in eV/Å, by name."""
        return {
            name: forces
            for name, forces in zip(REMAINDERS, self.remainders, strict=True)
            if np.abs(forces).max(initial=0.0) > tolerance
        }


def balance(
    coordinates: Coordinates,
    positions: Float[np.ndarray, "atoms 3"],
    stiffnesses: Float[np.ndarray, " components"] | None = None,
    cell: Float[np.ndarray, "3 3"] | None = None,
) -> Balance:
    """Everything about a frame that does not depend on the forces: one factorisation.

    Args:
        coordinates: see `internal_coordinates`.
        positions: Å.
        stiffnesses: of the components; by the model Hessian at these positions if None.
        cell: of this frame in Å; that of the coordinates if None.

    Raises:
        InternalGaugeError: stiffnesses that are too few, or not positive.
        CoordinateError: positions of another number of atoms.
    """
    positions = np.asarray(positions, dtype=float)
    derivatives = coordinates.derivatives(positions, cell)
    if stiffnesses is None:
        stiffnesses = model_stiffness(coordinates, positions, cell)
    stiffnesses = np.asarray(stiffnesses, dtype=float)
    if stiffnesses.shape != (len(derivatives),) or not (stiffnesses > 0).all():
        raise InternalGaugeError(
            f"stiffnesses must be {len(derivatives)} positive numbers, one for each component of "
            f"the coordinates; got shape {stiffnesses.shape}, least value "
            f"{stiffnesses.min(initial=np.inf):.3g}"
        )
    places = coordinates.put_together(positions, cell)
    seen = span(derivatives, stiffnesses, places)
    return Balance(coordinates, derivatives, stiffnesses, seen)


def tensions(
    coordinates: Coordinates,
    positions: Float[np.ndarray, "atoms 3"],
    forces: Float[np.ndarray, "atoms 3"],
    stiffnesses: Float[np.ndarray, " components"] | None = None,
    cell: Float[np.ndarray, "3 3"] | None = None,
) -> Tensions:
    """Rows of the forces (eV/Å) of one frame; for the other arguments and errors see `balance`."""
    return carried(balance(coordinates, positions, stiffnesses, cell), forces)


def carried(at: Balance, forces: Float[np.ndarray, "atoms 3"]) -> Tensions:
    """Rows of forces (eV/Å), with the coordinates at this frame at hand.

    Raises:
        InternalGaugeError: forces of another shape, or not finite.
    """
    g, rest = _solved(at, _checked(at, forces)[None])
    return Tensions(at.coordinates, g[0], _rows(at, g[0]), _remainders(at.span, rest[0]))


def sample_rows(
    at: Balance, samples: Float[np.ndarray, "samples atoms 3"]
) -> Float[np.ndarray, "samples rows atoms 3"]:
    """Rows of several forces (eV/Å) at one frame, as of draws from a posterior.

    Raises:
        InternalGaugeError: see `carried`.
    """
    g, _ = _solved(at, _checked(at, samples))
    return np.stack([_rows(at, one) for one in g])


def error_bars(
    at: Balance, samples: Float[np.ndarray, "samples atoms 3"]
) -> Float[np.ndarray, "rows atoms 3"]:
    """Standard deviation of the rows over samples of the forces (eV/Å)."""
    return sample_rows(at, samples).std(axis=0)


def convention_rows(
    at: Balance,
    forces: Float[np.ndarray, "atoms 3"],
    draws: int = 32,
    spread: float = SPREAD,
    seed: int = 0,
) -> Float[np.ndarray, "draws rows atoms 3"]:
    """Rows under other conventions: every stiffness takes a factor exp(N(0, spread)).

    Args:
        at: coordinates at the frame.
        forces: eV/Å.
        draws: how many times all stiffnesses are drawn; one factor for each row.
        spread: standard deviation of the logarithm.
        seed: of the random numbers.

    Raises:
        InternalGaugeError: see `carried`.
    """
    normal = np.random.default_rng(seed).normal(size=(draws, len(at.coordinates)))
    factors = np.exp(spread * normal)[:, at.coordinates.row]
    matrix, unseen = _matrix(at), at.span.unseen
    force = _checked(at, forces).ravel()
    # the motions that no coordinate sees are the same for all stiffnesses
    force = force - unseen @ (unseen.T @ force)
    drawn = []
    for k in at.stiffnesses * factors:
        hessian = model_hessian(at.derivatives, k)
        # a lone atom has no coordinates and no Hessian
        hessian += (np.trace(hessian) or 1.0) * (unseen @ unseen.T)
        drawn.append(_rows(at, k * (matrix @ np.linalg.solve(hessian, force))))
    return np.stack(drawn)


def convention_bars(
    at: Balance,
    forces: Float[np.ndarray, "atoms 3"],
    draws: int = 32,
    spread: float = SPREAD,
    seed: int = 0,
) -> Float[np.ndarray, "rows atoms 3"]:
    """Root mean square of what rows move by under other conventions; see `convention_rows`."""
    moved = convention_rows(at, forces, draws, spread, seed) - carried(at, forces).rows
    return np.sqrt(np.mean(moved**2, axis=0))


def works(
    coordinates: Coordinates,
    positions: Float[np.ndarray, "frames atoms 3"],
    forces: Float[np.ndarray, "frames atoms 3"],
    stiffnesses: Float[np.ndarray, " components"] | None = None,
    cells: Float[np.ndarray, "frames 3 3"] | None = None,
    rule: str = "trapezoid",
) -> Float[np.ndarray, "frames rows"]:
    """Work of each row since the first frame in eV: the integral of g dq.

    Works sum to the work of the forces, minus the change of the potential energy, with an error
    that falls with the square of the step, by splines with its fourth power. Where the cell changes
    too, they hold the work of the stress that the coordinates carry.

    Args:
        coordinates: made from all frames, so that they hold throughout.
        positions: Å, unwrapped: no atom may jump across the cell.
        forces: eV/Å.
        stiffnesses: frozen ones; by the model Hessian at every frame if None.
        cells: of every frame in Å; that of the coordinates if None.
        rule: "trapezoid", or "spline": cubic splines of tensions and coordinates through all
            frames, for paths that are smooth.

    Raises:
        InternalGaugeError: numbers of frames that differ.
        Others: see `balance`.
    """
    if len(positions) != len(forces):
        raise InternalGaugeError(f"{len(positions)} frames of positions, {len(forces)} of forces")
    boxes = [None] * len(positions) if cells is None else list(cells)
    pulls, moves, lengths = [], [], []
    before = None
    for x, force, cell in zip(positions, forces, boxes, strict=True):
        at = balance(coordinates, x, stiffnesses, cell)
        pulls.append(_solved(at, _checked(at, force)[None])[0][0])
        if before is not None:
            moves.append(coordinates.change(before[0], x, before[1], cell))
            lengths.append(float(np.sqrt((at.stiffnesses * moves[-1] ** 2).sum())))
        before = x, cell
    g, dq = np.array(pulls), np.array(moves).reshape(-1, len(pulls[0]))
    done = _by_splines(g, dq, lengths) if rule == "spline" and len(g) > 3 else _by_trapezoids(g, dq)
    rows = [np.bincount(coordinates.row, step, len(coordinates)) for step in done]
    return np.cumsum([np.zeros(len(coordinates)), *rows], axis=0)


def _by_trapezoids(
    g: Float[np.ndarray, "frames components"], dq: Float[np.ndarray, "steps components"]
) -> Float[np.ndarray, "steps components"]:
    return 0.5 * (g[1:] + g[:-1]) * dq


def _by_splines(
    g: Float[np.ndarray, "frames components"],
    dq: Float[np.ndarray, "steps components"],
    lengths: Sequence[float],
) -> Float[np.ndarray, "steps components"]:
    """Integrals of g dq from frame to frame; lengths of the steps put the knots."""
    longest = max(lengths) or 1.0
    knots = np.cumsum([0.0, *(max(length, 1e-6 * longest) for length in lengths)])
    pull = CubicSpline(knots, g)
    rate = CubicSpline(knots, np.cumsum([np.zeros_like(g[0]), *dq], axis=0)).derivative()
    # a cubic times a parabola: three points of Gauss are exact
    places, weights = np.polynomial.legendre.leggauss(3)
    half = 0.5 * np.diff(knots)
    points = (knots[:-1] + half)[:, None] + half[:, None] * places
    return np.einsum("k,s,skc->sc", weights, half, pull(points) * rate(points))


def _solved(at: Balance, forces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tensions of several forces, and what they leave; shapes (s, components), (s, 3 atoms)."""
    matrix = _matrix(at)
    rest = forces.reshape(len(forces), -1)
    g = np.zeros((len(forces), len(matrix)))
    for _ in range(2):  # the second step takes out the rounding of the first
        step = at.stiffnesses * (rest @ at.span.compliance @ matrix.T)
        g, rest = g + step, rest - step @ matrix
    return g, rest


def _matrix(at: Balance) -> np.ndarray:
    components, atoms, _ = at.derivatives.shape
    return at.derivatives.reshape(components, 3 * atoms)


def _rows(at: Balance, g: np.ndarray) -> np.ndarray:
    """Forces of rows from tensions of components."""
    components = g[:, None, None] * at.derivatives
    starts = np.searchsorted(at.coordinates.row, np.arange(len(at.coordinates)))
    return np.add.reduceat(components, starts) if len(starts) else components


def _remainders(seen: Span, rest: np.ndarray) -> np.ndarray:
    """What is left: translation and rotation of the whole, and what no coordinate spans."""
    moving = np.broadcast_to(rest.reshape(-1, 3).mean(0), (len(rest) // 3, 3)).ravel()
    turning = seen.rotations @ (seen.rotations.T @ rest)
    return np.stack([moving, turning, rest - moving - turning]).reshape(3, -1, 3)


def _checked(at: Balance, forces: np.ndarray) -> np.ndarray:
    forces = np.asarray(forces, dtype=float)
    shape = at.derivatives.shape[1:]
    if forces.shape[-2:] != shape or not np.isfinite(forces).all():
        raise InternalGaugeError(
            f"forces must be finite numbers, one vector for each of the {shape[0]} atoms of the "
            f"coordinates; got shape {forces.shape}"
        )
    return forces
