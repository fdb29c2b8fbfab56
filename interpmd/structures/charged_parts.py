"""Charges of the parts of a structure: chloride and water, not chlorine and water of charge -1.

Every atom takes a charge along into a part, so that the charge of a part is the sum over its atoms
and parts of parts fit together. These charges stand in the array `FORMAL` of a structure, or come
from the Lewis structures of its molecules.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from interpmd.errors import FragmentError, InterpmdError
from interpmd.structures.charges import (
    CHARGE_KEYS,
    FORMAL,
    MULTIPLICITY_KEYS,
    charge_of,
    stated_multiplicity,
)
from interpmd.structures.chemistry import lewis_bonds, put_together
from interpmd.structures.lewis import IONS, lewis


def formal_charges(atoms: Atoms, total: float | None = None) -> Float[np.ndarray, " atoms"]:
    """The charge in e that each atom takes along when it goes into a part; they sum to the total.

    From the array `FORMAL`, else from Lewis structures (`interpmd.structures.lewis`). Neutral
    structures of closed-shell molecules need none: all zero.

    Args:
        atoms: the structure.
        total: its charge in e, where a calculator rather than the structure says it.

    Raises:
        FragmentError: the array sums to another charge, or no Lewis structures have this charge.
        StructureError: see `stated_charge`.
    """
    total = charge_of(atoms) if total is None else total
    if FORMAL in atoms.arrays:
        given = np.asarray(atoms.arrays[FORMAL], dtype=float)
        if abs(given.sum() - total) > 1e-6:
            raise FragmentError(
                f"the charges of the parts sum to {given.sum():g} e, and the structure has the "
                f"charge {total:g} e"
            )
        return given
    zero = np.zeros(len(atoms))
    if total == 0 and not _ions_likely(atoms):
        return zero
    guessed = _by_lewis(atoms, total)
    if guessed is not None:
        return guessed
    if total == 0:
        return zero
    raise FragmentError(
        f"no Lewis structures of {atoms.symbols} have the charge {total:g} e together, so that the "
        "charges of its parts are unknown; give fragment_charges=[...], one in e for each fragment "
        f"(for parts of single atoms the array {FORMAL!r} of the structure)"
    )


def with_fragment_charges(
    atoms: Atoms, fragments: Sequence[Sequence[int]], charges: Sequence[float], total: float
) -> Atoms:
    """A copy in which every fragment carries the charge that the user gives, in e.

    Raises:
        FragmentError: another number of charges, no numbers, or another sum than the total.
    """
    try:
        given = np.array([float(charge) for charge in charges])
    except (TypeError, ValueError) as error:
        raise FragmentError(f"fragment_charges are numbers in e, not {charges!r}") from error
    if len(given) != len(fragments):
        raise FragmentError(
            f"{len(given)} fragment_charges for {len(fragments)} fragments; give one for each"
        )
    if not abs(given.sum() - total) < 1e-6:
        raise FragmentError(
            f"fragment_charges sum to {given.sum():g} e, and the structure has the charge "
            f"{total:g} e; say the total in info['charge'] if it is another"
        )
    spread = np.zeros(len(atoms))
    for members, charge in zip(fragments, given, strict=True):
        spread[members[0]] = charge
    copy = atoms.copy()
    copy.set_array(FORMAL, spread)
    return copy


def part_of(atoms: Atoms, members: Sequence[int], charges: Float[np.ndarray, " atoms"]) -> Atoms:
    """Some atoms of a structure as a structure with a charge of its own, without labels.

    Where the structure names a multiplicity the part has the lowest that its electrons allow.

    Args:
        atoms: the structure.
        members: atoms of the part.
        charges: in e, of every atom; see `formal_charges`.
    """
    members = list(members)
    part = atoms[members]
    part.calc = None
    part.set_constraint()
    if len(members) == len(atoms):
        return part
    own = charges[members]
    for key in CHARGE_KEYS:
        part.info.pop(key, None)
    part.arrays.pop("initial_charges", None)
    part.info["charge"] = charge = float(own.sum())
    part.set_array(FORMAL, own)
    if stated_multiplicity(part) is not None:
        for key in MULTIPLICITY_KEYS:
            part.info.pop(key, None)
        part.arrays.pop("initial_magmoms", None)
        part.info["multiplicity"] = 1 + (int(part.numbers.sum()) - round(charge)) % 2
    return part


def _by_lewis(atoms: Atoms, total: float) -> np.ndarray | None:
    """Formal charges that sum to the total, or None."""
    try:
        known = lewis_bonds(atoms)
        if (known.pairs[:, 0] == known.pairs[:, 1]).any():
            return None
        number = put_together(known, len(atoms)).number
        molecules = [tuple(np.flatnonzero(number == k).tolist()) for k in range(number.max() + 1)]
        whole = atoms.copy()
        for key in CHARGE_KEYS:
            whole.info.pop(key, None)
        whole.info["charge"] = total
        found = lewis(whole, known.pairs, known.distances, molecules).charges
    except InterpmdError:  # RDKit is missing, or the total is no whole number
        return None
    return None if found is None else found.astype(float)


def _ions_likely(atoms: Atoms) -> bool:
    """Whether a neutral structure holds lone ions, or molecules with an odd number of electrons."""
    known = lewis_bonds(atoms)
    number = put_together(known, len(atoms)).number
    count = np.bincount(number, minlength=1)
    electrons = np.bincount(number, atoms.numbers, minlength=1)
    lone = np.isin(atoms.numbers, list(IONS)) & (count[number] == 1)
    return len(count) > 1 and bool(lone.any() or (electrons % 2).any())
