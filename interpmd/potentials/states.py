"""Charges and multiplicities that a potential has learned, and a warning for others.

The expansion sees neither, so that a cation gets the energy of the neutral molecule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ase import Atoms

from interpmd.errors import ExtrapolationWarning
from interpmd.potentials.asking import warn_where_asked
from interpmd.structures.charges import charge_of, multiplicity_of, stated_multiplicity


def states_of(frames: Sequence[Atoms]) -> dict[str, list[float]]:
    """Charges in e and multiplicities of training frames, as the card of a potential names them."""
    return {
        "charges": sorted({charge_of(atoms) for atoms in frames}),
        "multiplicities": sorted({multiplicity_of(atoms) for atoms in frames}),
    }


def warn_of_state(provenance: Mapping[str, Any], frames: Iterable[Atoms]) -> None:
    """Warn of the first structure whose charge or multiplicity the potential was not trained on.

    Args:
        provenance: of its card; a potential that names no charges has learned neutral structures,
            and one that names no multiplicities is not asked about them. Empty where it is not
            finished: nothing is known.
        frames: structures to be evaluated.

    Warns:
        ExtrapolationWarning: at the line of the user's code that asked; names structure and state.
    """
    if not provenance:
        return
    charges = provenance.get("charges", [0])
    multiplicities = provenance.get("multiplicities", [])
    for atoms in frames:
        plain = not atoms.info and not {"initial_charges", "initial_magmoms"} & set(atoms.arrays)
        charge = 0.0 if plain else charge_of(atoms)
        if charge not in charges:
            _warn(atoms, f"the charge {charge:+g} e", f"charges {_listed(charges)}")
            return
        spin = None if plain or not multiplicities else stated_multiplicity(atoms)
        if spin is not None and spin not in multiplicities:
            known = f"multiplicities {_listed(multiplicities)}"
            _warn(atoms, f"the multiplicity {spin}", known)
            return


def _warn(atoms: Atoms, what: str, known: str) -> None:
    warn_where_asked(
        f"{atoms.symbols} has {what}, and the potential was trained on {known} alone; what it "
        "learned does not see the difference: do not trust this structure",
        ExtrapolationWarning,
    )


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
