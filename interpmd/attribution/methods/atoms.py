"""Error bars where single atoms are the players, which the data seldom hold without the others."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from interpmd.attribution.gauges.atoms import AtomsGauge
from interpmd.attribution.methods.indices import Values
from interpmd.attribution.methods.registry import Request
from interpmd.decomposition.radicals import of_radicals, radical_scale


def widened(
    request: Request,
    samples: Float[np.ndarray, "rows components samples"],
    energies: Float[np.ndarray, "rows samples"],
) -> Float[np.ndarray, "rows components samples"]:
    """Samples of single atoms as wide as their error bars are; of fragments as they are.

    Args:
        request: what was asked.
        samples: deviations of what each row adds to the target.
        energies: the same of the energy; see `interpmd.decomposition.radicals.of_radicals`.
    """
    potential = request.model.potential
    if potential is None or request.fragments is not None or request.gauge.name != AtomsGauge.name:
        return samples
    return of_radicals(samples, radical_scale(potential), energies)


def widened_values(request: Request, values: Values) -> Values:
    """The same of dividends from evaluated parts, which carry their samples behind them."""
    flat = np.array(list(values.values()))
    components = len(request.target.functional(request.atoms).energy)
    if flat.shape[1] > components:
        samples = flat[:, components:].reshape(len(flat), components, -1)
        wide = widened(request, samples, samples.reshape(len(flat), -1))
        flat[:, components:] = wide.reshape(len(flat), -1)
    return dict(zip(values, flat, strict=True))
