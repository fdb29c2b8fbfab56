"""Pair curves and triplets as a file of UF3, which LAMMPS runs by `pair_style uf3`.

The form of the file is that of LAMMPS (release of 22 July 2025 and later), documented at
https://docs.lammps.org/pair_uf3.html: one block for each pair and each triplet of elements, cubic
B-splines with coefficients of zero for the last three.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from interpmd.errors import ArgumentError
from interpmd.fitting.distil.equations import LinearModel
from interpmd.fitting.distil.pairs import FIRST_KNOT, Pairs
from interpmd.fitting.distil.triplets import Triplets

#: First line of a block; LAMMPS looks for UNITS.
HEAD = "#UF3 POT UNITS: metal DATE: 2023-01-01 AUTHOR: interpmd CITATION: none"


def uf3_text(
    model: LinearModel, coefficients: Sequence[np.ndarray], count: int, path: str | Path
) -> tuple[str, str]:
    """The file, and the commands of LAMMPS that read it.

    Args:
        model: the terms. coefficients: of each.
        count: how many of them are meant.
        path: where the file will stand.

    Raises:
        ArgumentError: there are no pairs, or other terms.
    """
    terms = model.terms[:count]
    pairs = next((k for k, t in enumerate(terms) if type(t) is Pairs), None)
    if pairs is None or any(type(t) not in (Pairs, Triplets) for t in terms):
        raise ArgumentError(
            "UF3 has pairs and triplets and nothing else: distil "
            'terms="pairs" or terms=("pairs", "triplets"), not '
            f"{', '.join(dict.fromkeys(model.stages[:count]))}"
        )
    triplets = next((k for k, t in enumerate(terms) if isinstance(t, Triplets)), None)
    one = terms[pairs]
    assert isinstance(one, Pairs)
    blocks = []
    knots = one.spline.knots(FIRST_KNOT, one.cutoff)
    for elements, raw in one.raw(coefficients[pairs]).items():
        # LAMMPS counts every pair from both of its ends
        blocks.append(
            [
                f"2B {_symbols(elements)} 0 3 uk",
                f"{one.cutoff!r} {len(knots)}",
                _numbers(knots),
                str(len(raw)),
                _numbers(raw / 2),
            ]
        )
    if triplets is not None:
        three = terms[triplets]
        assert isinstance(three, Triplets)
        side = three.side.knots(FIRST_KNOT, three.cutoff)
        third = three.third.knots(FIRST_KNOT, 2 * three.cutoff)
        sizes = f"{2 * three.cutoff!r} {three.cutoff!r} {three.cutoff!r} " + " ".join(
            str(len(k)) for k in (third, side, side)
        )
        for elements, raw in three.raw(coefficients[triplets]).items():
            blocks.append(
                [
                    f"3B {_symbols(elements)} 0 3 uk",
                    sizes,
                    _numbers(third),
                    _numbers(side),
                    _numbers(side),
                    " ".join(map(str, raw.shape)),
                    *(_numbers(line) for line in raw.reshape(-1, raw.shape[2])),
                ]
            )
    text = "".join("\n".join([HEAD, *block, "#", ""]) for block in blocks)
    names = " ".join(chemical_symbols[z] for z in one.elements)
    commands = f"pair_style uf3 {2 if triplets is None else 3}\npair_coeff * * {path} {names}"
    return text, commands


def _symbols(elements: Sequence[int]) -> str:
    return " ".join(chemical_symbols[z] for z in elements)


def _numbers(values: np.ndarray) -> str:
    return " ".join(repr(float(v)) for v in values)
