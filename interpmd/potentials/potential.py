"""The potential that users hold: a sum of named terms with files and an ASE calculator."""

from __future__ import annotations

from pathlib import Path

import torch
from ase import Atoms

from interpmd.potentials import fast
from interpmd.potentials.calculator import InterpmdCalculator
from interpmd.potentials.folder import write_folder
from interpmd.potentials.sum import Prediction, TermSum, require_volume
from interpmd.potentials.watch import watch_of
from interpmd.structures.edges import Neighbours
from interpmd.structures.files import Structures
from interpmd.structures.systems import Batch


class Potential(TermSum):
    """A sum of named terms.

    E(atoms) = sum over terms, sum over sites: E_term,site

    Args:
        terms: the terms by name, or just the terms, which are then named after their kind.
        elements: atomic numbers that the potential knows; those that all its terms know if None.
        card: provenance.

    Raises:
        ArgumentError: no terms, or two with the same name.

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
        """Write to a folder as safetensors and JSON, sealed; see `interpmd.potentials.folder`.

        A potential that the folder holds is replaced in one step.

        Raises:
            ArgumentError: a weight is not finite.
            PotentialFileError: the folder holds something else.
            OutputError: the disk is full or not writable, or another process writes there; what
                was there stays as it was.
        """
        write_folder(self, folder)

    def predict(
        self,
        structures: Structures | Batch,
        pairs: Neighbours | None = None,
        stress: bool = False,
    ) -> Prediction:
        """Energies, forces and, if asked for, stresses.

        On a CPU and in float64 by generated code (`interpmd.potentials.fast`), with the numbers
        of `predict_by_torch`.

        Args:
            structures: one or several structures, files of them (see `read_frames`), or a batch.
            pairs: neighbours, if they are known already.
            stress: whether to compute the stress (needs a cell in three periodic directions).

        Raises:
            StructureError, UnknownElementError: a structure cannot be evaluated, or has no stress.

        Warns:
            ExtrapolationWarning: an atom is unlike the training data; see
                `interpmd.potentials.watch`, which does not look at every structure.
        """
        if not isinstance(structures, Atoms):
            structures = self.batch(structures)
        prediction = self.predict_unwatched(structures, pairs, stress)
        watch_of(self).look(self, structures, prediction.forces.detach().cpu().numpy())
        return prediction

    def predict_unwatched(
        self,
        structures: Structures | Batch,
        pairs: Neighbours | None = None,
        stress: bool = False,
    ) -> Prediction:
        """As `predict`, for what is meant to be unlike the training data: parts, scans."""
        ready = fast.ready(self)
        if ready is not None and isinstance(structures, Atoms) and pairs is None:
            if stress:
                require_volume(structures.pbc[None])
            return ready.predict_one(structures, stress)
        batch = self.batch(structures)
        here = batch.positions.device.type == "cpu" and batch.positions.dtype == torch.float64
        if ready is not None and here:
            if stress:
                require_volume(batch.pbc)
            return ready.predict(batch, pairs, stress)
        return self.predict_by_torch(batch, pairs, stress)

    def predict_by_torch(
        self,
        structures: Structures | Batch,
        pairs: Neighbours | None = None,
        stress: bool = False,
    ) -> Prediction:
        """As `predict`, by automatic differentiation; on any device, in any type."""
        return super().predict(structures, pairs, stress)

    def calculator(self, compile: bool = False, precision: str = "float64") -> InterpmdCalculator:
        """An ASE calculator; see `interpmd.potentials.calculator.InterpmdCalculator`."""
        return InterpmdCalculator(self, compile=compile, precision=precision)
