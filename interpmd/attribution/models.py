"""What can be explained: potentials, levels of theory, any ASE calculator or torch function."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorError
from ase.calculators.singlepoint import SinglePointCalculator
from jaxtyping import Float
from torch import Tensor

from interpmd.decomposition.assemble import decompose
from interpmd.decomposition.decomposition import Decomposition
from interpmd.errors import CalculationError, ModelError
from interpmd.potentials.potential import Potential
from interpmd.potentials.sum import Prediction
from interpmd.potentials.uncertainty import posterior
from interpmd.reference.calculator import calculator_named
from interpmd.structures.charges import (
    FORMAL,
    charge_of,
    for_calculators,
    stated_charge,
    stated_multiplicity,
)
from interpmd.structures.threads import one_thread

#: Rows of tables that are kept, some hundred megabytes at most; the oldest tables go first.
ROWS_KEPT = 1_000_000

#: Atoms that a potential evaluates together.
ATOMS_AT_ONCE = 1024

#: What to do where a level of theory fails for a part of a molecule.
RADICALS = (
    'Parts of a molecule that are radicals often have no converged state; take gauge="groups", '
    'whose parts are closed with hydrogen, or "internal", which needs the whole alone'
)


@dataclass(frozen=True)
class ModelPosterior:
    """Joint samples of what a model says of several structures, as deviations.

    Attributes:
        energies: eV, shape (samples, frames).
        forces: eV/Å, of each frame, shape (samples, atoms, 3).
        grades: largest extrapolation grade of an atom of each frame, shape (frames,); above 1 the
            training data do not vouch for it.
    """

    energies: Float[np.ndarray, "samples frames"]
    forces: list[Float[np.ndarray, "samples atoms 3"]]
    grades: Float[np.ndarray, " frames"]


class Model(ABC):
    """Energies and forces of structures; the common face of everything that is explained.

    Attributes:
        name: for people.
        potential: the interpmd potential in float64, which knows its exact table; else None.
        provenance: where the numbers come from.
    """

    name: str
    potential: Potential | None = None
    provenance: dict[str, Any]

    @property
    def sees_charge(self) -> bool:
        """Whether energies may depend on the total charge, so that parts need charges."""
        return True

    def charge_of(self, atoms: Atoms) -> float:
        """Total charge in e with which the model evaluates a structure."""
        return charge_of(atoms)

    @abstractmethod
    def evaluate(self, frames: Sequence[Atoms]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Energies in eV, shape (frames,), and forces in eV/A of each frame."""

    def energy(self, atoms: Atoms) -> float:
        """Energy of one structure in eV, where its forces are not needed."""
        return float(self.evaluate([atoms])[0][0])

    def posterior(self, frames: Sequence[Atoms]) -> ModelPosterior | None:
        """Error bars of energies and forces; None where the model knows none."""
        return None

    def table(self, atoms: Atoms, order: int | None = None, forces: bool = True) -> Decomposition:
        """The table of rows of one structure; the one way to it for everything above.

        Args:
            atoms: the structure.
            order: largest body order of the rows; see `interpmd.decompose`.
            forces: whether the forces of the rows are needed.

        Raises:
            ModelError: the model is no interpmd potential and has no table.
        """
        raise ModelError(f"{self.name} has no table of rows: only interpmd potentials have one")


class PotentialModel(Model):
    """An interpmd potential, in float64: alternating sums lose digits.

    Tables are remembered, so that many questions about one frame cost one table.

    Args:
        potential: what is explained.
    """

    def __init__(self, potential: Potential) -> None:
        self._tables: OrderedDict[tuple, Decomposition] = OrderedDict()
        single = potential.dtype != torch.float64
        self._precise = copy.deepcopy(potential).double() if single else potential
        self.potential = self._precise
        self.name = potential.card.level or ", ".join(potential.terms)
        card = potential.card
        self.provenance = {"level": card.level, **card.provenance, "certificate": card.certificate}

    @property
    def sees_charge(self) -> bool:
        return bool(self._precise.global_terms)

    @one_thread()  # small tensors: more threads are slower
    def evaluate(self, frames: Sequence[Atoms]) -> tuple[np.ndarray, list[np.ndarray]]:
        energies, forces, part = [], [], []
        for index, atoms in enumerate(frames):
            part.append(atoms)
            if index == len(frames) - 1 or sum(map(len, part)) >= ATOMS_AT_ONCE:
                predicted = self._predicted(part)
                energies.append(predicted.energy.cpu().numpy())
                ends = np.cumsum([len(a) for a in part])
                forces += np.split(predicted.forces.cpu().numpy(), ends)[:-1]
                part = []
        return np.concatenate(energies) if energies else np.zeros(0), forces

    def _predicted(self, part: Sequence[Atoms]) -> Prediction:
        try:
            return self._precise.predict_unwatched(part)
        except CalculationError as error:
            failed = part[error.structure]
            raise CalculationError(f"for {failed.symbols}: {error}") from error

    @one_thread()
    def posterior(self, frames: Sequence[Atoms]) -> ModelPosterior | None:
        energies, forces, grades = [], [], []
        for atoms in frames:
            drawn = posterior(self._precise, self._precise.batch(atoms))
            if drawn is None:
                return None
            energies.append(drawn.energies[0].cpu().double().numpy())
            forces.append(drawn.forces.cpu().double().numpy())
            grades.append(float(drawn.grades.max()))
        return ModelPosterior(np.stack(energies, axis=1), forces, np.array(grades))

    @one_thread()
    def energy(self, atoms: Atoms) -> float:
        with torch.no_grad():
            return float(self._precise(self._precise.batch(atoms)))

    @one_thread()
    def table(self, atoms: Atoms, order: int | None = None, forces: bool = True) -> Decomposition:
        keys = [(identity(atoms), order, with_forces) for with_forces in (True, False)]
        key = next((k for k in keys if k in self._tables and (k[2] or not forces)), None)
        if key is None:
            key = (identity(atoms), order, forces)
            try:
                self._tables[key] = decompose(self._precise, atoms, order, forces)
            except CalculationError as error:
                raise CalculationError(f"{error}. {RADICALS}") from error
        self._tables.move_to_end(key)
        while len(self._tables) > 1 and sum(map(len, self._tables.values())) > ROWS_KEPT:
            self._tables.popitem(last=False)
        return self._tables[key]


class CalculatorModel(Model):
    """Any ASE calculator: a quantum code, a force field, another network.

    It is reset before every structure. Codes that start from the wave function of the structure
    before may end in another state of a radical (GFN2-xTB, OH of methanol: 8 meV), so that the
    value of a part would depend on what was asked before.

    Constraints are left out, and every part has the charge that it names: as initial charges, and
    where the calculator was made with a charge as that parameter, which is put back afterwards.
    """

    def __init__(self, calculator: Calculator) -> None:
        self.calculator = calculator
        self._labelled = isinstance(calculator, SinglePointCalculator)
        self.name = getattr(calculator, "name", None) or type(calculator).__name__
        self.provenance = {"calculator": self.name, **getattr(calculator, "parameters", {})}

    @property
    def sees_charge(self) -> bool:
        potential = getattr(self.calculator, "potential", None)
        return not isinstance(potential, Potential) or bool(potential.global_terms)

    def charge_of(self, atoms: Atoms) -> float:
        """See `Model.charge_of`.

        Raises:
            ModelError: the calculator was made for another charge than the structure names.
        """
        stated = stated_charge(atoms)
        if getattr(self.calculator, "reads_charge", False):
            return getattr(self.calculator, "charge", 0) if stated is None else stated
        made_for = self._charge
        if made_for is None:
            return 0.0 if stated is None else stated
        if stated is not None and stated != made_for:
            raise ModelError(
                f"{self.name} was made with charge={made_for:g}, and the structure names the "
                f"charge {stated:g}; leave one of them out"
            )
        return made_for

    @property
    def _charge(self) -> float | None:
        """The charge that the calculator was made with."""
        given = dict(getattr(self.calculator, "parameters", None) or {}).get("charge")
        return None if given is None else float(given)

    def evaluate(self, frames: Sequence[Atoms]) -> tuple[np.ndarray, list[np.ndarray]]:
        energies, forces = [], []
        made_for = self._charge
        try:
            for atoms in frames:
                alone = for_calculators(atoms)
                # labels of a frame would be lost, and no other structure has them
                if hasattr(self.calculator, "reset") and not self._labelled:
                    self.calculator.reset()
                if made_for is not None:
                    self._set_charge(charge_of(atoms, made_for))
                alone.calc = self.calculator
                with torch.enable_grad():  # networks need it, and captum switches it off
                    forces.append(np.array(alone.get_forces(apply_constraint=False)))
                energies.append(float(alone.get_potential_energy()))
        except CalculatorError as error:
            raise ModelError(
                f"{self.name} fails for {alone.symbols}: {error}. {RADICALS}"
            ) from error
        finally:
            if made_for is not None:
                self._set_charge(made_for)
        return np.array(energies), forces

    def _set_charge(self, charge: float) -> None:
        if self._charge == charge:
            return
        if not hasattr(self.calculator, "set"):
            raise ModelError(
                f"{self.name} was made with charge={self._charge:g}, and a part has the charge "
                f"{charge:g}; make it without one, so that it looks at the structure's"
            )
        self.calculator.set(charge=charge)


class TorchModel(Model):
    """A torch function of atomic numbers and positions.

    Args:
        function: takes numbers, shape (atoms,), and positions in angstrom, shape (atoms, 3), and
            returns the energy in eV, differentiable in the positions.
        name: for people.
        dtype: of the positions; `torch.float32` for networks with weights in single precision.

    Raises:
        ModelError: when evaluated, if the function returns no tensor.
    """

    def __init__(
        self,
        function: Callable[[Tensor, Tensor], Tensor],
        name: str = "torch",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.function, self.name, self.dtype = function, name, dtype
        self.provenance = {"model": name}

    @property
    def sees_charge(self) -> bool:
        return False

    def evaluate(self, frames: Sequence[Atoms]) -> tuple[np.ndarray, list[np.ndarray]]:
        energies, forces = [], []
        for atoms in frames:
            positions = torch.tensor(atoms.positions, dtype=self.dtype, requires_grad=True)
            with torch.enable_grad():  # captum switches it off
                output = self.function(torch.as_tensor(atoms.numbers), positions)
                if not isinstance(output, Tensor):
                    raise ModelError(
                        f"{self.name} returns {type(output).__name__}, not a tensor: the energy "
                        "must be one, so that it can be differentiated for the forces"
                    )
                energy = output.sum()
            gradient = torch.zeros_like(positions)
            if energy.requires_grad:
                (slope,) = torch.autograd.grad(energy, positions, allow_unused=True)
                gradient = gradient if slope is None else slope
            energies.append(float(energy.detach()))
            forces.append(-gradient.double().numpy())
        return np.array(energies), forces


class CountedModel(Model):
    """A model that counts the structures that it evaluates, and remembers how they are graded.

    Args:
        model: what is evaluated.

    Attributes:
        evaluations: structures and parts so far.
        grade: largest extrapolation grade of those whose posterior was asked for; None if none.
    """

    def __init__(self, model: Model) -> None:
        self.model, self.evaluations = model, 0
        self.grade: float | None = None
        self.name, self.potential, self.provenance = model.name, model.potential, model.provenance

    def evaluate(self, frames: Sequence[Atoms]) -> tuple[np.ndarray, list[np.ndarray]]:
        self.evaluations += len(frames)
        return self.model.evaluate(frames)

    @property
    def sees_charge(self) -> bool:
        return self.model.sees_charge

    def charge_of(self, atoms: Atoms) -> float:
        return self.model.charge_of(atoms)

    def energy(self, atoms: Atoms) -> float:
        self.evaluations += 1
        return self.model.energy(atoms)

    def posterior(self, frames: Sequence[Atoms]) -> ModelPosterior | None:
        drawn = self.model.posterior(frames)
        if drawn is not None:
            self.grade = max(self.grade or 0.0, float(drawn.grades.max(initial=0.0)))
        return drawn

    def table(self, atoms: Atoms, order: int | None = None, forces: bool = True) -> Decomposition:
        return self.model.table(atoms, order, forces)


def identity(atoms: Atoms) -> tuple[bytes, ...]:
    """What tells one structure from another: elements, places, cell, charges and multiplicity."""
    charge = repr((charge_of(atoms), stated_multiplicity(atoms))).encode()
    arrays = [atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc]
    if FORMAL in atoms.arrays:
        arrays.append(atoms.arrays[FORMAL])
    return (*(array.tobytes() for array in arrays), charge)


def as_model(thing: Any) -> Model:
    """A `Model` for a potential, an ASE calculator, the name of a level of theory, or a torch
    function (see `TorchModel`).

    Raises:
        ModelError: none of these.
    """
    if isinstance(thing, Model):
        return thing
    if isinstance(thing, Potential):
        return PotentialModel(thing)
    if hasattr(thing, "get_potential_energy") and hasattr(thing, "get_forces"):
        return CalculatorModel(thing)
    if isinstance(thing, str):
        return CalculatorModel(calculator_named(thing))
    raise ModelError(
        f"cannot explain {type(thing).__name__}: pass a Potential, an ASE calculator, the name "
        "of a level of theory, or TorchModel(function) for a torch function of numbers and "
        "positions"
    )
