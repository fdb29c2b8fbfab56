"""Potentials on disk: a folder with safetensors and JSON, never a pickle.

    potential.json        format, terms and their arguments, elements, units, level, provenance,
                          errors, certificate, and the seal
    weights.safetensors   parameters, buffers and posterior samples

The seal is the digest of the weights and that of all else that the description says, with the
first one in it. It is checked when a folder is read, so that nothing in either file can be altered
or exchanged without a word.

New weights are first written under a name that holds their digest, then the description that names
them takes the place of the old one, in one step, and then they take theirs. Whenever the writer is
killed, the folder is the old potential or the new one.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from interpmd.errors import ArgumentError, PotentialFileError, PotentialSealError
from interpmd.potentials.base import TERMS, LearnedTerm, Term
from interpmd.potentials.sum import TermSum
from interpmd.storage import as_read, canonical, locked, named_place, replace_file, seal_of, writing

FORMAT = "interpmd-potential"

#: Version of the format that this version of interpmd writes, the newest that it reads.
VERSION = 2

#: The first version with a seal.
SEALED = 2

#: Tensors that folders of earlier releases lack.
LATER = {"energy_scale", "nearest", "charge_scale", "radical_scale"}

CARD, WEIGHTS, SEAL = "potential.json", "weights.safetensors", "seal"

UNITS = {"energy": "eV", "length": "A", "force": "eV/A", "charge": "e"}


def write_folder(potential: TermSum, folder: str | Path) -> None:
    """Write a potential to a folder, replacing a potential that it already holds.

    Args:
        potential: the potential.
        folder: where to write; created if it does not exist.

    Raises:
        ArgumentError: a weight is not finite; nothing is written.
        PotentialFileError: the folder holds something else.
        OutputError: the disk is full or not writable, or another process writes there; the
            previous contents stay as they were.
    """
    folder = named_place(folder)
    check_place(folder)
    tensors = {k: v.detach().cpu().contiguous() for k, v in potential.state_dict().items()}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor.double()).all():
            raise ArgumentError(f"{name} of the potential is not finite; it was not saved")
    weights = save(tensors)
    description = sealed(_described(potential), weights)
    fresh = _under_way(folder, description)
    with writing(folder):
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder / CARD):
            try:
                replace_file(fresh, weights)
                replace_file(folder / CARD, json.dumps(description, indent=1) + "\n")
            except BaseException:
                with contextlib.suppress(OSError):
                    fresh.unlink(missing_ok=True)
                raise
            with writing(folder / WEIGHTS):
                fresh.replace(folder / WEIGHTS)
            for left_over in (*folder.glob(".*.part"), *folder.glob("weights.*.safetensors")):
                left_over.unlink(missing_ok=True)
    finally:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()  # empty if nothing was written


def _described(potential: TermSum) -> dict[str, Any]:
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
    return as_read(description)


def sealed(description: dict[str, Any], weights: bytes) -> dict[str, Any]:
    """A description with the seal that covers it and the contents of the file of weights."""
    bare = {key: value for key, value in description.items() if key != SEAL}
    of_weights = seal_of(weights)
    return bare | {SEAL: {"weights": of_weights, "all": seal_of(canonical(bare), of_weights)}}


def _under_way(folder: Path, description: dict[str, Any]) -> Path:
    """Where weights stand until the description names them."""
    return folder / f"weights.{description[SEAL]['weights'][:16]}.safetensors"


def check_place(folder: Path) -> None:
    """Raise PotentialFileError if the folder holds something other than a potential.

    Raises:
        OutputError: there is no such name.
    """
    if named_place(folder).exists() and (not folder.is_dir() or _is_foreign(folder)):
        raise PotentialFileError(f"{folder} exists and is not a potential; choose another folder")


def read_folder(folder: Path) -> tuple[dict[str, Term], dict[str, Any], dict[str, Tensor]]:
    """The contents of a folder: terms by name, the description, and the tensors that fill them.

    Raises:
        PotentialSealError: weights or description are not those that were saved.
        PotentialFileError: the folder holds no potential, its files are damaged, or their format
            is newer than this version of interpmd.
    """
    description, weights = _whole(folder)
    try:
        tensors = load(weights)
    except (SafetensorError, ValueError, KeyError) as error:
        raise PotentialFileError(f"{folder / WEIGHTS} is damaged or truncated: {error}") from error
    try:
        terms = {t["name"]: _term(t, folder) for t in description["terms"]}
    except PotentialFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise PotentialFileError(f"{folder / CARD} cannot be used: {error}") from error
    return terms, description, tensors


def _whole(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Description and weights that belong together."""
    failure: PotentialFileError | None = None
    for _ in range(3):  # another process may be replacing them between the two reads
        description = read_card(folder)
        try:
            weights = _weights(folder, description)
        except FileNotFoundError as error:
            failure = PotentialFileError(f"{folder} has no {WEIGHTS}; copy the whole folder")
            failure.__cause__ = error
            continue
        except OSError as error:
            raise PotentialFileError(f"{folder / WEIGHTS} cannot be read: {error}") from error
        if not is_sealed(description) or seal_of(weights) == description[SEAL]["weights"]:
            return description, weights
        failure = PotentialSealError(
            f"{folder / WEIGHTS} is damaged or truncated, or was altered: its numbers are not "
            "those that were saved; copy the whole folder again, or fit again"
        )
    assert failure is not None
    raise failure


def _weights(folder: Path, description: dict[str, Any]) -> bytes:
    if is_sealed(description):
        with contextlib.suppress(FileNotFoundError):
            return _under_way(folder, description).read_bytes()
    return (folder / WEIGHTS).read_bytes()


def is_sealed(description: dict[str, Any]) -> bool:
    """Whether a description is of a release that seals potentials."""
    return description["version"] >= SEALED


def read_card(folder: Path) -> dict[str, Any]:
    """The description of a potential.

    Raises:
        PotentialSealError: it is not what was saved.
        PotentialFileError: it is missing, damaged, or of a newer format.
    """
    path = folder / CARD
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PotentialFileError(f"{folder} is not a potential: it has no {CARD}") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
        raise PotentialFileError(f"{path} is damaged or truncated: {error}") from error
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise PotentialFileError(f"{path} does not describe an interpmd potential")
    if type(description.get("version")) is not int or description["version"] > VERSION:
        raise PotentialFileError(
            f"{path} has format version {description.get('version')}, and this interpmd reads up "
            f"to {VERSION}; upgrade interpmd"
        )
    if is_sealed(description):
        _check_seal(description, path)
    if description.get("units") != UNITS:
        raise PotentialFileError(
            f"{path} gives the units {description.get('units')}; a potential of interpmd is in "
            f"{UNITS}"
        )
    return description


def _check_seal(description: dict[str, Any], path: Path) -> None:
    bare = {key: value for key, value in description.items() if key != SEAL}
    try:
        of_weights, stored = (str(description[SEAL][name]) for name in ("weights", "all"))
        whole = stored == seal_of(canonical(bare), of_weights)
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise PotentialSealError(
            f"{path} was altered after it was saved, or is of two potentials: what it says is not "
            "covered by its seal; to change a card, load the potential, set `card` and save it"
        )


def _term(entry: dict[str, Any], folder: Path) -> Term:
    if entry["kind"] not in TERMS:
        known = ", ".join(sorted(TERMS))
        raise PotentialFileError(
            f"{folder} has a term of unknown kind {entry['kind']!r}; known: {known}"
        )
    return TERMS[entry["kind"]](**entry["config"])


def fill(potential: TermSum, tensors: dict[str, Tensor], folder: Path) -> None:
    """Copy stored tensors into a potential.

    Raises:
        PotentialFileError: a tensor is missing, unexpected, of another shape or type, not finite,
            or says something else than the description.
    """
    state = potential.state_dict()
    # potentials of earlier versions know no such units of the grade, and keep those of no data
    lacking = {name for name in state if name.rpartition(".")[2] in LATER and name not in tensors}
    if set(state) - lacking != set(tensors):
        wrong = sorted((set(state) - lacking) ^ set(tensors))
        raise PotentialFileError(f"{folder / WEIGHTS} does not fit {CARD}: tensor {wrong[0]!r}")
    for name, tensor in tensors.items():
        module_name, _, buffer = name.rpartition(".")
        module, current = potential.get_submodule(module_name), state[name]
        _check_tensor(tensor, current, f"{folder / WEIGHTS}: {name}")
        samples = isinstance(module, LearnedTerm) and buffer == "samples"
        if samples and tensor.shape[:-1] == current.shape[:-1]:  # any number of samples
            module.samples = tensor
            continue
        if tensor.shape != current.shape:
            raise PotentialFileError(
                f"{folder / WEIGHTS}: {name} has shape {tuple(tensor.shape)}, but {CARD} implies "
                f"{tuple(current.shape)}"
            )
        if not _is_learned(potential, name) and not torch.equal(tensor.to(current), current):
            raise PotentialFileError(
                f"{folder / WEIGHTS}: {name} says something else than {CARD}, which implies its "
                "numbers; copy the whole folder again"
            )
        with torch.no_grad():
            current.copy_(tensor)


def _check_tensor(tensor: Tensor, current: Tensor, name: str) -> None:
    if tensor.is_floating_point() != current.is_floating_point():
        raise PotentialFileError(f"{name} is of type {tensor.dtype}, and should be {current.dtype}")
    if not torch.isfinite(tensor.double()).all():
        raise PotentialFileError(f"{name} is not finite")


def _is_learned(potential: TermSum, name: str) -> bool:
    """Whether a tensor belongs to a term whose numbers do not follow from its arguments."""
    _, term, *_ = name.split(".")
    return isinstance(potential.terms[term], LearnedTerm)


def _is_foreign(folder: Path) -> bool:
    """Whether there is something, and neither a potential nor what is left of its first writing."""
    card = folder / CARD
    if card.exists():  # one of ours, even damaged; not what others give the same name
        ours = FORMAT in card.read_text(encoding="utf-8", errors="replace")
        return not ours and not any(folder.glob("weights*.safetensors"))
    own = {*folder.glob(".*.part"), *folder.glob(".*.lock"), *folder.glob("weights.*.safetensors")}
    return any(path not in own for path in folder.iterdir())
