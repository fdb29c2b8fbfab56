"""A level of theory as a term: what a learned correction is added to.

Energy of a potential = baseline + learned correction. The baseline is asked for energies and
forces (and, in a periodic cell, stress); its share of them is exact, has no error bars and no rows
of atoms other than those that evaluating it on parts gives.
"""

from __future__ import annotations

from typing import Any, Self, TypeVar

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator
from jaxtyping import Float
from torch import Tensor

from interpmd.errors import CalculationError, PotentialFileError, StructureError
from interpmd.levels.by_calculator import CalculatorLevel, is_calculator
from interpmd.levels.calculation import Level, Result
from interpmd.levels.names import resolve
from interpmd.potentials.base import GlobalTerm, register
from interpmd.potentials.sum import TermSum
from interpmd.structures.charges import stated_multiplicity, whole_charge
from interpmd.structures.systems import Batch

AnySum = TypeVar("AnySum", bound=TermSum)

#: Difference of energies in eV, and of forces in eV/Å, beyond which a calculator that is given
#: again is another one than before.
SAME = 1e-4


@register
class Baseline(GlobalTerm):
    """E of a level of theory, in equal shares on all atoms of a structure.

    How a total is shared among atoms is a convention, and gradients of a single atom's share mean
    nothing; energies, forces and stresses of structures are those of the level.

    Args:
        level: a name that `interpmd.label` knows, such as "gfn2-xtb", "mmff94" or "emt", or an ASE
            calculator.
        by_name: whether the name suffices to find it again; False for calculators, which a
            potential that is loaded has to be given again.
        probe: what the level says of one structure, by which a calculator that is given again is
            recognised: numbers, positions, charge, energy, largest_force.

    Raises:
        UnknownLevelError: no level has this name.
        CalculationError, MissingPackageError: (when called) it fails, or its program is missing.
    """

    kind = "baseline"
    periodic = True

    def __init__(
        self,
        level: str | Calculator,
        by_name: bool = True,
        probe: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.probe = probe
        self._level: Level | None
        if is_calculator(level):
            self._level, self.by_name = CalculatorLevel(level), False
            self.name = self._level.name
        else:
            self._level, self.by_name = resolve(level) if by_name else None, by_name
            self.name = self._level.name if self._level else str(level)

    @classmethod
    def example(cls) -> Baseline:
        """Effective-medium theory, which is quick and knows H, C and O."""
        return cls("emt")

    def config(self) -> dict[str, Any]:
        return {"level": self.name, "by_name": self.by_name, "probe": self.probe}

    @property
    def level(self) -> Level:
        """What is asked.

        Raises:
            PotentialFileError: a calculator that was not given again.
        """
        if self._level is None:
            raise PotentialFileError(
                f"the baseline of this potential is the calculator {self.name}, which no name "
                "brings back; load it with im.load(folder, baseline=calculator)"
            )
        return self._level

    def probed(self, atoms: Atoms, result: Result) -> Self:
        """Itself, with what the level says of one structure."""
        self.probe = {
            "numbers": atoms.numbers.tolist(),
            "positions": atoms.positions.tolist(),
            "cell": atoms.cell.array.tolist(),
            "pbc": atoms.pbc.tolist(),
            "info": {k: atoms.info[k] for k in ("charge", "multiplicity") if k in atoms.info},
            "energy": result.energy,
            "largest_force": float(np.abs(result.forces).max(initial=0.0)),
        }
        return self

    def give(self, calculator: Calculator | str) -> None:
        """Take the calculator of a potential that was loaded.

        Raises:
            PotentialFileError: it has another name, or says something else of the probe than the
                one before.
        """
        given = resolve(calculator)
        if given.name != self.name:
            raise PotentialFileError(
                f"the potential was fitted to correct {self.name}, and baseline= is {given.name}"
            )
        if self.probe is not None:
            atoms = Atoms(
                *(self.probe[name] for name in ("numbers", "positions")),
                cell=self.probe["cell"],
                pbc=self.probe["pbc"],
                info=dict(self.probe["info"]),
            )
            found = evaluate(given, atoms)
            largest = np.abs(found.forces).max(initial=0.0)
            off = max(
                abs(found.energy - self.probe["energy"]),
                abs(float(largest) - self.probe["largest_force"]),
            )
            if off > SAME:
                raise PotentialFileError(
                    f"baseline= says something else than the {self.name} that the potential "
                    f"corrects: energy or largest force of one structure differ by {off:.2g} (eV, "
                    "eV/Å); give the calculator with the settings that it had in the fit"
                )
        self._level = given

    def __deepcopy__(self, memo: dict) -> Baseline:
        # calculators hold handles of programs that cannot be copied; they keep no state here
        twin = Baseline(self.name, by_name=False, probe=self.probe)
        twin._level, twin.by_name = self._level, self.by_name
        return twin

    def forward(self, batch: Batch) -> Float[Tensor, " atoms"]:
        cells = batch.cells if batch.cells.requires_grad else batch.cells.detach()
        energies = _Energies.apply(batch.positions, cells, batch, self.level)
        counts = torch.bincount(batch.structure, minlength=batch.n_structures)
        return (energies / counts)[batch.structure]


def baselines(potential: TermSum) -> list[Baseline]:
    """The terms of a potential that are a level of theory."""
    return [term for term in potential.terms.values() if isinstance(term, Baseline)]


def without_baseline(potential: AnySum) -> AnySum:
    """A potential without the terms that are a level of theory; itself if it has none."""
    rest = {n: term for n, term in potential.terms.items() if not isinstance(term, Baseline)}
    if len(rest) in (0, len(potential.terms)):
        return potential
    return type(potential)(rest, potential.elements, potential.card)


def evaluate(level: Level, atoms: Atoms) -> Result:
    """Energy, forces and stress of a structure in the state that it names, of least spin if none.

    Raises:
        CalculationError: the level fails for it.
    """
    charge = whole_charge(atoms)
    given = stated_multiplicity(atoms)
    odd = (int(atoms.numbers.sum()) - charge) % 2
    return level.evaluate(atoms, charge, 1 + odd if given is None else given)


class _Energies(torch.autograd.Function):
    """Energies of structures, with the forces and stresses of the level as their derivatives."""

    @staticmethod
    def forward(ctx, positions, cells, batch, level):
        wanted = ctx.needs_input_grad[1]
        energies, forces, strains = [], [], []
        for number, atoms in enumerate(batch.with_positions(positions.detach()).to_ase()):
            try:
                result = evaluate(level, atoms)
            except CalculationError as error:
                error.structure = number
                raise
            if wanted and result.stress is None:
                raise StructureError(
                    f"{level.name} has no stress, so that the potential with it as baseline has "
                    "none; run at constant volume"
                )
            energies.append(result.energy)
            forces.append(result.forces)
            if wanted:
                strains.append(_slope_by_cell(atoms, result))
        like = positions
        ctx.save_for_backward(
            like.new_tensor(np.concatenate(forces)),
            like.new_tensor(np.array(strains)) if wanted else like.new_zeros(0),
            batch.structure,
        )
        return like.new_tensor(energies)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, slopes):
        forces, strains, structure = ctx.saved_tensors
        by_cell = slopes[:, None, None] * strains if ctx.needs_input_grad[1] else None
        return -slopes[structure, None] * forces, by_cell, None, None


def _slope_by_cell(atoms: Atoms, result: Result) -> Float[np.ndarray, "3 3"]:
    """dE/dcell at fixed positions: the virial is positions^T dE/dpositions + cell^T dE/dcell."""
    stress = np.asarray(result.stress)[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3)
    virial = stress * atoms.get_volume() + atoms.positions.T @ result.forces
    return np.linalg.solve(atoms.cell.array.T, virial)
