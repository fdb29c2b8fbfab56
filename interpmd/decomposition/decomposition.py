"""The table: one row for each interaction of each cluster of atoms.

Everything that a user looks at is a view of this one table. Rows are stored flat: the members of
row r are at `first[r] : first[r + 1]` of the member arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float, Int

from interpmd.decomposition.clusters import Clusters
from interpmd.decomposition.groups import GROUPINGS, groups_of, shares_of_atoms
from interpmd.decomposition.radicals import of_radicals
from interpmd.errors import ArgumentError
from interpmd.markup import markup, table
from interpmd.plots.terms import plot_shares

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

#: Shown with every table.
CONVENTION = (
    "The rows sum to the model's energy and forces exactly. How a total splits among rows is not "
    "an observable: it depends on the convention (pure rows, zero when any atom leaves to "
    "infinity, remainders per site) and on the data that the potential was fitted to."
)


class Row(NamedTuple):
    """One row of the table.

    Attributes:
        term: name of the interaction.
        order: number of atoms; 0 for a remainder.
        atoms: indices; of a remainder, its site and then every atom that its forces act on.
        shifts: periodic image of each atom in cell vectors; None for molecules.
        energy_eV: energy in eV.
        energy_std_eV: standard deviation under the posterior; 0 if nothing was learned.
        forces: eV/Å on each of `atoms`, shape (len(atoms), 3).
        remainder: whether the row is what the other rows of its site leave over.
    """

    term: str
    order: int
    atoms: tuple[int, ...]
    shifts: tuple[tuple[int, int, int], ...] | None
    energy_eV: float
    energy_std_eV: float
    forces: Float[np.ndarray, "members 3"]
    remainder: bool


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Energy and forces of a structure as a sum of rows, one per interaction and cluster.

    A row vanishes when one of its atoms is taken away. It is a function of its own atoms that no
    translation or rotation changes, so its forces sum to zero and exert no torque. Sums over rows
    are the potential's energy and forces (in float64, to better than 1e-8).

    Attributes:
        structure: the atoms that were decomposed.
        clusters: term, order and members of each row; a remainder has the order 0.
        energies: eV, shape (rows,).
        samples: deviations from `energies` under joint samples of the posterior, in eV, shape
            (rows, samples); sums over rows keep their covariance. No columns if nothing was
            learned.
        member_forces: eV/Å on every member, shape (members, 3).
        requested_order: largest body order that was enumerated.
        radical_scale: how many times wider the error bars of single rows are than those of
            `samples`; sums over all rows have theirs. See `interpmd.decomposition.radicals`.

    Example:
        >>> from ase.build import molecule
        >>> import interpmd as im
        >>> water = im.load("water")
        >>> table = im.decompose(water, molecule("H2O"))
        >>> [(row.term, row.atoms) for row in table if row.order > 1]
        [('pair', (0, 1)), ('pair', (0, 2)), ('pair', (1, 2)), ('triplet', (0, 1, 2))]
        >>> predicted = float(water.double().predict(molecule("H2O")).energy)
        >>> abs(sum(row.energy_eV for row in table) - predicted) < 1e-8
        True
    """

    structure: Atoms
    clusters: Clusters
    energies: Float[np.ndarray, " rows"]
    samples: Float[np.ndarray, "rows samples"]
    member_forces: Float[np.ndarray, "members 3"]
    requested_order: int
    radical_scale: float = 1.0

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Row]:
        periodic = self.structure.pbc.any()
        std, atoms = self.energy_stds.tolist(), self.member_atoms.tolist()
        shifts = self.member_shifts.tolist()
        energies, orders, first = self.energies.tolist(), self.order.tolist(), self.first.tolist()
        for row, term in enumerate(self.term.tolist()):
            start, end = first[row], first[row + 1]
            yield Row(
                self.terms[term],
                orders[row],
                tuple(atoms[start:end]),
                tuple(map(tuple, shifts[start:end])) if periodic else None,
                energies[row],
                std[row],
                self.member_forces[start:end],
                orders[row] == 0,
            )

    def __repr__(self) -> str:
        formula = self.structure.get_chemical_formula()
        return (
            f"Decomposition of {formula}: {len(self)} rows to order {self.requested_order}, "
            f"energy {self.energy:.6f} eV, {len(self.terms)} terms: {', '.join(self.terms)}"
        )

    def to_frame(self) -> pd.DataFrame:
        """The table; columns are the fields of `Row`."""
        import pandas as pd

        columns = zip(*self, strict=True) if len(self) else ([] for _ in Row._fields)
        return pd.DataFrame(
            {
                name: pd.Series(list(column), dtype=object)
                if name in ("atoms", "shifts", "forces")
                else list(column)
                for name, column in zip(Row._fields, columns, strict=True)
            }
        )

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the interactions."""
        return self.clusters.terms

    @property
    def term(self) -> Int[np.ndarray, " rows"]:
        """Index into `terms` of each row."""
        return self.clusters.term

    @property
    def order(self) -> Int[np.ndarray, " rows"]:
        """Body order of each row; 0 for remainders."""
        return self.clusters.order

    @property
    def first(self) -> Int[np.ndarray, " rows_and_end"]:
        """Where the members of each row start, and where the last ones end."""
        return self.clusters.first

    @property
    def member_atoms(self) -> Int[np.ndarray, " members"]:
        """Atom index of every member."""
        return self.clusters.member_atoms

    @property
    def member_shifts(self) -> Int[np.ndarray, "members 3"]:
        """Periodic image of every member in cell vectors."""
        return self.clusters.member_shifts

    @property
    def sizes(self) -> Int[np.ndarray, " rows"]:
        """Number of members of each row."""
        return self.clusters.sizes

    @property
    def owner(self) -> Int[np.ndarray, " members"]:
        """Row of every member."""
        return self.clusters.owner

    @property
    def remainder(self) -> Bool[np.ndarray, " rows"]:
        """Which rows are remainders."""
        return self.clusters.remainder

    @property
    def energy(self) -> float:
        """Sum of the energies of all rows in eV."""
        return float(self.energies.sum())

    @property
    def energy_stds(self) -> Float[np.ndarray, " rows"]:
        """Standard deviation of each row's energy in eV; 0 if nothing was learned."""
        return standard_deviation(self.widened_samples)

    @property
    def widened_samples(self) -> Float[np.ndarray, "rows samples"]:
        """`samples` in eV as wide as error bars of single rows are, with the same sum."""
        return of_radicals(self.samples, self.radical_scale, self.samples)

    @property
    def energy_std(self) -> float:
        """Standard deviation of the total energy in eV, covariances of the rows included."""
        return float(standard_deviation(self.samples.sum(0)))

    @property
    def forces(self) -> Float[np.ndarray, "atoms 3"]:
        """Sum of the forces of all rows in eV/Å."""
        total = np.zeros((len(self.structure), 3))
        np.add.at(total, self.member_atoms, self.member_forces)
        return total

    def by(self, what: str = "term") -> pd.DataFrame:
        """Sums over groups of rows.

        Args:
            what: "term", "order", "elements", "atoms" or "atom" (see `GROUPINGS`).

        Returns:
            A frame indexed by group (terms by body order) with energy_eV, energy_std_eV
            (covariances included), force_eV/A (root of the sum over atoms of the squared net force
            of the group) and the number of rows.

        Raises:
            ArgumentError: an unknown grouping.
        """
        import pandas as pd

        if what not in GROUPINGS:
            raise ArgumentError(f"cannot sum by {what!r}; choose one of {', '.join(GROUPINGS)}")
        if what == "atom":
            return self._by_atom()
        labels, index = groups_of(self.clusters, self.structure.get_chemical_symbols(), what)
        energies = np.bincount(index, self.energies, len(labels))
        samples = np.zeros((len(labels), self.samples.shape[1]))
        np.add.at(samples, index, self.widened_samples)
        forces = np.zeros((len(labels), len(self.structure), 3))
        np.add.at(forces, (index[self.owner], self.member_atoms), self.member_forces)
        return pd.DataFrame(
            {
                "energy_eV": energies,
                "energy_std_eV": standard_deviation(samples),
                "force_eV/A": np.sqrt((forces**2).sum((1, 2))),
                "rows": np.bincount(index, minlength=len(labels)),
            },
            index=pd.Index(labels, name=what, tupleize_cols=False),
        )

    def plot(self) -> tuple[Axes, ...]:
        """Energy and force of every term and body order as bars; see `by`."""
        together = self.take(np.flatnonzero(self.order != 1))
        formula = self.structure.get_chemical_formula()
        title = (
            f"{formula}: {self.energy:.4f} eV, of which {self.energy - together.energy:.4f} eV are "
            f"single atoms and the rest {len(together)} rows"
        )
        groups = {what: together.by(what) for what in ("term", "order")}
        return tuple(plot_shares(groups, title).axes)

    def _by_atom(self) -> pd.DataFrame:
        import pandas as pd

        sites = np.zeros(len(self.structure))
        samples = np.zeros((len(sites), self.samples.shape[1]))
        share = shares_of_atoms(self.clusters)
        np.add.at(sites, self.member_atoms, share * self.energies[self.owner])
        of_rows = share[:, None] * self.widened_samples[self.owner]
        np.add.at(samples, self.member_atoms, of_rows)
        return pd.DataFrame(
            {
                "energy_eV": sites,
                "energy_std_eV": standard_deviation(samples),
                "force_eV/A": np.linalg.norm(self.forces, axis=1),
                "rows": np.bincount(self.member_atoms, minlength=len(sites)),
            },
            index=pd.Index(range(len(sites)), name="atom"),
        )

    def _repr_html_(self) -> str:
        terms = table(self.by("term"), float_format=lambda v: f"{v:.4f}")
        # isolated atoms outweigh all that they do together
        together = np.flatnonzero(self.order != 1)
        largest = together[np.argsort(-np.abs(self.energies[together]))[:8]]
        rows = ""
        if len(largest):
            frame = self.take(np.sort(largest)).to_frame().drop(columns="forces")
            words = "<p>Largest rows, isolated atoms left out:</p>{}"
            rows = markup(words, table(frame, index=False))
        page = "<div><b>{}</b>{}{}<p><i>{}</i></p></div>"
        return markup(page, repr(self), terms, rows, CONVENTION)

    def take(self, rows: Int[np.ndarray, " chosen"]) -> Decomposition:
        """The table with only some rows; sums over it are no longer complete."""
        return replace(
            self,
            clusters=self.clusters.take(rows),
            energies=self.energies[rows],
            samples=self.widened_samples[rows],
            radical_scale=1.0,
            member_forces=self.member_forces[self.clusters.members_of(rows)],
        )


def standard_deviation(samples: Float[np.ndarray, "... samples"]) -> Float[np.ndarray, ...]:
    """Root mean square over the samples (deviations from a known mean); 0 without samples."""
    if samples.shape[-1] == 0:
        return np.zeros(samples.shape[:-1])
    return np.sqrt((samples**2).mean(-1))
