"""Gauge "groups": what connected groups of a molecule are worth, cut bonds closed with hydrogen.

A game on a graph (Myerson, Math. Oper. Res. 2, 225, 1977): players are the groups of
`interpmd.structures.groups`, and only connected sets have a value of their own, that of the capped
molecule, v(S); a set in pieces is worth the sum of its pieces. The rows are Harsanyi's dividends of
that game. They vanish on sets that are not connected, and on a connected set S

    row(S) = v(S) - sum over connected T in S, T not S, of row(T).

The groups of a molecule form a tree, whose connected sets are a convex geometry; in the Moebius
function of its lattice (Edelman and Jamison, Geom. Dedicata 19, 247, 1985) only ends of S count,

    row(S) = sum over subsets E of the ends of S of (-1)^|E| v(S without E).

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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from interpmd.attribution.gauges.capping import (
    Parts,
    capped,
    forces_on_atoms,
    hydrogen_molecule,
    parts_of,
)
from interpmd.errors import ArgumentError, InterpmdError
from interpmd.structures.groups import Grouping, placed

#: Most parts of one structure that are evaluated without a smaller order being asked for.
MOST_PARTS = 20_000


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


class PartError(InterpmdError, ValueError):
    """A part of the structure to which the model gives no finite energy or forces."""


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
    sets: tuple[tuple[int, ...], ...]
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


def connected_sets(grouping: Grouping, order: int | None = None) -> list[tuple[int, ...]]:
    """Connected sets of groups, smallest first; they grow by neighbours, so none is tried in vain.

    Args:
        grouping: the groups and who is bonded to whom.
        order: largest number of groups in a set; all if None.

    Raises:
        ArgumentError: an order below 1, or more than `MOST_PARTS` sets.
    """
    if order is not None and (not isinstance(order, int | np.integer) or order < 1):
        raise ArgumentError(f"the order is a number of groups from 1 on, or None, not {order!r}")
    neighbours: list[set[int]] = [set() for _ in range(len(grouping))]
    for first, second in grouping.links:
        neighbours[first].add(second)
        neighbours[second].add(first)
    front = {frozenset([k]) for k in range(len(grouping))}
    found: list[tuple[int, ...]] = []
    size = 1
    while front:
        found += sorted(tuple(sorted(chosen)) for chosen in front)
        if order is not None and size >= order:
            break
        front = {chosen | {k} for chosen in front for m in chosen for k in neighbours[m] - chosen}
        size += 1
        if len(found) + len(front) > MOST_PARTS:
            raise ArgumentError(
                f"{len(grouping)} groups have more than {MOST_PARTS} connected sets of up to "
                f"{size} groups; give an order of {size - 1} or less, or larger groups"
            )
    return found


def group_game(grouping: Grouping, order: int | None = None) -> GroupGame:
    """The parts and rows of a grouping, up to an order; one game serves all frames.

    Raises:
        ArgumentError: see `connected_sets`.
    """
    sets = connected_sets(grouping, order)
    known = set(sets)
    whole = [chosen for chosen in grouping.molecules if chosen not in known]
    single = len(grouping.molecules) == 1
    evaluated = [s for s in [*sets, *whole] if not (single and len(s) == len(grouping))]
    column = {chosen: 1 + index for index, chosen in enumerate(evaluated)}
    if single:
        column[grouping.molecules[0]] = 0
    entries: list[dict[int, int]] = [
        {column[left]: sign for left, sign in _signed(chosen, grouping)} for chosen in sets
    ]
    rows = [(chosen, len(chosen), grouping.label(chosen)) for chosen in sets]
    for chosen in whole:
        inside = [k for k, s in enumerate(sets) if set(s) <= set(chosen)]
        entries.append(_rest(column[chosen], [entries[k] for k in inside]))
        where = "" if single else f" of {grouping.label(chosen)}"
        rows.append((chosen, 0, f"sets of more than {order} groups{where}"))
    if not single:
        everyone = tuple(range(len(grouping)))
        entries.append({0: 1} | {column[chosen]: -1 for chosen in grouping.molecules})
        rows.append((everyone, 0, "between molecules"))
    parts = parts_of(grouping, evaluated)
    matrix = np.zeros((len(rows), 1 + len(parts) + 1))
    for row, entry in enumerate(entries):
        matrix[row, list(entry)] = list(entry.values())
    matrix[:, -1] = -0.5 * matrix[:, 1:-1] @ parts.caps
    of_rows, orders, labels = zip(*rows, strict=True)
    return GroupGame(
        grouping, parts, tuple(of_rows), np.array(orders), tuple(labels), csr_array(matrix)
    )


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
        PartError: a part without finite energy and forces.
    """
    frames = list(frames)
    positions = [placed(game.grouping, atoms) for atoms in frames]
    asked: list[Atoms] = []
    for atoms, places in zip(frames, positions, strict=True):
        asked += [_bare(atoms), *capped(game.parts, atoms, places)]
    if hydrogen_energy is None:
        asked.append(hydrogen_molecule())
    values = Values(*evaluate(asked))
    _check_values(values, asked)
    each = 1 + len(game.parts)
    found = []
    for index, places in enumerate(positions):
        mine = slice(index * each, (index + 1) * each)
        h2 = values.energies[-1] if hydrogen_energy is None else hydrogen_energy
        samples = values.energy_samples
        if samples is not None:
            of_h2 = samples[:, -1:] if hydrogen_energy is None else np.zeros((len(samples), 1))
            samples = np.concatenate([samples[:, mine], of_h2], axis=1) @ game.matrix.T
        drawn = values.force_samples
        found.append(
            GroupRows(
                game,
                game.matrix @ np.append(np.asarray(values.energies)[mine], h2),
                _rows_of_forces(game, places, values.forces[mine]),
                float(values.energies[mine.start]),
                np.asarray(values.forces[mine.start]),
                samples,
                None if drawn is None else _rows_of_forces(game, places, drawn[mine]),
            )
        )
    return found


def explain_groups(
    atoms: Atoms,
    grouping: Grouping,
    evaluate: Evaluate,
    order: int | None = None,
    hydrogen_energy: float | None = None,
) -> GroupRows:
    """Rows of one structure; see `group_rows`."""
    [found] = group_rows([atoms], group_game(grouping, order), evaluate, hydrogen_energy)
    return found


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


def _signed(chosen: tuple[int, ...], grouping: Grouping) -> list[tuple[tuple[int, ...], int]]:
    """The sets of which a row is the alternating sum: without some of its ends."""
    inside = set(chosen)
    within = [k for link in grouping.links if inside.issuperset(link) for k in link]
    ends = [k for k in chosen if within.count(k) <= 1]
    subsets = chain.from_iterable(combinations(ends, size) for size in range(len(ends) + 1))
    signed = [(tuple(k for k in chosen if k not in left), (-1) ** len(left)) for left in subsets]
    return [(kept, sign) for kept, sign in signed if kept]


def _rest(whole: int, entries: Sequence[dict[int, int]]) -> dict[int, int]:
    """The value of a molecule less those of its rows, in the columns of the matrix."""
    total = {whole: 1}
    for entry in entries:
        for place, sign in entry.items():
            total[place] = total.get(place, 0) - sign
    return total


def _rows_of_forces(game: GroupGame, positions: np.ndarray, forces: Sequence) -> np.ndarray:
    """Rows from forces on the structure and on its parts; samples may stand in front."""
    of_parts = forces_on_atoms(game.parts, positions, [np.asarray(f) for f in forces[1:]])
    whole = np.asarray(forces[0])
    stacked = np.concatenate([whole[..., None, :, :], of_parts], axis=-3)
    flat = np.moveaxis(stacked, -3, 0)
    rows = game.matrix[:, :-1] @ flat.reshape(len(flat), -1)
    return np.moveaxis(rows.reshape(len(rows), *flat.shape[1:]), 0, -3)


def _bare(atoms: Atoms) -> Atoms:
    alone = atoms.copy()
    alone.calc = None
    return alone


def _check_values(values: Values, asked: Sequence[Atoms]) -> None:
    if np.shape(values.energies) != (len(asked),) or len(values.forces) != len(asked):
        raise PartError(
            f"the model was asked for {len(asked)} structures and gives energies of shape "
            f"{np.shape(values.energies)} and forces of {len(values.forces)}"
        )
    for atoms, energy, forces in zip(asked, values.energies, values.forces, strict=True):
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise PartError(
                f"the model gives no finite energy and forces for the part {atoms.symbols} of "
                f"charge {atoms.info.get('charge', 0)}; join groups, so that it need not be asked"
            )


def _spread(samples: np.ndarray | None) -> np.ndarray | None:
    """Root mean square over the samples, which are deviations."""
    return None if samples is None else np.sqrt((samples**2).mean(0))
