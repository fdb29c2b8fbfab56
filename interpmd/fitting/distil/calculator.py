"""The calculator of a distilled model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.data import chemical_symbols

from interpmd.errors import ArgumentError, UnknownElementError
from interpmd.fitting.distil.base import Block, DistilTerm
from interpmd.structures.charges import StatefulCalculator
from interpmd.structures.threads import one_thread


class DistilledCalculator(StatefulCalculator):
    """Energy (eV) and forces (eV/Å) of distilled terms.

    Args:
        terms: the terms.
        coefficients: of each.
        offset: eV by atomic number.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces"]

    def __init__(
        self,
        terms: Sequence[DistilTerm],
        coefficients: Sequence[np.ndarray],
        offset: dict[int, float],
    ) -> None:
        super().__init__()
        self._own_name = "distilled"
        self.terms, self.coefficients, self.offset = terms, coefficients, offset

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill ``results``, as ASE asks of a calculator.

        Raises:
            ArgumentError: no structure.
            UnknownElementError: an element that the frames of the distillation did not have.
            StructureError: other atoms than those frames, where valence terms are distilled.
        """
        super().calculate(atoms, properties, system_changes)
        given = self.atoms
        if given is None:
            raise ArgumentError("there is no structure to evaluate")
        unknown = sorted(set(given.numbers.tolist()) - set(self.offset))
        if unknown:
            known = ", ".join(chemical_symbols[z] for z in self.offset)
            raise UnknownElementError(
                f"{chemical_symbols[unknown[0]]} was not distilled, only {known}"
            )
        energy = float(sum(self.offset[int(z)] for z in given.numbers))
        forces = np.zeros(3 * len(given))
        with one_thread():
            block = Block.of([given])
            for term, c in zip(self.terms, self.coefficients, strict=True):
                term.check(given)
                if not c.any():
                    continue
                entries = term.entries(block)
                energy += float(entries.energies_for(c, 1)[0])
                forces += entries.forces_for(c, len(forces))
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": forces.reshape(-1, 3),
        }
