"""Explanations on disk and in shap."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
from ase.io import read, write

from interpmd.attribution import targets
from interpmd.attribution.clusters import Clusters
from interpmd.attribution.explanation import Explanation
from interpmd.errors import InterpmdError

if TYPE_CHECKING:
    import shap

#: Version of the format.
VERSION = 2


class ExplanationFileError(InterpmdError, ValueError):
    """A file that holds no explanation."""


def save_explanation(explanation: Explanation, path: str | Path) -> None:
    """Write to one .npz file: arrays and JSON, no pickles. A half-written file never stays."""
    path, text = Path(path), StringIO()
    write(text, explanation.atoms, format="extxyz")
    target = explanation.target
    about = {
        "format": "interpmd-explanation",
        "version": VERSION,
        "atoms": text.getvalue(),
        "target": {"kind": type(target).__name__, **asdict(target)},
        "terms": explanation.clusters.terms,
        **{
            name: getattr(explanation, name)
            for name in (
                "method",
                "context",
                "statement",
                "complete",
                "exact",
                "fragments",
                "checks",
                "provenance",
                "evaluations",
            )
        },
    }
    clusters = explanation.clusters
    arrays = {
        "values": explanation.values,
        "predicted": explanation.predicted,
        "positions": explanation.atoms.positions,
        "term": clusters.term,
        "order": clusters.order,
        "first": clusters.first,
        "member_atoms": clusters.member_atoms,
        "member_shifts": clusters.member_shifts,
    }
    if explanation.samples is not None:
        arrays["samples"] = explanation.samples.astype(np.float32)
    fresh = path.with_name(f".{path.name}.part")
    try:
        with fresh.open("wb") as file:
            np.savez_compressed(file, about=np.array(json.dumps(about, default=_plain)), **arrays)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def load(path: str | Path) -> Explanation:
    """Read what `Explanation.save` wrote.

    Raises:
        ExplanationFileError: the file is truncated or something else.
        FileNotFoundError: there is none.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        about = json.loads(str(arrays.pop("about")))
        if about["format"] != "interpmd-explanation" or about["version"] > VERSION:
            raise ExplanationFileError(
                f"{path} is of format {about['format']} version {about['version']}; this version "
                f"of interpmd reads interpmd-explanation up to {VERSION}"
            )
        atoms = read(StringIO(about["atoms"]), format="extxyz")
        atoms.positions = arrays["positions"]
        kind = about["target"].pop("kind")
        target = getattr(targets, kind)(**{k: _frozen(v) for k, v in about["target"].items()})
        clusters = Clusters(
            tuple(about["terms"]),
            *(arrays[n] for n in ("term", "order", "first", "member_atoms", "member_shifts")),
        )
        return Explanation(
            atoms,
            target,
            clusters,
            arrays["values"],
            arrays["predicted"],
            samples=arrays.get("samples"),
            fragments=_frozen(about["fragments"]),
            evaluations=about.get("evaluations", 0),
            **{
                name: about[name]
                for name in (
                    "method",
                    "context",
                    "statement",
                    "complete",
                    "exact",
                    "checks",
                    "provenance",
                )
            },
        )
    except (BadZipFile, KeyError, ValueError, EOFError, AttributeError) as error:
        if isinstance(error, InterpmdError):
            raise
        raise ExplanationFileError(
            f"{path} holds no explanation that can be read (truncated?): {error}"
        ) from error


def to_shap(explanations: Sequence[Explanation], by: str = "label") -> shap.Explanation:
    """Several explanations as one `shap.Explanation`, for shap's waterfall, bar and beeswarm.

    Args:
        explanations: of one target in different structures; vectors are projected on their
            direction.
        by: the features: "label" for single clusters, or a grouping of `Explanation.by`.

    Returns:
        Values of shape (explanations, features), base values 0: nobody, no energy. Atoms are named
        by symbol and index.
    """
    import shap

    found = [e.scalars(by) for e in explanations]
    if by == "atom":
        found = [
            {f"{e.atoms.symbols[int(atom)]}{atom}": value for atom, value in values.items()}
            for e, values in zip(explanations, found, strict=True)
        ]
    names = list(dict.fromkeys(name for values in found for name in values))
    table = np.array([[values.get(name, 0.0) for name in names] for values in found])
    return shap.Explanation(
        values=table, base_values=np.zeros(len(found)), data=None, feature_names=names
    )


def _plain(value):
    """Numbers of numpy as those of JSON, everything else as text."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)


def _frozen(value):
    """Lists of JSON as tuples."""
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value
