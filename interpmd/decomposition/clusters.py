"""The one store of clusters: which atoms each row of a table, or value of an explanation, is of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters of atoms, stored flat: the members of cluster c are at first[c] : first[c + 1].

    Attributes:
        terms: names of the interactions, or of other things that values belong to.
        term: index into `terms` of each cluster, shape (clusters,).
        order: number of atoms (or fragments); 0 for a remainder, shape (clusters,).
        first: where the members of each start, and where the last ones end, shape (clusters + 1,).
        member_atoms: atom of every member, shape (members,); a remainder begins with its site.
        member_shifts: periodic image of every member in cell vectors, shape (members, 3).

    Example:
        >>> from interpmd.decomposition import Clusters
        >>> clusters = Clusters.of_tuples([(0, 1), (0, 1, 2)], "water")
        >>> clusters.member_atoms.tolist(), clusters.first.tolist()
        ([0, 1, 0, 1, 2], [0, 2, 5])
        >>> clusters.take(clusters.order == 3).tuples()
        [(0, 1, 2)]
    """

    terms: tuple[str, ...]
    term: Int[np.ndarray, " clusters"]
    order: Int[np.ndarray, " clusters"]
    first: Int[np.ndarray, " clusters_and_end"]
    member_atoms: Int[np.ndarray, " members"]
    member_shifts: Int[np.ndarray, "members 3"]

    @classmethod
    def of_tuples(
        cls,
        members: Iterable[Sequence[int]],
        term: str,
        orders: Sequence[int] | None = None,
        shifts: Sequence[Sequence[Sequence[int]]] | None = None,
    ) -> Clusters:
        """Clusters named by tuples of atoms, all of one term."""
        members = [tuple(m) for m in members]
        sizes = [len(m) for m in members]
        flat = np.array([a for m in members for a in m], dtype=np.int64)
        images = np.zeros((len(flat), 3), dtype=np.int64)
        if shifts is not None and len(flat):
            images = np.array([s for m in shifts for s in m], dtype=np.int64).reshape(-1, 3)
        return cls(
            (term,),
            np.zeros(len(members), dtype=np.int64),
            np.array(sizes if orders is None else orders, dtype=np.int64),
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            flat,
            images,
        )

    @classmethod
    def named(
        cls,
        members: Sequence[Sequence[int]],
        names: Sequence[str],
        orders: Sequence[int],
        shifts: Sequence[Sequence[Sequence[int]]] | None = None,
    ) -> Clusters:
        """Clusters of which each has a name of its own, which stands as its term."""
        made = cls.of_tuples(members, "", orders, shifts)
        terms = tuple(dict.fromkeys(names))
        place = {name: index for index, name in enumerate(terms)}
        return replace(made, terms=terms, term=np.array([place[n] for n in names], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.order)

    @property
    def sizes(self) -> Int[np.ndarray, " clusters"]:
        """Number of members of each cluster."""
        return np.diff(self.first)

    @property
    def owner(self) -> Int[np.ndarray, " members"]:
        """Cluster of every member."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @property
    def remainder(self) -> Bool[np.ndarray, " clusters"]:
        """Which clusters are remainders."""
        return self.order == 0

    def tuples(self) -> list[tuple[int, ...]]:
        """Atoms of each cluster."""
        atoms, first = self.member_atoms.tolist(), self.first.tolist()
        return [tuple(atoms[a:b]) for a, b in zip(first[:-1], first[1:], strict=True)]

    def sited(self) -> Clusters:
        """The same with remainders, which a table names by site and neighbours, at their sites."""
        keep = ~self.remainder[self.owner]
        keep[self.first[:-1][self.remainder]] = True
        sizes = np.where(self.remainder, 1, self.sizes)
        return replace(
            self,
            first=np.concatenate([[0], np.cumsum(sizes)]),
            member_atoms=self.member_atoms[keep],
            member_shifts=self.member_shifts[keep],
        )

    def identities(self) -> list[tuple]:
        """A key for each cluster: term, order, members and their images."""
        atoms, shifts = self.member_atoms.tolist(), self.member_shifts.tolist()
        return [
            (
                self.terms[t],
                int(o),
                tuple(atoms[a:b]),
                tuple(tuple(s) for s in shifts[a:b]),
            )
            for t, o, a, b in zip(
                self.term, self.order, self.first[:-1], self.first[1:], strict=True
            )
        ]

    @classmethod
    def of_identities(cls, keys: Sequence[tuple]) -> Clusters:
        """The inverse of `identities`."""
        terms = tuple(dict.fromkeys(key[0] for key in keys))
        made = cls.of_tuples([k[2] for k in keys], "", [k[1] for k in keys], [k[3] for k in keys])
        place = {name: index for index, name in enumerate(terms)}
        term = np.array([place[k[0]] for k in keys], dtype=np.int64)
        return cls(terms, term, made.order, made.first, made.member_atoms, made.member_shifts)

    def members_of(self, chosen: np.ndarray) -> Int[np.ndarray, " members"]:
        """Places of the members of some clusters, cluster by cluster."""
        chosen = np.arange(len(self))[chosen]
        sizes = self.sizes[chosen]
        start = np.repeat(self.first[chosen] - np.cumsum(sizes) + sizes, sizes)
        return start + np.arange(sizes.sum())

    def take(self, chosen: np.ndarray) -> Clusters:
        """Some of the clusters, by index or mask."""
        chosen = np.arange(len(self))[chosen]
        members = self.members_of(chosen)
        return Clusters(
            self.terms,
            self.term[chosen],
            self.order[chosen],
            np.concatenate([[0], np.cumsum(self.sizes[chosen])]),
            self.member_atoms[members],
            self.member_shifts[members],
        )
