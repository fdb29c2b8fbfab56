"""Which gauge suits a system and a question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from interpmd.attribution.gauges.atoms import AtomsGauge
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.coordinates import InternalGauge
from interpmd.attribution.gauges.grouped import GroupsGauge
from interpmd.attribution.gauges.molecules import MoleculesGauge
from interpmd.attribution.targets import Target
from interpmd.errors import GaugeError, InterpmdError
from interpmd.structures.bonding import NOBLE_GASES
from interpmd.structures.chemistry import bonds, put_together
from interpmd.structures.coordinates import Coordinates
from interpmd.structures.fragments import Fragments
from interpmd.structures.groups import Grouping

#: All gauges by name.
GAUGES: dict[str, type[Gauge]] = {
    gauge.name: gauge for gauge in (InternalGauge, GroupsGauge, MoleculesGauge, AtomsGauge)
}

#: Elements of which covalent molecules are made: H, B, C, N, O, F, Si, P, S, Cl, Se, Br, I.
ORGANIC = (1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 34, 35, 53)

#: Elements whose atoms by themselves make networks, not molecules: B, C, Si.
NETWORKS = frozenset((5, 6, 14))


def as_gauge(
    given: str | Gauge | Grouping | Coordinates,
    frames: Sequence[Atoms],
    players: Fragments | None = None,
) -> Gauge:
    """A gauge by name, made for some frames; or one that is ready.

    Args:
        given: a name, a gauge, the groups of `interpmd.groups_of`, or internal coordinates.
        frames: of one system; the gauge serves all of them.
        players: the user's own.

    Raises:
        GaugeError: no gauge of that name, or players beside one that is ready.
        InterpmdError: the structure has none of what the gauge is about.
    """
    if isinstance(given, str):
        if given not in GAUGES:
            raise GaugeError(f"no gauge is called {given!r}; known: {', '.join(GAUGES)}")
        return GAUGES[given].of(frames, players)
    if players is not None:
        raise GaugeError("the gauge has players already; leave fragments out")
    if isinstance(given, Grouping):
        return GroupsGauge(given)
    if isinstance(given, Coordinates):
        return InternalGauge(given)
    if isinstance(given, Gauge):
        return given
    raise GaugeError(f"a gauge is one of {', '.join(GAUGES)}, or groups_of(...), not {given!r}")


def suitable_gauge(frames: Sequence[Atoms], target: Target) -> Gauge:
    """The gauge whose rows say something about a system, by what it is made of.

    - one covalent molecule: "internal" for forces, "groups" for energies
    - clusters and liquids of molecules: "molecules"
    - crystals, metals, clusters of atoms without molecules: "atoms"

    Where the groups or coordinates of a molecule are not known (radicals, unusual bonding) it is
    explained by atoms, and the gauge says why (`AtomsGauge.because`).

    Args:
        frames: of one system; the first says what it is made of.
        target: what is explained.
    """
    atoms = frames[0]
    known = put_together(bonds(atoms), len(atoms))
    if known.endless or not np.isin(atoms.numbers, (*ORGANIC, *NOBLE_GASES)).all():
        return AtomsGauge()
    count = int(known.number.max(initial=-1)) + 1
    if count == len(atoms):
        return AtomsGauge()
    if _network(atoms):
        return AtomsGauge()
    if count > 1:
        return MoleculesGauge.of(frames)
    better = GroupsGauge if target.functional(atoms).energy.any() else InternalGauge
    try:
        return better.of(frames)
    except InterpmdError as error:
        return AtomsGauge(because=f'the gauge "{better.name}" does not suit it: {error}')


def _network(atoms: Atoms) -> bool:
    """A piece of a crystal: atoms of one element that makes no molecules by itself, or most of
    which have three neighbours or more."""
    elements = set(atoms.numbers.tolist())
    if len(elements) > 1:
        return False
    if elements <= NETWORKS:
        return True
    if len(atoms) < 5:
        return False
    degrees = np.bincount(bonds(atoms).pairs.ravel(), minlength=len(atoms))
    return bool(np.mean(degrees >= 3) > 0.5)
