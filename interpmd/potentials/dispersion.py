"""London dispersion: D3 with Becke-Johnson damping."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interpmd.errors import ArgumentError
from interpmd.extras import required
from interpmd.potentials.base import GlobalTerm, register
from interpmd.potentials.dense import per_atom
from interpmd.structures.systems import Batch


@register
class D3(GlobalTerm):
    """D3(BJ) dispersion, two-body and Axilrod-Teller, computed by tad-dftd3.

    The coefficients depend on coordination numbers, so the energy is of no finite body order.
    For molecules only; the library has no periodic sums. An isolated atom has an energy of 0, but
    two distant atoms attract each other as 1/r^6 up to the library's cutoff of 50 bohr.

    Sources: Grimme, Ehrlich, Goerigk, J. Comput. Chem. 32, 1456 (2011), equations 5 and 6;
    the program tad-dftd3.

    Args:
        functional: name of the density functional whose damping parameters are used, or None.
        parameters: s6, s8, a1, a2 (bohr), s9; they override those of the functional.

    Raises:
        ArgumentError: neither functional nor parameters, or a functional without parameters.
        StructureError: (when called) a periodic structure.
        UnknownElementError: (when called) an element beyond lawrencium.
        MissingPackageError: (when called) tad-dftd3 is not installed.
    """

    kind = "dispersion"

    def __init__(
        self, functional: str | None = None, parameters: dict[str, float] | None = None
    ) -> None:
        super().__init__()
        known = _of_functional(functional) if functional else {}
        self.parameters_by_name = {"s6": 1.0, "s9": 1.0} | known | (parameters or {})
        if missing := {"s6", "s8", "a1", "a2", "s9"} - set(self.parameters_by_name):
            raise ArgumentError(f"D3 needs {sorted(missing)}; give a functional or parameters")

    @classmethod
    def example(cls) -> D3:
        """Parameters of PBE."""
        return cls(parameters={"s8": 0.7875, "a1": 0.4289, "a2": 4.4407})

    def config(self) -> dict[str, Any]:
        return {"parameters": dict(self.parameters_by_name)}

    def forward(self, batch: Batch) -> Float[Tensor, " atoms"]:
        dftd3 = required("tad_dftd3", "the term dispersion").dftd3
        parameters = {
            name: torch.as_tensor(value, dtype=torch.float64, device=batch.positions.device)
            for name, value in self.parameters_by_name.items()
        }
        return per_atom(
            batch, "dispersion", lambda numbers, positions, _: dftd3(numbers, positions, parameters)
        )


def _of_functional(functional: str) -> dict[str, float]:
    param = required("tad_dftd3.param", "the term dispersion")
    try:
        damping = param.get_functional_params(functional, dtype=torch.float64)
    except (KeyError, ValueError) as error:
        raise ArgumentError(f"D3 has no damping parameters for {functional!r}") from error
    return {name: float(value) for name, value in damping.items() if name in _NAMES}


_NAMES = {"s6", "s8", "a1", "a2", "s9"}
