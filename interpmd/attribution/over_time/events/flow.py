"""Energy that flows from group to group.

A group has the kinetic energy of its atoms and a part of the energy of every interaction, by the
share s of the interaction's atoms that are its own. What it gains goes over interactions: with the
power P_A of interaction i on the atoms of A,

    J(A from B) = sum over i: s_B P_A - s_A P_B,

which is antisymmetric and sums to the change of the group's energy. For two atoms it is the
inter-atomic energy current of CURP, 1/2 f . (v_A + v_B) (Ishikura and Yamato, Chem. Phys. Lett.
432, 533, 2006); shares of more atoms are a convention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float

from interpmd.attribution.gauges.coordinates import InternalGauge
from interpmd.attribution.over_time.events.averages import Averages
from interpmd.attribution.over_time.events.stored import crossing_frames, tensions_of
from interpmd.dynamics.events import Event
from interpmd.errors import FragmentError
from interpmd.structures.chemistry import bonds, shared_protons
from interpmd.structures.fragments import fragments_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Flow:
    """Energy that went from group to group.

    Attributes:
        atoms: the structure at a crossing.
        groups: atoms of each.
        names: of the groups.
        energy: what the group of the row got from the group of the column in eV, shape (groups,
            groups), antisymmetric.
        error: its standard error over events.
        start: time in fs from which to the crossing it is counted.
    """

    atoms: Atoms
    groups: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    energy: Float[np.ndarray, "groups groups"]
    error: Float[np.ndarray, "groups groups"]
    start: float

    def to_frame(self) -> pd.DataFrame:
        """The matrix, by names: rows get, columns give."""
        get, give = pd.Index(self.names, name="gets"), pd.Index(self.names, name="from")
        return pd.DataFrame(self.energy, index=get, columns=give)

    @property
    def gains(self) -> pd.Series:
        """What each group has gained in eV."""
        return pd.Series(self.energy.sum(1), index=list(self.names), name="gain_eV")

    def plot(self, most: int = 8, ax: Axes | None = None) -> Axes:
        """The largest flows as arrows on the molecule.

        Shown are those above two standard errors and above a tenth of the largest.
        """
        from interpmd.plots.events import flows

        centres = [self.atoms[list(group)].get_center_of_mass() for group in self.groups]
        arrows = [
            (giver, taker, self.energy[taker, giver], self.error[taker, giver])
            for giver in range(len(self.groups))
            for taker in range(len(self.groups))
            if self.energy[taker, giver]
            > max(2 * self.error[taker, giver], 0.1 * self.energy.max())
        ]
        arrows.sort(key=lambda arrow: -arrow[2])
        title = f"energy that flows in the {abs(self.start):.0f} fs before the crossing (meV)"
        return flows(self.atoms, np.array(centres), self.names, arrows[:most], title, ax)


def flow_of(
    events: Sequence[Event],
    gauge: InternalGauge,
    averages: Averages,
    groups: Any,
    start: float,
) -> Flow:
    """Flow between groups from `start` (fs) to the first crossing; see `EventLedger.flow`."""
    first = events[0]
    frame = first.frame(first.crossing)
    chosen: list[tuple[int, ...]] = (
        united_atoms(frame) if groups is None else list(fragments_of(frame, groups))
    )
    missing = set(range(len(frame))) - {a for group in chosen for a in group}
    if missing:
        raise FragmentError(
            f"atoms {sorted(missing)} are in no group: energy would flow out of sight"
        )
    belongs = np.zeros((len(chosen), len(frame)))
    for number, group in enumerate(chosen):
        belongs[number, list(group)] = 1.0
    shares = shares_of(gauge, belongs)
    each = np.stack([_flow(event, gauge, belongs, shares, start) for event in events])
    names = tuple(_name(frame, group) for group in chosen)
    return Flow(frame, tuple(chosen), names, averages.mean(each), averages.error(each), start)


def _name(atoms: Atoms, group: Sequence[int]) -> str:
    first = next(iter(group))
    if len(group) == 1:
        return f"{atoms.symbols[first]}{first}"
    return f"{atoms.symbols[list(group)].get_chemical_formula()}({first})"


def shares_of(
    gauge: InternalGauge, belongs: Float[np.ndarray, "groups atoms"]
) -> Float[np.ndarray, "interactions groups"]:
    """Share of each group in each interaction, by the number of its atoms."""
    return np.array([belongs[:, list(atoms)].mean(1) for atoms in gauge.coordinates.atoms])


def united_atoms(atoms: Atoms) -> list[tuple[int, ...]]:
    """Each heavy atom with its hydrogens; a proton that two atoms share stands alone."""
    shared = {proton.hydrogen for proton in shared_protons(atoms)}
    numbers, owner = atoms.numbers, list(range(len(atoms)))
    for i, j in bonds(atoms).pairs:
        for hydrogen, other in ((int(i), int(j)), (int(j), int(i))):
            if numbers[hydrogen] == 1 and numbers[other] > 1 and hydrogen not in shared:
                owner[hydrogen] = other
    return [tuple(a for a in range(len(atoms)) if owner[a] == head) for head in sorted(set(owner))]


def _flow(
    event: Event,
    gauge: InternalGauge,
    belongs: np.ndarray,
    shares: np.ndarray,
    start: float,
) -> Float[np.ndarray, "groups groups"]:
    assert event.velocities is not None
    last, _ = crossing_frames(event)
    first = last + round((start - event.times[last]) / (event.times[1] - event.times[0]))
    part = event.part(event.times[max(0, first)], event.times[last])
    along = tensions_of(part, gauge)
    of_atoms = np.einsum("fc,fcax,fax->fca", along.tensions, along.derivatives, part.velocities)
    power = along.by_row(of_atoms) @ belongs.T  # frames, interactions, groups
    work = np.trapezoid(power, part.times, axis=0)
    currents = np.einsum("ia,ib->ab", work, shares)
    return currents - currents.T
