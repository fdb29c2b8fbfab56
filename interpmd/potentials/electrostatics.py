"""Electrostatics with charges that equilibrate."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from interpmd.extras import required
from interpmd.potentials.base import GlobalTerm, register
from interpmd.potentials.dense import HARTREE, per_atom
from interpmd.structures.systems import Batch


@register
class EEQ(GlobalTerm):
    """Coulomb energy of electronegativity-equilibrated charges, computed by tad-multicharge.

    The charges minimise the energy under the total charge of the structure, so each depends on
    all atoms: the term is many-body through its charges and has no finite body order. Charge
    flows over any distance, so that the energy of two distant molecules is not quite the sum of
    their own energies. For molecules only.

    Source: Caldeweyher et al., J. Chem. Phys. 150, 154122 (2019), equations 8 to 13.

    Raises:
        StructureError: (when called) a periodic structure.
        UnknownElementError: (when called) an element beyond lawrencium.
        MissingPackageError: (when called) tad-multicharge is not installed.
    """

    kind = "electrostatics"

    @classmethod
    def example(cls) -> EEQ:
        """The published parameters."""
        return cls()

    def config(self) -> dict[str, Any]:
        return {}

    def forward(self, batch: Batch) -> Float[Tensor, " atoms"]:
        get_eeq = _library()
        return per_atom(
            batch,
            "electrostatics",
            lambda numbers, positions, charges: get_eeq(
                numbers, positions, charges[:, None], return_energy=True
            )[1],
        )

    def charges(self, batch: Batch) -> Float[Tensor, " atoms"]:
        """The charge of each atom in e."""
        get_eeq = _library()
        # `per_atom` converts Hartree to eV
        converted = per_atom(
            batch,
            "electrostatics",
            lambda numbers, positions, charges: get_eeq(
                numbers, positions, charges[:, None], return_energy=False
            ),
        )
        return converted / HARTREE


def _library():
    return required("tad_multicharge.model.eeq", "the term electrostatics").get_eeq
