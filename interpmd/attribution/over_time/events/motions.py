"""Motions as rows: the kinetic energy of a molecule, divided among its vibrations.

The mass-weighted shapes e_k of the normal modes, together with the motions of the whole, are an
orthonormal basis, in a frame that turns with the molecule. So power is a sum over motions whatever
the geometry,

    F . v = sum over k: (F / sqrt(m) . e_k) (v sqrt(m) . e_k),

and so is the work from one frame to the next, mean force times mean velocity, which for velocity
Verlet is the change of the kinetic energy to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from ase import Atoms
from jaxtyping import Float

from interpmd.attribution.models import Model
from interpmd.attribution.relaxation import relaxed
from interpmd.dynamics.modes import WAVE_NUMBER
from interpmd.errors import ReactionError
from interpmd.structures.modes import hessian, modes_of

#: Share of a motion that must lie along one distance to be named by it.
NAMED = 0.25


@dataclass(frozen=True, eq=False)
class Motions:
    """Vibrations of a molecule, and the motions of the whole.

    Attributes:
        reference: the structure whose vibrations they are.
        shapes: mass-weighted, orthonormal, shape (3 atoms, 3 atoms); the last ones are the motions
            of the whole, which `labels` counts as one.
        wave_numbers: 1/cm, negative if unstable; of the vibrations only.
        labels: names of the vibrations, and "the whole".
    """

    reference: Atoms
    shapes: Float[np.ndarray, "directions directions"]
    wave_numbers: Float[np.ndarray, " vibrations"]
    labels: tuple[str, ...]

    def turned(
        self, positions: Float[np.ndarray, "frames atoms 3"]
    ) -> Float[np.ndarray, "frames 3 3"]:
        """Rotations R that turn each frame (as rows x R) onto the reference (Kabsch, Acta Cryst. A
        32, 922, 1976), heavy atoms counting more."""
        masses = self.reference.get_masses()[:, None]
        place = _centred(self.reference.positions, masses)
        moments = np.swapaxes(_centred(positions, masses) * masses, 1, 2) @ place
        left, _, right = np.linalg.svd(moments)
        left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
        return left @ right

    def along(
        self,
        positions: Float[np.ndarray, "frames atoms 3"],
        vectors: Float[np.ndarray, "frames ... atoms 3"],
        forces: bool = False,
    ) -> Float[np.ndarray, "frames ... directions"]:
        """Components of velocities, or of forces, along the motions.

        Args:
            positions: Å, that say how the molecule is turned.
            vectors: velocities, or forces if `forces`.
            forces: whether they are divided by the root of the mass, or multiplied by it.
        """
        root = np.sqrt(self.reference.get_masses())[:, None]
        turned = self.turned(positions)
        turned = turned.reshape(len(turned), *[1] * (vectors.ndim - 3), 3, 3)
        inside = (vectors @ turned) * (1 / root if forces else root)
        return inside.reshape(*inside.shape[:-2], -1) @ self.shapes.T

    def summed(self, values: Float[np.ndarray, "... directions"]) -> np.ndarray:
        """Values of all directions as those of the motions in `labels`, the whole counted once."""
        count = len(self.wave_numbers)
        whole = values[..., count:].sum(-1, keepdims=True)
        return np.concatenate([values[..., :count], whole], axis=-1)


def motions_of(model: Model, atoms: Atoms, relax: bool = True) -> Motions:
    """Vibrations of the minimum next to a structure, the slowest first.

    Args:
        model: whose Hessian it is, by central differences of the forces.
        atoms: a molecule.
        relax: whether to go to the minimum first.

    Raises:
        ReactionError: a periodic structure, which has no vibrations of this kind.
    """
    if atoms.pbc.any():
        raise ReactionError(
            "vibrations as rows are for molecules; of a periodic structure take motions=False"
        )
    reference = relaxed(model, atoms, force=0.005) if relax else atoms.copy()

    def forces(frames: list[Atoms]) -> np.ndarray:
        return np.stack(model.evaluate(frames)[1])

    found, curvatures = modes_of(reference, hessian(forces, reference))
    root = np.repeat(np.sqrt(reference.get_masses()), 3)
    vibrations = found * root
    complete, _, _ = np.linalg.svd(vibrations.T, full_matrices=True)
    shapes = np.concatenate([vibrations, complete[:, len(vibrations) :].T])
    numbers = np.sign(curvatures) * np.sqrt(np.abs(curvatures)) * WAVE_NUMBER
    labels = [
        f"{_number(wave)} cm⁻¹, {_described(reference, shape.reshape(-1, 3))}"
        for wave, shape in zip(numbers, vibrations, strict=True)
    ]
    return Motions(reference, shapes, numbers, (*_distinct(labels), "the whole"))


def _described(atoms: Atoms, shape: Float[np.ndarray, "atoms 3"]) -> str:
    """A vibration in words: the distance that it mostly changes, or the atom that moves most.

    The share of a distance is the square of the overlap with its pure stretch, which is the reduced
    mass times the square of its change.
    """
    masses = atoms.get_masses()
    moved = shape / np.sqrt(masses)[:, None]
    shares = {}
    for i, j in combinations(range(len(atoms)), 2):
        way = atoms.positions[j] - atoms.positions[i]
        change = (moved[j] - moved[i]) @ way / np.linalg.norm(way)
        shares[i, j] = masses[i] * masses[j] / (masses[i] + masses[j]) * change**2
    (i, j), share = max(shares.items(), key=lambda item: item[1])
    names = [f"{symbol}{number}" for number, symbol in enumerate(atoms.symbols)]
    if share >= NAMED:
        return f"{names[i]}···{names[j]} ({100 * share:.0f} %)"
    ranked = np.argsort(-(shape**2).sum(1))
    return f"{names[ranked[0]]} and {names[ranked[1]]} move" if len(atoms) > 1 else names[0]


def _distinct(labels: list[str]) -> list[str]:
    """The same labels, those that come twice with their number."""
    return [
        f"{label} [{number}]" if labels.count(label) > 1 else label
        for number, label in enumerate(labels)
    ]


def _number(wave: float) -> str:
    return f"{abs(wave):.0f}i" if wave < 0 else f"{wave:.0f}"


def _centred(positions: np.ndarray, masses: np.ndarray) -> np.ndarray:
    return positions - (positions * masses).sum(-2, keepdims=True) / masses.sum()
