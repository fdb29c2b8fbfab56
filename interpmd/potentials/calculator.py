"""The ASE calculator of a potential."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError, all_changes
from jaxtyping import Float

from interpmd.errors import ArgumentError
from interpmd.potentials import fast
from interpmd.potentials.fingerprint import fingerprint
from interpmd.potentials.sum import TermSum
from interpmd.potentials.uncertainty import uncertainty
from interpmd.potentials.watch import GradeWatch
from interpmd.structures.charges import StatefulCalculator

if TYPE_CHECKING:
    from interpmd.potentials.fast.evaluator import FastPotential

#: Properties that cost extra, computed only when they are asked for.
EXTRA = ("energy_std", "forces_std", "extrapolation")


class InterpmdCalculator(StatefulCalculator):
    """Energy, forces, stress, site energies, error bars and extrapolation grade.

    Properties: energy, free_energy (eV), forces (eV/Å), stress (eV/Å³, Voigt; three periodic
    directions), energies (site energies in eV), and on request energy_std (eV), forces_std
    (eV/Å, shape (atoms, 3)), extrapolation (per atom; above 1 the atom is unlike the training
    data).

    Args:
        potential: the potential.
        compile: no longer has an effect; potentials are compiled by themselves.
        precision: "float64", or "float32" for dynamics on CPUs: twice as fast, forces good to
            1e-5 eV/Å; total energies lose digits with the number of atoms.

    Raises:
        ArgumentError: another precision.
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "free_energy",
        "forces",
        "stress",
        "energies",
        *EXTRA,
    ]

    reads_charge: ClassVar[bool] = True

    def __init__(
        self, potential: TermSum, compile: bool = False, precision: str = "float64"
    ) -> None:
        super().__init__()
        if precision not in ("float64", "float32"):
            raise ArgumentError(f"precision is 'float64' or 'float32', not {precision!r}")
        if compile:
            warnings.warn(
                "compile=True is no longer needed: potentials run as generated code by "
                "themselves; the argument will go in the next release",
                FutureWarning,
                stacklevel=3,
            )
        self.potential, self.precision = potential, precision
        self._watch = GradeWatch(once=True)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """See `ase.calculators.calculator.Calculator.calculate`.

        Raises:
            ArgumentError: no structure.
            StructureError, UnknownElementError: the structure cannot be evaluated.
            PropertyNotImplementedError: stress of a structure that is not periodic in three
                directions.
        """
        super().calculate(atoms, properties, system_changes)
        structure = self.atoms
        if structure is None:
            raise ArgumentError("the calculator has no structure; attach it to one, or pass atoms=")
        stress = "stress" in properties
        if stress and not structure.pbc.all():
            raise PropertyNotImplementedError("stress needs three periodic directions")
        if "energy" not in self.results or (stress and "stress" not in self.results):
            self._add_energy(structure, stress)
        if set(properties) & set(EXTRA):
            self._add_uncertainty(structure)

    @property
    def fingerprint(self) -> str:
        """Short name of the potential's terms and weights."""
        return fingerprint(self.potential.terms)

    def _add_energy(self, structure: Atoms, stress: bool) -> None:
        self.results |= self.results_at(structure, stress)

    def ready(self) -> FastPotential | None:
        """What evaluates structures, or None where torch does; see `interpmd.potentials.fast`."""
        return fast.ready(self.potential, self.precision)

    def results_at(
        self, structure: Atoms, stress: bool = False, known: FastPotential | None = None
    ) -> dict[str, Any]:
        """Energy, forces and site energies of a structure, without what ASE keeps of it; in every
        step of an engine of dynamics, which keeps its own.

        Args:
            structure: nothing of it is changed.
            stress: whether the stress is needed; it may be there in any case.
            known: what evaluated the structure before, if only its atoms have moved since: neither
                its elements, cell and charge nor the weights are looked at again.

        Raises:
            StructureError, UnknownElementError: the structure cannot be evaluated.
        """
        results: dict[str, Any] = {}
        ready = known or self.ready()
        if ready is not None:
            sites, forces, virial = ready.on_atoms(structure, moved_only=known is not None)
            if structure.pbc.all():
                volume = structure.get_volume()
                results["stress"] = _voigt((virial + virial.T) / (2 * volume))
        else:
            predicted = TermSum.predict(self.potential, structure, stress=stress)
            arrays = (predicted.site_energies, predicted.forces)
            sites, forces = (a.detach().cpu().double().numpy() for a in arrays)
            if predicted.stress is not None:
                results["stress"] = _voigt(predicted.stress[0].cpu().double().numpy())
        energy = float(sites.sum())
        results |= {"energy": energy, "free_energy": energy, "energies": sites, "forces": forces}
        self._watch.look(self.potential, structure, forces)
        return results

    def take(self, structure: Atoms, results: dict[str, Any]) -> None:
        """Keep results of `results_at` as if they had been asked for by way of ASE."""
        self.atoms = structure.copy()
        self.results = dict(results)

    def _add_uncertainty(self, structure: Atoms) -> None:
        bars = uncertainty(self.potential, self.potential.batch(structure))
        self.results["energy_std"] = float(bars.energy_std[0])
        self.results["forces_std"] = bars.forces_std.cpu().double().numpy()
        self.results["extrapolation"] = bars.extrapolation.cpu().double().numpy()


def _voigt(tensor: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, " 6"]:
    return tensor[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
