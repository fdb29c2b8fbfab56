"""Short names of potentials and arrays, so that a calculation is not resumed with others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np

from interpmd.potentials.base import Term


def fingerprint(terms: Mapping[str, Term]) -> str:
    """Sixteen hexadecimal digits of the hash of names, settings and tensors of some terms."""
    settings = {name: [term.kind, term.config()] for name, term in terms.items()}
    tensors = [
        tensor.detach().cpu().double().numpy()
        for term in terms.values()
        for tensor in term.state_dict().values()
    ]
    return digest(*tensors, words=json.dumps(settings, default=str))


def digest(*arrays: np.ndarray, words: str = "") -> str:
    """Sixteen hexadecimal digits of the hash of some arrays and words."""
    hashed = hashlib.sha256(words.encode())
    for array in arrays:
        hashed.update(np.ascontiguousarray(array + 0.0).tobytes())  # -0.0 is 0.0
    return hashed.hexdigest()[:16]
