"""Gauge "groups": what connected groups of a molecule are worth, cut bonds closed with hydrogen.

Players are the groups of `interpmd.structures.groups`. A connected set S of them is worth the
energy of its capped molecule, v(S) of `capping`, and a row is the dividend of S in the game on the
graph of groups (`myerson`).

Two groups: row = E(A-B) + E(H2) - E(A-H) - E(H-B), what their bond is worth in a reaction with
hydrogen. Three: what the outer two do to each other through or beside the middle one. A contact
through space belongs to the chain that joins its groups, a hydrogen bond that closes a ring to the
groups of that ring. The molecule itself has no caps, so that all rows sum to its energy and forces.

Several molecules: every molecule has its own groups, and what molecules do to each other is one row
"between molecules": the structure less its molecules alone. It is exact and tells no more; the
gauge "molecules" does. Rows above the order that is asked for are left together in one row of each
molecule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float, Int
from scipy.sparse import csr_array, hstack

from interpmd.attribution.gauges.capping import (
    Parts,
    capped,
    forces_on_atoms,
    hydrogen_molecule,
    parts_of,
)
from interpmd.attribution.gauges.myerson import Players, alternating, connected_sets
from interpmd.errors import ArgumentError, ModelError
from interpmd.structures.groups import Grouping, placed


class Values(NamedTuple):
    """What a model says about n structures.

    Attributes:
        energies: eV, shape (n,).
        forces: eV/Å, one array of shape (atoms, 3) for each.
        energy_samples: joint samples of the energies as deviations from them in eV, shape
            (samples, n); None where the model has no error bars.
        force_samples: the same of the forces, one array of shape (samples, atoms, 3) for each.
    """

    energies: Float[np.ndarray, " n"]
    forces: Sequence[Float[np.ndarray, "atoms 3"]]
    energy_samples: Float[np.ndarray, "samples n"] | None = None
    force_samples: Sequence[Float[np.ndarray, "samples atoms 3"]] | None = None


#: From structures to energies and forces, and samples of them if there are any (see `Values`).
Evaluate = Callable[[list[Atoms]], tuple]


@dataclass(frozen=True, eq=False)
class GroupGame:
    """Which parts are evaluated, and how rows follow from their energies.

    Attributes:
        grouping: the players.
        parts: the connected sets that are evaluated beside the structure itself.
        sets: groups of each row; of a remainder those of its molecule, or of all.
        orders: number of groups of each row, 0 for remainders, shape (rows,).
        labels: of each row.
        matrix: rows from the energies of the structure, of the parts with their caps, and of H2;
            shape (rows, 1 + parts + 1).
    """

    grouping: Grouping
    parts: Parts
    sets: tuple[Players, ...]
    orders: Int[np.ndarray, " rows"]
    labels: tuple[str, ...]
    matrix: csr_array


@dataclass(frozen=True, eq=False)
class GroupRows:
    """Energy and forces of a structure as a sum over connected sets of groups.

    Attributes:
        game: what the rows are.
        energies: eV, shape (rows,).
        forces: eV/Å, shape (rows, atoms, 3).
        total_energy: of the structure in eV.
        total_forces: eV/Å, shape (atoms, 3).
        energy_samples: joint samples of the rows' energies as deviations in eV, shape
            (samples, rows), or None.
        force_samples: the same of their forces, shape (samples, rows, atoms, 3), or None.
    """

    game: GroupGame
    energies: Float[np.ndarray, " rows"]
    forces: Float[np.ndarray, "rows atoms 3"]
    total_energy: float
    total_forces: Float[np.ndarray, "atoms 3"]
    energy_samples: Float[np.ndarray, "samples rows"] | None = None
    force_samples: Float[np.ndarray, "samples rows atoms 3"] | None = None

    def __len__(self) -> int:
        return len(self.energies)

    @property
    def residual(self) -> tuple[float, float]:
        """What the rows miss: of the energy in eV, and at most of a force component in eV/Å."""
        energy = abs(float(self.energies.sum()) - self.total_energy)
        return energy, float(np.abs(self.forces.sum(0) - self.total_forces).max())

    @property
    def energy_std(self) -> Float[np.ndarray, " rows"] | None:
        """Error bar of each row's energy in eV; what its parts have in common cancels."""
        return _spread(self.energy_samples)

    @property
    def force_std(self) -> Float[np.ndarray, "rows atoms 3"] | None:
        """Error bar of each row's forces in eV/Å."""
        return _spread(self.force_samples)

    def to_frame(self) -> pd.DataFrame:
        """Label, order, groups and energy (eV) of each row, with its error bar if there is one."""
        columns = {
            "row": self.game.labels,
            "order": self.game.orders,
            "groups": self.game.sets,
            "energy_eV": self.energies,
        }
        if self.energy_samples is not None:
            columns["energy_std_eV"] = self.energy_std
        return pd.DataFrame(columns)


def group_game(grouping: Grouping, order: int | None = None) -> GroupGame:
    """The parts and rows of a grouping; one game serves all frames.

    Args:
        grouping: the players.
        order: largest number of groups in a row; all if None.

    Raises:
        ArgumentError: an order below 1, too many parts (see `connected_sets`), groups in a ring.
    """
    if len(grouping.links) != len(grouping) - len(grouping.molecules):
        raise ArgumentError("the groups form a ring; put the groups of a ring into one")
    sets = connected_sets(len(grouping), grouping.links, order)
    large = [m for m in grouping.molecules if order is not None and len(m) > order]
    single = len(grouping.molecules) == 1
    evaluated = [s for s in [*sets, *large] if not (single and len(s) == len(grouping))]
    column = {chosen: 1 + index for index, chosen in enumerate(evaluated)}
    if single:
        column[grouping.molecules[0]] = 0
    signs = [alternating(chosen, grouping.links) for chosen in sets]
    rows = [(chosen, len(chosen), grouping.label(chosen)) for chosen in sets]
    for molecule in large:
        inside = [entry for s, entry in zip(sets, signs, strict=True) if set(s) <= set(molecule)]
        signs.append(_rest(molecule, inside))
        where = "" if single else f" in the molecule of {grouping.names[molecule[0]]}"
        rows.append((molecule, 0, f"sets of more than {order} groups{where}"))
    entries = [
        (row, column[chosen], sign)
        for row, entry in enumerate(signs)
        for chosen, sign in entry.items()
    ]
    if not single:
        entries += [(len(rows), 0, 1), *((len(rows), column[m], -1) for m in grouping.molecules)]
        rows.append((tuple(range(len(grouping))), 0, "between molecules"))
    parts = parts_of(grouping, evaluated)
    row, place, sign = np.array(entries).T
    of_values = csr_array((sign.astype(float), (row, place)), (len(rows), 1 + len(parts)))
    paid = -0.5 * (of_values[:, 1:] @ parts.caps)
    of_rows, orders, labels = zip(*rows, strict=True)
    return GroupGame(
        grouping,
        parts,
        of_rows,
        np.array(orders),
        labels,
        csr_array(hstack([of_values, csr_array(paid[:, None])])),
    )


def part_molecules(game: GroupGame, atoms: Atoms) -> list[Atoms]:
    """The parts of a structure as molecules, to be labelled or graded: what the rows rest on.

    Raises:
        StructureError: the groups do not fit.
    """
    return capped(game.parts, atoms, placed(game.grouping, atoms))


def group_rows(
    frames: Sequence[Atoms],
    game: GroupGame,
    evaluate: Evaluate,
    hydrogen_energy: float | None = None,
) -> list[GroupRows]:
    """Rows of every frame, from one call of the model for all parts of all frames.

    Args:
        frames: structures for which the groups were made.
        game: parts and rows; see `group_game`.
        evaluate: the model; see `Values`.
        hydrogen_energy: of H2 in eV; by the model, at its experimental length, if None. It stands
            in rows of one group and of two bonded ones, in no force.

    Raises:
        StructureError: a frame that the groups do not fit.
        ModelError: a part without finite energy and forces.
    """
    frames = list(frames)
    positions = [placed(game.grouping, atoms) for atoms in frames]
    asked: list[Atoms] = []
    for atoms, places in zip(frames, positions, strict=True):
        asked += [_bare(atoms), *capped(game.parts, atoms, places)]
    if not game.parts.caps.any():  # nothing is paid for
        hydrogen_energy = 0.0
    if hydrogen_energy is None:
        asked.append(hydrogen_molecule())
    values = Values(*evaluate(asked))
    _check_values(values, asked)
    each = 1 + len(game.parts)
    rows_of_frames = []
    for index, places in enumerate(positions):
        of_frame = slice(index * each, (index + 1) * each)
        h2 = values.energies[-1] if hydrogen_energy is None else hydrogen_energy
        samples = values.energy_samples
        if samples is not None:
            of_h2 = samples[:, -1:] if hydrogen_energy is None else np.zeros((len(samples), 1))
            samples = np.concatenate([samples[:, of_frame], of_h2], axis=1) @ game.matrix.T
        drawn = values.force_samples
        rows_of_frames.append(
            GroupRows(
                game,
                game.matrix @ np.append(np.asarray(values.energies)[of_frame], h2),
                _rows_of_forces(game, places, values.forces[of_frame]),
                float(values.energies[of_frame.start]),
                np.asarray(values.forces[of_frame.start]),
                samples,
                None if drawn is None else _rows_of_forces(game, places, drawn[of_frame]),
            )
        )
    return rows_of_frames


def explain_groups(
    atoms: Atoms,
    grouping: Grouping,
    evaluate: Evaluate,
    order: int | None = None,
    hydrogen_energy: float | None = None,
) -> GroupRows:
    """Rows of one structure; see `group_rows`."""
    [rows] = group_rows([atoms], group_game(grouping, order), evaluate, hydrogen_energy)
    return rows


def shares(game: GroupGame) -> csr_array:
    """Equal shares of the groups in each row, shape (groups, rows); remainders are not shared.

    Shares times rows are Shapley values of the game on the graph, Myerson's values: exact where
    no order was cut off.
    """
    chosen = [(k, row) for row, s in enumerate(game.sets) if game.orders[row] for k in s]
    group, row = np.array(chosen).T
    size = (len(game.grouping), len(game.sets))
    return csr_array((1.0 / game.orders[row], (group, row)), shape=size)


def myerson_values(rows: GroupRows) -> pd.DataFrame:
    """Energy of each group in eV, rows shared equally; remainders stand beside them.

    Returns:
        A column `energy_eV`, which sums to the energy of the structure, and `std_eV` where the
        model has error bars; named by groups and remainders.
    """
    game = rows.game
    rest = np.flatnonzero(game.orders == 0)
    pick = csr_array((np.ones(len(rest)), (range(len(rest)), rest)), (len(rest), len(rows)))
    share = shares(game)
    names = [*game.grouping.names, *(game.labels[k] for k in rest)]
    columns = {"energy_eV": np.concatenate([share @ rows.energies, pick @ rows.energies])}
    if rows.energy_samples is not None:
        of_groups, of_rest = rows.energy_samples @ share.T, rows.energy_samples @ pick.T
        columns["std_eV"] = _spread(np.concatenate([of_groups, of_rest], axis=1))
    return pd.DataFrame(columns, index=pd.Index(names, name="group"))


def _rest(molecule: Players, rows: Sequence[dict[Players, int]]) -> dict[Players, int]:
    """The value of a molecule less those of its rows."""
    total = Counter({molecule: 1})
    for row in rows:
        total.subtract(row)
    return {chosen: sign for chosen, sign in total.items() if sign}


def _rows_of_forces(game: GroupGame, positions: np.ndarray, forces: Sequence) -> np.ndarray:
    """Rows from forces on the structure and on its parts; samples may stand in front."""
    whole = np.asarray(forces[0])
    if game.parts:
        of_parts = forces_on_atoms(game.parts, positions, [np.asarray(f) for f in forces[1:]])
    else:  # a molecule that is one group
        of_parts = np.zeros((*whole.shape[:-2], 0, *whole.shape[-2:]))
    stacked = np.concatenate([whole[..., None, :, :], of_parts], axis=-3)
    flat = np.moveaxis(stacked, -3, 0)
    rows = game.matrix[:, :-1] @ flat.reshape(len(flat), -1)
    return np.moveaxis(rows.reshape(len(rows), *flat.shape[1:]), 0, -3)


def _bare(atoms: Atoms) -> Atoms:
    alone = atoms.copy()
    alone.calc = None
    alone.set_constraint()  # a fixed atom would show no force
    return alone


def _check_values(values: Values, asked: Sequence[Atoms]) -> None:
    if np.shape(values.energies) != (len(asked),) or len(values.forces) != len(asked):
        raise ModelError(
            f"the model was asked for {len(asked)} structures and gives energies of shape "
            f"{np.shape(values.energies)} and forces of {len(values.forces)}"
        )
    for atoms, energy, forces in zip(asked, values.energies, values.forces, strict=True):
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise ModelError(
                f"the model gives no finite energy and forces for the part {atoms.symbols} of "
                f"charge {atoms.info.get('charge', 0)}; join groups, so that it need not be asked"
            )


def _spread(samples: np.ndarray | None) -> np.ndarray | None:
    """Root mean square over the samples, which are deviations."""
    return None if samples is None else np.sqrt((samples**2).mean(0))
