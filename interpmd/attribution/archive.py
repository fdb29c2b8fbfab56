"""Explanations as files and as tables of shap: descriptions, arrays, names and numbers.

one .npz file   about (JSON: method, target, structure, ..., and a seal), values, clusters, samples
"""

from __future__ import annotations

import json
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from ase.io import read as read_structure
from ase.io import write as write_structure

from interpmd.attribution import targets
from interpmd.decomposition.clusters import Clusters
from interpmd.errors import ExplanationFileError, ExplanationSealError, UnsealedWarning
from interpmd.extras import required
from interpmd.storage import as_read, canonical, replacing, seal_of

if TYPE_CHECKING:
    import shap

#: Version of the format.
VERSION = 4

#: What numpy raises at an archive that is cut or overwritten.
DAMAGED = (BadZipFile, zlib.error, EOFError)

#: The first version with a seal.
SEALED = 4

CLUSTERS = ("term", "order", "first", "member_atoms", "member_shifts")


def write(path: str | Path, about: Mapping[str, Any]) -> None:
    """Write to one .npz file: arrays and JSON, no pickles. A half-written file never stays.

    Raises:
        OutputError: the disk is full or not writable; what was there is as it was.

    Args:
        path: of the file.
        about: the fields of an explanation by name: "atoms", "target", "clusters", "values",
            "predicted", "samples", and others that JSON can hold.
    """
    path, text = Path(path), StringIO()
    about = dict(about)
    atoms, target, clusters = about["atoms"], about["target"], about.pop("clusters")
    arrays = {"positions": atoms.positions}
    arrays |= {name: about.pop(name) for name in ("values", "predicted")}
    arrays |= {name: getattr(clusters, name) for name in CLUSTERS}
    for name in ("samples", "convention"):
        if (extra := about.pop(name)) is not None:
            arrays[name] = extra.astype(np.float32)
    write_structure(text, atoms, format="extxyz")
    if (reference := about.pop("reference")) is not None:
        arrays["reference"] = reference.positions
        about["cell_of_reference"] = reference.cell.tolist()
    described = {
        **about,
        "format": "interpmd-explanation",
        "version": VERSION,
        "atoms": text.getvalue(),
        "target": {"kind": type(target).__name__, **asdict(target)},
        "terms": clusters.terms,
    }
    described = as_read(described)
    described["seal"] = _seal(described, arrays)
    with replacing(path) as file:
        np.savez_compressed(file, about=np.array(json.dumps(described)), **arrays)


def _seal(described: Mapping[str, Any], arrays: Mapping[str, Any]) -> str:
    """Digest of a description without its seal, and of all arrays."""
    parts: list[bytes | str] = [canonical({k: v for k, v in described.items() if k != "seal"})]
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        parts += [name, array.dtype.str, str(array.shape), array.tobytes()]
    return seal_of(*parts)


def _check_seal(described: Mapping[str, Any], arrays: Mapping[str, Any], path: str | Path) -> None:
    if described["version"] < SEALED:
        warnings.warn(
            f"{path} carries no seal: an earlier release wrote it, and nothing shows whether it is "
            "as it was written",
            UnsealedWarning,
            stacklevel=4,
        )
    elif described.get("seal") != _seal(described, arrays):
        raise ExplanationSealError(
            f"{path} is not what was written: its numbers or its description were altered; explain "
            "again"
        )


def read(path: str | Path) -> dict[str, Any]:
    """What `write` wrote, by name.

    Raises:
        ExplanationFileError: the file is not there, truncated or something else.
        ExplanationSealError: it was altered.
    """
    if not isinstance(path, str | Path) or not Path(path).is_file():
        raise ExplanationFileError(f"there is no file {str(path)!r}")
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = dict(stored)
        about = json.loads(str(arrays.pop("about")))
        form, version = about.pop("format"), about.pop("version")
        if form != "interpmd-explanation" or version > VERSION:
            raise ExplanationFileError(
                f"{path} is of format {form} version {version}; this version "
                f"of interpmd reads interpmd-explanation up to {VERSION}"
            )
        _check_seal({**about, "format": form, "version": version}, arrays, path)
        about.pop("seal", None)
        atoms = read_structure(StringIO(about.pop("atoms")), format="extxyz")
        atoms.positions = arrays["positions"]
        cell_of_reference = about.pop("cell_of_reference", None)
        reference = None if cell_of_reference is None else atoms.copy()
        if reference is not None:
            reference.positions, reference.cell = arrays["reference"], cell_of_reference
        stored_target = about.pop("target")
        kind = stored_target.pop("kind")
        target = getattr(targets, kind)(**{k: _frozen(v) for k, v in stored_target.items()})
        clusters = Clusters(tuple(about.pop("terms")), *(arrays[name] for name in CLUSTERS))
        return {
            **about,
            "atoms": atoms,
            "reference": reference,
            "target": target,
            "fragments": _frozen(about["fragments"]),
            "clusters": clusters,
            "values": arrays["values"],
            "predicted": arrays["predicted"],
            "samples": arrays.get("samples"),
            "convention": arrays.get("convention"),
        }
    except (
        BadZipFile,
        zlib.error,
        KeyError,
        ValueError,
        EOFError,
        AttributeError,
        TypeError,
    ) as error:
        if isinstance(error, ExplanationFileError):
            raise
        # numpy advises to open what it does not know as a pickle, which could run any code
        why = "it is no .npz file" if "pickle" in str(error) else f"truncated? {error}"
        raise ExplanationFileError(
            f"{path} holds no explanation that can be read ({why})"
        ) from error


def shap_table(samples: Sequence[Mapping[str, float]]) -> shap.Explanation:
    """Values by name, sample by sample, as one `shap.Explanation`.

    Returns:
        Values of shape (samples, names), 0 where a sample lacks a name; base values 0: nobody, no
        energy.
    """
    shap = required("shap", "a table of shap")
    names = list(dict.fromkeys(name for values in samples for name in values))
    table = np.array([[values.get(name, 0.0) for name in names] for values in samples])
    return shap.Explanation(
        values=table, base_values=np.zeros(len(samples)), data=None, feature_names=names
    )


def _frozen(value):
    """Lists of JSON as tuples."""
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value
