"""Potentials on disk: a folder with safetensors and JSON, never a pickle.

    potential.json        format, terms and their arguments, elements, units, level, provenance
    weights.safetensors   parameters, buffers and posterior samples

A folder is first written under another name and then moved, so that it is never incomplete.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from interpmd.errors import PotentialFileError
from interpmd.potentials.base import TERMS, LearnedTerm, Term
from interpmd.potentials.sum import TermSum

FORMAT = "interpmd-potential"

#: Version of the format that this version of interpmd writes, the newest that it reads.
VERSION = 1

CARD, WEIGHTS = "potential.json", "weights.safetensors"

UNITS = {"energy": "eV", "length": "A", "force": "eV/A", "charge": "e"}


def write_folder(potential: TermSum, folder: str | Path) -> None:
    """Write a potential to a folder, replacing a potential that it already holds.

    Args:
        potential: the potential.
        folder: where to write; created if it does not exist.

    Raises:
        PotentialFileError: the folder holds something else.
        OSError: the disk is full or not writable; the previous contents stay as they were.
    """
    folder = Path(folder)
    check_place(folder)
    description = {
        "format": FORMAT,
        "version": VERSION,
        "terms": [
            {"name": name, "kind": term.kind, "config": term.config()}
            for name, term in potential.terms.items()
        ],
        "elements": None if potential.elements is None else list(potential.elements),
        "units": UNITS,
        **asdict(potential.card),
    }
    tensors = {k: v.detach().cpu().contiguous() for k, v in potential.state_dict().items()}
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        (fresh / CARD).write_text(json.dumps(description, indent=1, default=str) + "\n")
        save_file(tensors, fresh / WEIGHTS)
        (fresh / WEIGHTS).chmod(0o644)
        folder.mkdir(exist_ok=True)
        for name in (WEIGHTS, CARD):
            (fresh / name).replace(folder / name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def check_place(folder: Path) -> None:
    """Raise PotentialFileError if the folder holds something other than a potential."""
    if folder.exists() and (not folder.is_dir() or _is_foreign(folder)):
        raise PotentialFileError(f"{folder} exists and is not a potential; choose another folder")


def read_folder(folder: Path) -> tuple[dict[str, Term], dict[str, Any], dict[str, Tensor]]:
    """The contents of a folder: terms by name, the description, and the tensors that fill them.

    Raises:
        PotentialFileError: the folder holds no potential, its files are damaged, or their format
            is newer than this version of interpmd.
    """
    description = read_card(folder)
    try:
        tensors = load_file(folder / WEIGHTS)
    except FileNotFoundError as error:
        raise PotentialFileError(f"{folder} has no {WEIGHTS}; copy the whole folder") from error
    except (SafetensorError, OSError) as error:
        raise PotentialFileError(f"{folder / WEIGHTS} is damaged or truncated: {error}") from error
    try:
        terms = {t["name"]: _term(t, folder) for t in description["terms"]}
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, PotentialFileError):
            raise
        raise PotentialFileError(f"{folder / CARD} is damaged: {error!r}") from error
    return terms, description, tensors


def read_card(folder: Path) -> dict[str, Any]:
    """The description of a potential.

    Raises:
        PotentialFileError: it is missing, damaged, or of a newer format.
    """
    path = folder / CARD
    try:
        description = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise PotentialFileError(f"{folder} is not a potential: it has no {CARD}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise PotentialFileError(f"{path} is damaged or truncated: {error}") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise PotentialFileError(f"{path} does not describe an interpmd potential")
    if not isinstance(description.get("version"), int) or description["version"] > VERSION:
        raise PotentialFileError(
            f"{path} has format version {description.get('version')}, and this interpmd reads up "
            f"to {VERSION}; upgrade interpmd"
        )
    return description


def _term(entry: dict[str, Any], folder: Path):
    if entry["kind"] not in TERMS:
        known = ", ".join(sorted(TERMS))
        raise PotentialFileError(
            f"{folder} has a term of unknown kind {entry['kind']!r}; known: {known}"
        )
    return TERMS[entry["kind"]](**entry["config"])


def fill(potential: TermSum, tensors: dict[str, torch.Tensor], folder: Path) -> None:
    """Copy stored tensors into a potential.

    Raises:
        PotentialFileError: a tensor is missing, unexpected, of another shape, or not finite.
    """
    state = potential.state_dict()
    if set(state) != set(tensors):
        wrong = sorted(set(state) ^ set(tensors))
        raise PotentialFileError(f"{folder / WEIGHTS} does not fit {CARD}: tensor {wrong[0]!r}")
    for name, tensor in tensors.items():
        module_name, _, buffer = name.rpartition(".")
        module = potential.get_submodule(module_name)
        current = state[name]
        samples = isinstance(module, LearnedTerm) and buffer == "samples"
        if samples and tensor.shape[:-1] == current.shape[:-1]:  # any number of samples
            module.samples = tensor
        elif tensor.shape != current.shape:
            raise PotentialFileError(
                f"{folder / WEIGHTS}: {name} has shape {tuple(tensor.shape)}, but {CARD} implies "
                f"{tuple(current.shape)}"
            )
        else:
            with torch.no_grad():
                current.copy_(tensor)
        if not torch.isfinite(tensor.double()).all():
            raise PotentialFileError(f"{folder / WEIGHTS}: {name} is not finite")


def _is_foreign(folder: Path) -> bool:
    return any(folder.iterdir()) and not (folder / CARD).exists()
