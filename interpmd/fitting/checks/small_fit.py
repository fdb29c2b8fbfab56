"""A small expansion fitted to the labels, robustly: what a frame's neighbours say of its labels.

With weights w of the read-out, energy rows X, force rows Z and virial rows V, the fit

    w = (Z^T D Z + L X^T D X + P)^-1 (k Z^T D f + L X^T D e)

is linear in the factor k on the forces f: energies that are left out are u - k v, and k follows
from a regression. D holds weights of frames that fall where a frame does not fit the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import scipy.linalg
import torch
from ase import Atoms

from interpmd.fitting.checks.data import energies, forces, stresses
from interpmd.fitting.checks.robust import deviation
from interpmd.fitting.normal import column_scales, quick, rows_of
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.potential import Potential
from interpmd.structures.edges import nearest_distances
from interpmd.structures.threads import one_thread

#: Force components for each weight, at least.
ROWS = 4

#: Weight of an energy relative to a force component, times the square root of the atoms, in 1/Å.
ENERGY_WEIGHT = 10.0

#: Channels of body orders 2 to 4, and the features that they have.
CHANNELS, FEATURES = (32, 32, 16), 208

#: Prior precision for each row, columns scaled to unit root mean square.
RIDGE = 1e-6

#: Rounds of weighting frames by how well they fit.
ROUNDS = 6


class Beside(NamedTuple):
    """What a fit says of some frames.

    Attributes:
        left: energies less the fitted ones in eV, not a number where a frame has none, shape
            (frames,).
        forces: fitted, eV/Å, each of shape (atoms, 3).
        fitted: energies of the expansion, eV, shape (frames,).
        stresses: fitted, eV/Å³, shape (frames, 3, 3), not a number where a frame has none.
    """

    left: np.ndarray
    forces: list[np.ndarray]
    fitted: np.ndarray
    stresses: np.ndarray


@dataclass(eq=False)
class SmallFit:
    """Rows of some frames in a small expansion, and fits to their labels.

    Args:
        frames: with more than one atom, or periodic.
        cutoff: Å.
        seed: of the radial network.
    """

    frames: Sequence[Atoms]
    cutoff: float = 5.0
    seed: int = 0
    weight: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rows = 3 * sum(map(len, self.frames))
        elements = sorted({int(z) for a in self.frames for z in a.numbers})
        self.elements = elements
        part = min(1.0, max(0.15, rows / ROWS / FEATURES / len(elements)))
        term = ClusterExpansion(
            elements,
            lmax=2,
            channels=[max(3, round(part * k)) for k in CHANNELS],
            basis=5,
            functions=12,
            seed=self.seed,
            cutoff=max(self.cutoff, 1.9 * _nearest(self.frames)),
        )
        self.term = term
        single = quick(term)
        self.counts = np.array([[(a.numbers == z).sum() for z in elements] for a in self.frames])
        self.n_atoms = self.counts.sum(1)
        self.energies, self.forces = energies(self.frames), forces(self.frames)
        self.stresses = stresses(self.frames)
        designs = [
            rows_of(single, a, virial=bool(np.isfinite(s).all()))
            for a, s in zip(self.frames, self.stresses, strict=True)
        ]
        x = np.concatenate([d.energy.double().numpy() for d in designs])
        z = [d.forces.flatten(0, 1).double().numpy() for d in designs]
        self.scale = column_scales(term, self.frames, self.seed)
        self.x, self.z = x / self.scale, [rows / self.scale for rows in z]
        self.v = [
            None if d.virial is None else d.virial.flatten(0, 2).double().numpy() / self.scale
            for d in designs
        ]
        self.gram = np.array([rows.T @ rows for rows in self.z])
        self.known = np.isfinite(self.energies)
        self.has_forces = np.array([np.isfinite(f).all() for f in self.forces])
        self.product = np.array(
            [
                rows.T @ f.ravel() if good else np.zeros(rows.shape[1])
                for rows, f, good in zip(self.z, self.forces, self.has_forces, strict=True)
            ]
        )
        self.weight = np.ones(len(self.frames))

    @property
    def size(self) -> int:
        """Number of weights, without those of the composition."""
        return self.x.shape[1]

    def solve(self, factor: float = 1.0, doubt: float = 2.0) -> None:
        """Fit to energies and forces, weighting frames by how well they fit.

        Args:
            factor: on the forces.
            doubt: how quickly the weight of a frame falls where its labels do not fit.
        """
        self.weight = np.ones(len(self.frames))
        size = np.array([np.sqrt((f**2).mean()) if g else np.nan
                         for f, g in zip(self.forces, self.has_forces, strict=True)])  # fmt: skip
        if self.has_forces.any():
            middle = np.nanmedian(size)
            self.weight *= np.where(
                size > 20 * middle, (20 * middle / np.maximum(size, 1e-300)) ** 2, 1
            )
        self.force_weight = self.weight * self.has_forces
        self.energy_weight = self.known * self._plausible()
        if self.has_forces.any():  # what forces alone say of the energies is a fair start
            self.energy_weight = 1e-6 * self.energy_weight
        for _ in range(ROUNDS):
            self._solve(factor)
            off = np.abs(self.energy_residual)
            scale = deviation(self.energy_residual[self.known])
            self.energy_weight = self.known / (1 + (off / (4 * scale + 1e-300)) ** 2) ** doubt
            if self.has_forces.any():
                typical = np.nanmedian(self.force_residual) + 1e-300
                self.force_weight = (
                    self.has_forces
                    / (1 + (np.nan_to_num(self.force_residual) / (4 * typical)) ** 2) ** doubt
                )

    def _plausible(self) -> np.ndarray:
        """Whether an energy is near those of its composition, as far as five can tell."""
        plausible = np.ones(len(self.frames))
        for kind in np.unique(self.counts, axis=0):
            same = np.flatnonzero((self.counts == kind).all(1) & self.known)
            if len(same) >= 5:
                off = np.abs(self.energies[same] - np.median(self.energies[same]))
                plausible[same] = off <= 20 * deviation(off) + 1e-9
        return plausible

    def _solve(self, factor: float) -> None:
        counts = self.counts / np.sqrt((self.counts**2).mean(0))
        n, m = self.size, counts.shape[1]
        x = np.hstack([self.x, counts])
        energy = ENERGY_WEIGHT**2 / self.n_atoms * self.energy_weight
        matrix = np.zeros((n + m, n + m))
        matrix[:n, :n] = np.tensordot(self.force_weight, self.gram, 1)
        matrix += x.T @ (energy[:, None] * x)
        rows = (3 * self.n_atoms * self.has_forces).sum() + self.known.sum()
        diagonal = np.concatenate([np.full(n, RIDGE * rows), np.full(m, 1e-12 * energy.sum())])
        matrix[np.diag_indices(n + m)] += diagonal
        factorized = scipy.linalg.cho_factor(matrix)
        # energies far from zero: those of the compositions are taken off first
        y = np.where(self.known, self.energies, 0.0)
        start = np.linalg.lstsq(
            counts[self.known] * np.sqrt(self.energy_weight[self.known])[:, None],
            y[self.known] * np.sqrt(self.energy_weight[self.known]), rcond=None,
        )[0] if self.known.any() else np.zeros(m)  # fmt: skip
        y = np.where(self.known, y - counts @ start, 0.0)
        of_forces = np.concatenate([self.force_weight @ self.product, np.zeros(m)])
        solve = lambda b: scipy.linalg.cho_solve(factorized, b)  # noqa: E731
        w_e, w_f = solve(x.T @ (energy * y)), solve(of_forces)
        leverage = np.einsum("ij,ji->i", x, solve(x.T)) * energy
        self.room = np.maximum(1 - leverage, 1e-6)
        self.u = (y - x @ w_e) / self.room
        self.v_f = x @ w_f / self.room
        mean = w_e + factor * w_f
        self.mean, self.of_elements = mean[:n], mean[n:] + start
        self.of_elements = self.of_elements / np.sqrt((self.counts**2).mean(0))
        self.energy_residual = np.where(self.known, self.u - factor * self.v_f, 0.0)
        self.predicted = [(rows @ self.mean).reshape(-1, 3) for rows in self.z]
        self.force_residual = np.array(
            [
                np.sqrt(((p - factor * f) ** 2).mean()) if good else np.nan
                for p, f, good in zip(self.predicted, self.forces, self.has_forces, strict=True)
            ]
        )

    @property
    def explained(self) -> float:
        """Part of the variance of the forces that the fit explains, robustly.

        Of their variance between frames: what is the same in all frames needs no explanation.
        """
        good = np.flatnonzero(self.has_forces)
        off = np.concatenate([(self.predicted[i] - self.forces[i]).ravel() for i in good])
        groups: dict[bytes, list[int]] = {}
        for i in good:
            groups.setdefault(self.frames[i].numbers.tobytes(), []).append(i)
        given = np.concatenate(
            [
                (np.array([self.forces[i] for i in g]) - _mean(self.forces, g)).ravel()
                for g in groups.values()
            ]
        )
        return 1 - (deviation(off) / max(deviation(given), 1e-300)) ** 2

    @property
    def free_to_push(self) -> np.ndarray:
        """Whether no symmetry makes the forces of a frame vanish, shape (frames,)."""
        return np.array([np.sqrt((rows**2).mean()) > 1e-4 for rows in self.z])

    def beside(self, frames: Sequence[Atoms]) -> Beside:
        """What the fit says of any frames."""
        potential = Potential({"small": self.term}, elements=self.elements)
        readout = torch.from_numpy(self.mean / self.scale)
        self.term.readout.copy_(readout.view(self.term.readout.shape))
        found, pushes, pressed = [], [], []
        with one_thread():
            for atoms, stress in zip(frames, stresses(frames), strict=True):
                predicted = potential.predict(atoms, stress=bool(np.isfinite(stress).all()))
                found.append(float(predicted.energy))
                pushes.append(predicted.forces.numpy())
                of_cell = predicted.stress
                pressed.append(stress if of_cell is None else of_cell.numpy().reshape(3, 3))
        counts = np.array([[(a.numbers == z).sum() for z in self.elements] for a in frames])
        fitted = np.array(found)
        left = energies(frames) - counts @ self.of_elements - fitted
        return Beside(left, pushes, fitted, np.array(pressed))

    def virials(self) -> list[np.ndarray | None]:
        """What the fit says of -V times the stress, shape (3, 3), of frames with a stress."""
        return [None if v is None else (v @ self.mean).reshape(3, 3) for v in self.v]


def _mean(forces: Sequence[np.ndarray], members: Sequence[int]) -> np.ndarray | float:
    """Mean of some forces, if they are enough to have one."""
    return np.mean([forces[i] for i in members], axis=0) if len(members) >= 5 else 0.0


def _nearest(frames: Sequence[Atoms], most: int = 5) -> float:
    """Typical distance of an atom to its nearest neighbour, at most 6 Å."""
    found = np.concatenate([nearest_distances(a, 6.0) for a in frames[:most]])
    return float(np.median(found))
