"""Single terms by generated code, on sites of any kind."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from interpmd.potentials.base import LocalTerm
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.fast.analytic import ANALYTIC
from interpmd.potentials.fast.expansion import expansion_of, samples_of
from interpmd.potentials.fast.features import feature_maker
from interpmd.potentials.fast.known import has_fast_form
from interpmd.potentials.fast.neighbours import Sites
from interpmd.structures.edges import Environments

DOUBLE = np.dtype(np.float64)

SiteEnergies = Float[np.ndarray, " sites"]
Slopes = Float[np.ndarray, "edges 3"]
Samples = Float[np.ndarray, "sites samples"]


def on_environments(
    term: LocalTerm, env: Environments
) -> tuple[SiteEnergies, Slopes, Samples] | None:
    """Energies of sites (eV), their slopes by the edge vectors (eV/A) and posterior samples (eV).

    None where torch is the way: gates, other types and devices, terms without a fast form.
    """
    vectors = env.vectors.detach()
    plain = vectors.dtype == torch.float64 and vectors.device.type == "cpu" and env.gates is None
    if not plain or not has_fast_form(term):
        return None
    counts = np.bincount(env.centre.numpy(), minlength=env.n_sites)
    sites = Sites(
        np.ascontiguousarray(vectors.numpy()),
        np.concatenate([[0], np.cumsum(counts)]),
        env.centre_numbers.numpy(),
        env.neighbour_numbers.numpy(),
    )
    energies, slopes = np.zeros(env.n_sites), np.zeros((len(sites.vectors), 3))
    samples = np.zeros((env.n_sites, 0))
    if type(term) is not ClusterExpansion:
        ANALYTIC[type(term)](term, sites, energies, slopes)
        return energies, slopes, samples
    expansion_of(term, DOUBLE).add(sites, energies[None], slopes[None])
    if term.n_samples and (maker := feature_maker(term)) is not None:
        values, weights = maker.invariants(sites), samples_of(term, DOUBLE).weights
        species = term.species.numpy()[sites.centre]
        samples = np.empty((env.n_sites, term.n_samples))
        for s in np.unique(species):
            samples[species == s] = values[species == s] @ weights[:, s].T
    return energies, slopes, samples
