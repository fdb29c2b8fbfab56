"""How much each degree of the expansion contributes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from ase import Atoms

from interpmd.potentials.base import BODY_NAMES
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.potential import Potential
from interpmd.systems import Batch, environments, neighbours


def degree_shares(potential: Potential, frames: Sequence[Atoms]) -> pd.DataFrame:
    """Covariance of each degree with the sum over that of the sum, for energies and forces.

    Args:
        potential: a potential with a cluster expansion.
        frames: structures; energies are compared within one composition.
    """
    term = next(t for t in potential.terms.values() if isinstance(t, ClusterExpansion))
    orders = torch.as_tensor(term.feature_order)
    many = [a for a in frames if len(a) > 1]
    energies, forces = [], []
    for atoms in many:
        batch = Batch.from_ase(atoms)
        pairs = neighbours(batch, term.cutoff)
        positions = batch.positions.requires_grad_(True)
        features = term.features(environments(batch.with_positions(positions), pairs))
        products = features * term.readout[term.species[batch.numbers]]
        parts = torch.stack([products[:, orders == o].sum() for o in range(2, term.body_order + 1)])
        eye = torch.eye(len(parts), dtype=parts.dtype)
        (slopes,) = torch.autograd.grad(parts, positions, eye, is_grads_batched=True)
        energies.append(parts.detach().numpy())
        forces.append(-slopes.flatten(1).numpy())
    formulas = np.array([atoms.get_chemical_formula() for atoms in many])
    common = max(set(formulas), key=lambda f: (formulas == f).sum())
    table = {}
    for name, values in (
        ("energy_share", np.array(energies)[formulas == common].T),
        ("force_share", np.concatenate(forces, axis=1)),
    ):
        centred = values - values.mean(1, keepdims=True)
        total = centred.sum(0)
        table[name] = centred @ total / max(float(total @ total), 1e-300)
    index = [BODY_NAMES[o] for o in range(2, term.body_order + 1)]
    return pd.DataFrame(table, index=pd.Index(index, name="up to body order"))
