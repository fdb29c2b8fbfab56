"""The ASE calculator of a potential."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from interpmd.errors import ExtrapolationWarning
from interpmd.potentials.compiled import CompiledMolecule
from interpmd.potentials.sum import TermSum
from interpmd.potentials.uncertainty import uncertainty

#: Properties that cost extra, computed only when they are asked for.
EXTRA = ("energy_std", "forces_std", "extrapolation")


class InterpmdCalculator(Calculator):
    """Energy, forces, stress, site energies, error bars and extrapolation grade.

    Properties: energy, free_energy (eV), forces (eV/A), stress (eV/A^3, Voigt; three periodic
    directions), energies (site energies in eV), and on request energy_std (eV), forces_std
    (eV/A, shape (atoms, 3)), extrapolation (per atom; above 1 the training data do not vouch
    for it).

    Args:
        potential: the potential.
        compile: whether to compile energy and forces of one molecule (seconds once, then
            several times faster); needs a C++ compiler.
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "free_energy",
        "forces",
        "stress",
        "energies",
        *EXTRA,
    ]

    def __init__(self, potential: TermSum, compile: bool = False) -> None:
        super().__init__()
        self.potential = potential
        self._compiled = CompiledMolecule(potential) if compile else None
        self._warned = False

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """See `ase.calculators.calculator.Calculator.calculate`.

        Raises:
            StructureError, UnknownElementError: the structure cannot be evaluated.
            PropertyNotImplementedError: stress of a structure that is not periodic in three
                directions.
        """
        super().calculate(atoms, properties, system_changes)
        stress = "stress" in properties
        if stress and not self.atoms.pbc.all():
            raise PropertyNotImplementedError("stress needs three periodic directions")
        if self._compiled is not None and not self.atoms.pbc.any() and not stress:
            sites, forces = self._compiled(self.atoms)
            self.results.update(_results(sites, forces))
        elif "energy" not in self.results or stress:
            found = self.potential.predict(self.atoms, stress=stress)
            self.results.update(_results(found.site_energies, found.forces))
            if stress:
                tensor = found.stress[0].cpu().double().numpy()
                self.results["stress"] = tensor[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        if set(properties) & set(EXTRA):
            self._add_uncertainty()

    def _add_uncertainty(self) -> None:
        found = uncertainty(self.potential, self.potential.batch(self.atoms))
        self.results["energy_std"] = float(found.energy_std[0])
        self.results["forces_std"] = found.forces_std.cpu().double().numpy()
        self.results["extrapolation"] = grade = found.extrapolation.cpu().double().numpy()
        if grade.max() > 1.5 and not self._warned:
            self._warned = True
            atom = int(grade.argmax())
            warnings.warn(
                f"atom {atom} ({self.atoms.symbols[atom]}) is unlike the training data "
                f"(extrapolation grade {grade[atom]:.1f}); do not trust this structure",
                ExtrapolationWarning,
                stacklevel=4,
            )


def _results(sites: torch.Tensor, forces: torch.Tensor) -> dict[str, float | np.ndarray]:
    sites = sites.detach().cpu().double().numpy()
    energy = float(sites.sum())
    return {
        "energy": energy,
        "free_energy": energy,
        "energies": sites,
        "forces": forces.detach().cpu().double().numpy(),
    }
