"""Which gauge suits a system and a question."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms

from interpmd.attribution.gauges.atoms import AtomsGauge
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.coordinates import InternalGauge
from interpmd.attribution.gauges.grouped import GroupsGauge
from interpmd.attribution.gauges.molecules import MoleculesGauge
from interpmd.attribution.targets import Target
from interpmd.errors import GaugeError, InterpmdError
from interpmd.structures.chemistry import molecules
from interpmd.structures.coordinates import Coordinates
from interpmd.structures.fragments import Fragments
from interpmd.structures.groups import Grouping
from interpmd.structures.networks import made_of_atoms

#: All gauges by name.
GAUGES: dict[str, type[Gauge]] = {
    gauge.name: gauge for gauge in (InternalGauge, GroupsGauge, MoleculesGauge, AtomsGauge)
}


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
    if made_of_atoms(atoms):
        return AtomsGauge()
    if len(molecules(atoms)) > 1:
        return MoleculesGauge.of(frames)
    better = GroupsGauge if target.functional(atoms).energy.any() else InternalGauge
    try:
        return better.of(frames)
    except InterpmdError as error:
        return AtomsGauge(because=f'the gauge "{better.name}" does not suit it: {error}')
