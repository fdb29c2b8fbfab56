"""Error bars of rows of atoms: some atoms without the others are not what the data hold."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from interpmd.potentials.base import LearnedTerm
from interpmd.potentials.potential import Potential


def radical_scale(potential: Potential) -> float:
    """Factor of the error bars of rows of atoms; 1 where nothing was learned."""
    learned = [t for t in potential.terms.values() if isinstance(t, LearnedTerm)]
    return max((float(t.radical_scale) for t in learned), default=1.0)


def of_radicals(
    samples: Float[np.ndarray, "rows ... samples"], scale: float
) -> Float[np.ndarray, "rows ... samples"]:
    """Samples of rows of atoms, `scale` times as wide, with the sum that they had.

    What atoms do without the others is known less than a posterior says that was made of whole
    molecules; the whole is known as well as it says. So every sample of the sum keeps its value:
    what is too much goes back to the rows in proportion to their variance.
    """
    if scale == 1.0 or not samples.size:
        return samples
    variance = np.square(samples).mean(-1, keepdims=True)
    share = variance / np.maximum(variance.sum(0, keepdims=True), 1e-300)
    return scale * samples - (scale - 1) * share * samples.sum(0, keepdims=True)
