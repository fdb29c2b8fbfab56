"""How much each body order contributes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from ase import Atoms
from tqdm.auto import tqdm

from interpmd.decomposition.assemble import decompose
from interpmd.decomposition.sites import subsets_of_neighbours
from interpmd.potentials.base import BODY_NAMES
from interpmd.potentials.baseline import without_baseline
from interpmd.potentials.potential import Potential
from interpmd.structures.threads import one_thread

#: A report lowers the order rather than split fewer frames than this.
ENOUGH = 5


def body_order_shares(
    potential: Potential,
    frames: Sequence[Atoms],
    budget: float | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """What the rows of each body order contribute to energies and forces.

    Args:
        potential: all its terms are included but a baseline, which has no rows of its own.
        frames: structures; energies are compared among those of the most common composition.
        budget: most subsets of neighbours to enumerate, all frames together; if it does not
            suffice, fewer frames and then lower orders are split, at least the pairs of one frame.
            No limit if None.
        progress: whether to show a progress bar.

    Returns:
        A row for each body order, and "above" for what lies above the highest one split. Columns
        energy_share and force_share: covariance with the whole over the variance of the whole;
        they sum to one, and lie outside 0 to 1 where orders cancel. energy_std_eV: how much the
        energy of the order varies. force_rms_eV/A: its force on an atom. `attrs` holds "frames"
        and "order".
    """
    potential = without_baseline(potential)
    many = [a for a in frames if len(a) > 1 or a.pbc.any()]
    many, order = _affordable(potential, many, budget)
    formulas = np.array([atoms.get_chemical_formula() for atoms in many])
    common = max(sorted(set(formulas)), key=lambda f: (formulas == f).sum(), default="")
    energies = np.zeros((order + 1, len(many)))
    forces = []
    with one_thread():
        for column, atoms in enumerate(tqdm(many, desc="body orders", disable=not progress)):
            table = decompose(potential, atoms, order=order)
            np.add.at(energies[:, column], table.order, table.energies)
            pushes = np.zeros((order + 1, len(atoms), 3))
            np.add.at(pushes, (table.order[table.owner], table.member_atoms), table.member_forces)
            forces.append(pushes.reshape(order + 1, -1))
    energies = energies[:, formulas == common]
    pushes = np.concatenate(forces, axis=1) if forces else np.zeros((order + 1, 0))
    table = pd.DataFrame(
        {
            "energy_share": _share(energies - energies.mean(1, keepdims=True)),
            "energy_std_eV": energies.std(1),
            "force_share": _share(pushes),
            "force_rms_eV/A": np.sqrt((pushes**2).mean(1)),
        },
        index=pd.Index(["above", *(BODY_NAMES[k] for k in range(1, order + 1))], name="body order"),
    )
    table = table.loc[[*table.index[2:], "above"]]
    if not pushes[0].any() and not energies[0].any():
        table = table.drop(index="above")
    table.attrs |= {"frames": len(many), "order": order}
    return table


def _share(parts: np.ndarray) -> np.ndarray:
    """Covariance of each part with the sum, over the variance of the sum."""
    total = parts.sum(0)
    return parts @ total / max(float(total @ total), 1e-300)


def _affordable(
    potential: Potential, frames: Sequence[Atoms], budget: float | None
) -> tuple[list[Atoms], int]:
    """Frames and the order to split them to."""
    full = max([2, *(term.body_order for term in potential.local_terms.values())])
    if budget is None:
        return list(frames), full
    enough = min(ENOUGH, len(frames))
    chosen = [frames[i] for i in np.random.default_rng(0).permutation(len(frames))]
    orders = range(full, 1, -1)
    costs = [subsets_of_neighbours(potential, atoms, orders) for atoms in chosen]
    for order, each in zip(orders, np.cumsum(costs, axis=0).T if costs else (), strict=False):
        if (number := int((each <= budget).sum())) >= enough:
            return chosen[:number], order
    return chosen[:1], 2
