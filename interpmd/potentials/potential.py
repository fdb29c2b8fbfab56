"""The potential that users hold: a sum of named terms with files and an ASE calculator."""

from __future__ import annotations

from pathlib import Path

from interpmd.potentials.calculator import InterpmdCalculator
from interpmd.potentials.folder import write_folder
from interpmd.potentials.sum import TermSum


class Potential(TermSum):
    """A sum of named terms.

    E(atoms) = sum over terms, sum over sites: E_term,site

    Args:
        terms: the terms by name, or terms that then go by their own kind.
        elements: atomic numbers that the potential knows; those common to its terms if None.
        card: provenance.

    Raises:
        ArgumentError: no terms, or two of one name.

    Example:
        >>> from ase import Atoms
        >>> from interpmd.potentials import LennardJones, Potential
        >>> argon = Potential([LennardJones(epsilon=0.0104, sigma=3.40, cutoff=8.5)])
        >>> list(argon.terms)
        ['lennard_jones']
        >>> dimer = Atoms("Ar2", [[0, 0, 0], [0, 0, 3.4]])
        >>> dimer.calc = argon.calculator()
        >>> dimer.get_forces()[1].round(4).tolist()  # at sigma it is 24 epsilon / sigma
        [0.0, 0.0, 0.0734]
    """

    def save(self, folder: str | Path) -> None:
        """Write to a folder as safetensors and JSON; see `interpmd.potentials.folder`.

        Raises:
            PotentialFileError: the folder holds something else.
            OSError: the disk is full or not writable; what was there stays as it was.
        """
        write_folder(self, folder)

    def calculator(self, compile: bool = False) -> InterpmdCalculator:
        """An ASE calculator; see `interpmd.potentials.calculator.InterpmdCalculator`."""
        return InterpmdCalculator(self, compile=compile)
