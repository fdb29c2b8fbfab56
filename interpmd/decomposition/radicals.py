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
    samples: Float[np.ndarray, "rows ... samples"],
    scale: float,
    energies: Float[np.ndarray, "rows samples"],
) -> Float[np.ndarray, "rows ... samples"]:
    """Samples of rows of atoms, `scale` times as wide, with the sum that they had.

    What atoms do without the others is known less than a posterior says that was made of whole
    molecules; the whole is known as well as it says. So every sample of the sum keeps its value:
    what is too much goes back to the rows, in proportion to the variance of their energies and
    the same for every target on which they act, so that the result is linear in the target.

    Args:
        samples: deviations of what each row adds to a target.
        scale: 1 or more.
        energies: the same of the energy, in eV.
    """
    if scale == 1.0 or not samples.size:
        return samples
    acts = samples.any(axis=tuple(range(1, samples.ndim)))
    share = np.where(acts, np.square(energies).mean(-1), 0.0)
    share = share / max(float(share.sum()), 1e-300)
    shares = share.reshape(-1, *[1] * (samples.ndim - 1))
    return scale * samples - (scale - 1) * shares * samples.sum(0, keepdims=True)
