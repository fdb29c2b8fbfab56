"""Time of energy and forces of periodic water beside other potentials, one thread, in one run.

Wants, in an environment of its own: python-ace, mace-torch, chgnet. None of them is fitted here,
since the time does not depend on the values of the weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator
from results import record
from speed import forces_of, milliseconds, water_box

import interpmd as im

COMMAND = "python benchmarks/peers.py"

#: Å, as in the shipped potential of water.
CUTOFF = 6.0


def pace(functions: int) -> Calculator:
    """Linear PACE in C++ with about that many functions of an element, of two to five bodies."""
    from pyace import ACEBBasisSet, PyACECalculator, create_multispecies_basis_config

    basis = ACEBBasisSet(
        create_multispecies_basis_config(
            {
                "deltaSplineBins": 0.001,
                "elements": ["H", "O"],
                "embeddings": {
                    "ALL": {
                        "npot": "FinnisSinclairShiftedScaled",
                        "fs_parameters": [1, 1],
                        "ndensity": 1,
                    }
                },
                "bonds": {
                    "ALL": {
                        "radbase": "SBessel",
                        "radparameters": [5.25],
                        "rcut": CUTOFF,
                        "dcut": 0.01,
                    }
                },
                "functions": {
                    "number_of_functions_per_element": functions,
                    "ALL": {
                        "nradmax_by_orders": [15, 8, 6, 3],
                        "lmax_by_orders": [0, 4, 3, 2],
                    },
                },
            }
        )
    )
    basis.all_coeffs = np.random.default_rng(0).normal(size=len(basis.all_coeffs)).tolist()
    return PyACECalculator(basis)


def two_layers(precision: str) -> Calculator:
    """MACE with 64 scalar channels and two layers, random weights."""
    import mace.calculators  # before e3nn, whose tables want an older default of torch.load
    from e3nn import o3
    from mace.modules import ScaleShiftMACE, interaction_classes

    block = interaction_classes["RealAgnosticResidualInteractionBlock"]
    model = ScaleShiftMACE(
        r_max=CUTOFF,
        num_bessel=8,
        num_polynomial_cutoff=5,
        max_ell=3,
        interaction_cls=block,
        interaction_cls_first=block,
        num_interactions=2,
        num_elements=2,
        hidden_irreps=o3.Irreps("64x0e"),
        MLP_irreps=o3.Irreps("16x0e"),
        atomic_energies=np.zeros((1, 2)),
        avg_num_neighbors=90.0,
        atomic_numbers=[1, 8],
        correlation=3,
        gate=torch.nn.functional.silu,
        radial_type="bessel",
        atomic_inter_scale=[1.0],
        atomic_inter_shift=[0.0],
    )
    return mace.calculators.MACECalculator(models=[model], device="cpu", default_dtype=precision)


def chgnet() -> Calculator:
    from chgnet.model import CHGNetCalculator

    return CHGNetCalculator(use_device="cpu", on_isolated_atoms="ignore")


def main() -> None:
    torch.set_num_threads(1)
    box, water = water_box((4, 4, 4)), im.load("water")
    peers: dict[str, tuple[Callable[[], Calculator], str]] = {
        "interpmd, float64": (water.calculator, "float64"),
        "interpmd, float32": (lambda: water.calculator(precision="float32"), "float32"),
        "PACE in C++, 200 functions": (lambda: pace(200), "float64"),
        "PACE in C++, 1,000 functions": (lambda: pace(1000), "float64"),
        "MACE 64x0e, float64": (lambda: two_layers("float64"), "float64"),
        "MACE 64x0e, float32": (lambda: two_layers("float32"), "float32"),
        "CHGNet 0.3.0, float32": (chgnet, "float32"),
    }
    calls = [in_precision(precision, make, box) for make, precision in peers.values()]
    times = milliseconds(*calls, seconds=20.0)
    record(
        {
            f"periodic water, {len(box)} atoms, time an atom: {name}": (
                f"{1e3 * t / len(box):.0f} µs, {t / times[0]:.3g} times that of interpmd"
            )
            for name, t in zip(peers, times, strict=True)
        },
        COMMAND,
    )


def in_precision(precision: str, make: Callable[[], Calculator], box: Atoms) -> Callable[[], None]:
    """A call of a calculator with the default of torch that it expects."""
    wanted = getattr(torch, precision)
    torch.set_default_dtype(wanted)
    call = forces_of(make(), box)

    def in_its_own() -> None:
        torch.set_default_dtype(wanted)
        call()

    return in_its_own


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
