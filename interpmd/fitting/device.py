"""The normal equations on a GPU, where rows are made by torch, many frames at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float, Int
from torch import Tensor

from interpmd.errors import SingularError
from interpmd.fitting.checkpoint import uninterrupted
from interpmd.fitting.design import design_by_torch
from interpmd.fitting.normal import NormalEquations, has_forces, weighted_values
from interpmd.fitting.soft import softening
from interpmd.fitting.solution import Solution
from interpmd.fitting.targets import Targets
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.structures.devices import usable
from interpmd.structures.edges import neighbours
from interpmd.structures.systems import Batch

#: Atoms of the frames whose rows are made together.
ATOMS_AT_ONCE = 250


def equations_on(
    device: str, term: ClusterExpansion, scale: np.ndarray, memory: float
) -> NormalEquations:
    """Empty normal equations on a device.

    Raises:
        ArgumentError: torch has no such device.
        MemoryLimitError: the matrix and its factor alone exceed the limit.
    """
    if device == "cpu":
        return NormalEquations(term, scale, memory)
    usable(device)
    return DeviceEquations(term, scale, memory, device)


class DeviceEquations(NormalEquations):
    """As `NormalEquations`, with the matrix on a device of torch.

    Args:
        term, scale, memory: see `NormalEquations`.
        device: of the matrix.
    """

    def __init__(
        self, term: ClusterExpansion, scale: np.ndarray, memory: float, device: str
    ) -> None:
        super().__init__(term, scale, memory)
        self.there = copy.deepcopy(term).to(device)
        self.sums = torch.zeros(len(scale), len(scale), dtype=torch.float64, device=device)
        self._both = self.matrix = np.zeros((0, 1))

    def add(
        self,
        frames: Sequence[Atoms],
        targets: Sequence[Targets],
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        first = 0
        while first < len(frames):
            last, atoms = first + 1, len(frames[first])
            while last < len(frames) and atoms + len(frames[last]) <= ATOMS_AT_ONCE:
                atoms, last = atoms + len(frames[last]), last + 1
            with uninterrupted():
                self._collect(*self._rows(frames[first:last], targets[first:last]))
                progress(last - first)
            first = last

    def add_rows(self, rows: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        for made, values in rows:
            self._collect(torch.as_tensor(made).to(self.sums), values)

    def remove(self, rows: np.ndarray, values: np.ndarray) -> None:
        there = torch.as_tensor(rows).to(self.sums)
        self.sums.addmm_(there.T, there, alpha=-1)
        self.vector -= rows.T @ values
        self.square -= float(values @ values)
        self.rows -= len(values)

    def state(self, done: int) -> Mapping[str, np.ndarray | float]:
        return {**super().state(done), "matrix": self.sums.cpu().numpy()}

    def restore(self, state: dict[str, np.ndarray]) -> int:
        self.sums.copy_(torch.from_numpy(np.ascontiguousarray(state["matrix"])))
        return super().restore({**state, "matrix": self.matrix})

    def mean_with(
        self,
        rows: Sequence[tuple[np.ndarray, np.ndarray]],
        prior: np.ndarray,
        near: Solution | None = None,
    ) -> np.ndarray:
        self.add_rows(rows)  # a factorisation there takes a second
        return self.solve(prior).mean

    def part(self, columns: Int[np.ndarray, " columns"]) -> DeviceEquations:
        some = copy.copy(self)
        some.scale, some.vector = self.scale[columns], self.vector[columns]
        there = torch.from_numpy(columns).to(self.sums.device)
        some.sums = self.sums[there][:, there]
        return some

    def solve(self, prior: np.ndarray) -> Solution:
        matrix = self.sums.clone()
        matrix.diagonal().add_(torch.as_tensor(prior).to(matrix))
        if self.penalty is not None and self.penalty_weight:
            upper = torch.as_tensor(self.penalty).to(matrix)
            whole = upper + upper.triu(1).mT
            matrix.add_(whole, alpha=self.penalty_weight * self.rows)
            del upper, whole
        factor, info = torch.linalg.cholesky_ex(matrix)
        del matrix
        if int(info):
            raise SingularError(
                f"the normal equations are singular (column {int(info) - 1}); use a stronger ridge"
            )
        vector = torch.as_tensor(self.vector).to(factor)
        mean = torch.cholesky_solve(vector[:, None], factor)[:, 0]
        misfit = self.square - 2 * float(mean @ vector) + float(mean @ (self.sums @ mean))
        return Solution(
            mean.cpu().numpy(), factor.cpu().numpy(), max(misfit, 0.0) / max(self.rows, 1)
        )

    def _rows(
        self, frames: Sequence[Atoms], targets: Sequence[Targets]
    ) -> tuple[Float[Tensor, "rows weights"], Float[np.ndarray, " rows"]]:
        """Rows and targets of some frames, weighted, columns scaled; energies of all come first."""
        batch = Batch.from_ase(frames, device=self.sums.device)
        pairs = neighbours(batch, self.there.cutoff)
        stressed = [k for k, target in enumerate(targets) if target.stress is not None]
        made = design_by_torch(self.there, batch, pairs, virial=bool(stressed))
        parts = [made.energy, made.forces.flatten(0, 1)]
        weights = [
            np.array([t.energy_weight for t in targets]),
            np.repeat([t.force_weight for t in targets], [3 * len(a) for a in frames]),
        ]
        if made.virial is not None:
            parts.append(made.virial[stressed].flatten(0, 2))
            weights.append(np.repeat([targets[k].virial_weight for k in stressed], 9))
        values = self._values(frames, targets)
        known = np.isfinite(values)
        rows = torch.cat(parts)
        rows *= torch.as_tensor(np.concatenate(weights)).to(rows)[:, None]
        rows /= torch.as_tensor(self.scale).to(rows)
        first = len(frames)
        for atoms, target in zip(frames, targets, strict=True):
            last, turn = first + 3 * len(atoms), softening(atoms, target)
            if turn is not None:
                rows[first:last] = torch.as_tensor(turn).to(rows) @ rows[first:last]
                values[first:last] = turn @ values[first:last]
            first = last
        return rows[torch.from_numpy(known).to(rows.device)], values[known]

    def _values(
        self, frames: Sequence[Atoms], targets: Sequence[Targets]
    ) -> Float[np.ndarray, " rows"]:
        """Weighted targets in the order of `_rows`; NaN where there is none."""
        energies, forces, virials = [], [], []
        for atoms, target in zip(frames, targets, strict=True):
            each, size = weighted_values(atoms, target), 3 * len(atoms)
            energies.append(each[:1])
            forces.append(each[1 : 1 + size] if has_forces(atoms) else np.full(size, np.nan))
            virials.append(each[1 + size :] if has_forces(atoms) else each[1:])
        return np.concatenate([*energies, *forces, *virials])

    def _collect(self, rows: Float[Tensor, "rows weights"], values: np.ndarray) -> None:
        there = torch.as_tensor(values).to(rows)
        self.sums.addmm_(rows.T, rows)
        self.vector += (rows.T @ there).cpu().numpy()
        self.square += float(values @ values)
        self.rows += len(values)
