"""Potentials by name or folder: those that come with interpmd, and those that users saved."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pandas as pd
from ase.calculators.calculator import Calculator

from interpmd.errors import ArgumentError, PotentialFileError, UnsealedWarning
from interpmd.potentials.baseline import Baseline
from interpmd.potentials.card import Card
from interpmd.potentials.folder import CARD, fill, is_sealed, read_card, read_folder
from interpmd.potentials.potential import Potential


def load_potential(name_or_folder: str | Path, baseline: Calculator | None = None) -> Potential:
    """Read a potential: a shipped one by name, or any folder written by `Potential.save`.

    Args:
        name_or_folder: see `shipped` for the names.
        baseline: the calculator that the potential corrects, where no name brings it back; it is
            held against what it said when the potential was fitted.

    Raises:
        ArgumentError: a baseline for a potential that has none, or whose name is in its card.
        PotentialSealError: the files are not those that were saved: damaged or altered.
        PotentialFileError: there is no such potential, the folder holds something else, its files
            are damaged, or their format is newer than this version of interpmd.

    A potential that an earlier release saved has no seal: it loads with an UnsealedWarning.
    """
    folder = _find(name_or_folder)
    terms, description, tensors = read_folder(folder)
    try:
        card = Card(
            level=description.get("level"),
            provenance=description.get("provenance", {}),
            errors=description.get("errors", {}),
            certificate=description.get("certificate", []),
        )
        potential = Potential(terms, description["elements"], card)
    except (KeyError, TypeError, ValueError) as error:
        raise PotentialFileError(f"{folder / CARD} is damaged: {error!r}") from error
    _check_elements(potential, folder)
    fill(potential, tensors, folder)
    _give(potential, baseline, folder)
    if not is_sealed(description):
        warnings.warn(
            f"{folder} carries no seal: it was saved by an earlier release, and nothing shows "
            "whether it is as it was saved; save it again to seal it",
            UnsealedWarning,
            stacklevel=2,
        )
    return potential


def _give(potential: Potential, calculator: Calculator | None, folder: Path) -> None:
    """Give a potential the calculator that it corrects, where it needs one."""
    wanting = [
        term for term in potential.terms.values() if isinstance(term, Baseline) and not term.by_name
    ]
    if calculator is not None and not wanting:
        raise ArgumentError(
            f"baseline= is for potentials that correct a calculator without a name; {folder} does "
            "not need one"
        )
    for term in wanting:
        if calculator is None:
            raise PotentialFileError(
                f"{folder} corrects the calculator {term.name}, which no name brings back; give it "
                "again: im.load(folder, baseline=calculator)"
            )
        term.give(calculator)


def _check_elements(potential: Potential, folder: Path) -> None:
    """The elements of a potential are among those of its terms."""
    of_terms = Potential(dict(potential.terms)).elements
    if of_terms is not None and not set(potential.elements or [0]) <= set(of_terms):
        raise PotentialFileError(
            f"{folder / CARD} gives the elements {potential.elements}, and its terms know "
            f"{of_terms}"
        )


def shipped() -> pd.DataFrame:
    """The potentials that come with interpmd: level, elements, test errors, size in MB."""
    rows = []
    for folder in _shipped_folders():
        description = read_card(folder)
        size = sum(f.stat().st_size for f in folder.iterdir() if f.is_file())
        errors = description.get("errors", {}).get("test", {})
        rows.append(
            {
                "name": folder.name,
                "level": description.get("level"),
                "elements": " ".join(_symbols(description["elements"])),
                "terms": ", ".join(t["name"] for t in description["terms"]),
                "energy_rmse_meV": errors.get("energy_rmse_meV"),
                "force_rmse_meV/A": errors.get("force_rmse_meV/A"),
                "size_MB": round(size / 1e6, 2),
            }
        )
    return pd.DataFrame(rows).set_index("name") if rows else pd.DataFrame(rows)


def shipped_names() -> list[str]:
    """Names of the potentials that come with interpmd."""
    return [folder.name for folder in _shipped_folders()]


def _find(name_or_folder: str | Path) -> Path:
    if not isinstance(name_or_folder, str | Path):
        raise PotentialFileError(
            f"a potential is known by its name or its folder, not by {name_or_folder!r}"
        )
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    for candidate in _shipped_folders():
        if candidate.name == str(name_or_folder):
            return candidate
    if folder.exists():
        raise PotentialFileError(f"{folder} is a file; a potential is a folder with {CARD}")
    names = ", ".join(shipped_names()) or "none"
    raise PotentialFileError(
        f"there is no folder {folder} and no shipped potential of that name; shipped: {names}"
    )


def _shipped_folders() -> Iterator[Path]:
    root = Path(str(files("interpmd"))) / "shipped"
    if root.is_dir():
        yield from sorted(f for f in root.iterdir() if (f / CARD).exists())


def _symbols(numbers: list[int] | None) -> list[str]:
    from ase.data import chemical_symbols

    return ["any"] if numbers is None else [chemical_symbols[z] for z in numbers]
