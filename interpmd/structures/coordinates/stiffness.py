"""How stiff each internal coordinate is, by model Hessians that need geometry and elements only.

| coordinate | stiffness | from |
|---|---|---|
| bond, shared proton, hydrogen bond | 0.45 ρ | Lindh |
| angle, each of two linear bends | 0.15 ρ ρ | Lindh |
| dihedral | 0.005 ρ ρ ρ sin² sin² | Lindh, with the sines of both angles |
| out of plane | (0.0025 + 0.0061 (R R)^0.8 cos⁴ exp(-3 (r - R))) / sin² 120° | Fischer, Almlöf |
| contact, molecules against each other | London's law | see `contact` and `pair` |

in hartree, bohr and radian, with ρ = exp(α (r0² - r²)) for each bond along the coordinate. Lindh,
Bernhardsson, Karlström and Malmqvist, Chem. Phys. Lett. 241, 423 (1995), give α and r0 for the
first three rows of the periodic table; heavier elements take those of the third. Fischer and
Almlöf, J. Phys. Chem. 96, 9768 (1992): R is the sum of covalent radii, cos⁴ of the angle of a bond
with the plane of the two others, here with the pyramidality q for its sine; sin 120° turns the
derivative with respect to the angle into that with respect to q.

All are smooth functions of the geometry: a bond that breaks, or a hydrogen bond that dissolves,
fades with ρ. So a set of coordinates for a whole trajectory needs no switch, and a single frame
gets nearly the same answer with its own set. No ρ falls below `LEAST`, so that what has come apart
keeps a coordinate.
"""

from __future__ import annotations

import numpy as np
from ase.data import covalent_radii
from ase.units import Bohr, Hartree
from jaxtyping import Float

from interpmd.structures.coordinates.bodies import members
from interpmd.structures.coordinates.coordinates import Coordinates, Members
from interpmd.structures.coordinates.formulas import cross, dot, norm, out_of_plane
from interpmd.structures.coordinates.nonbonded import radii

#: Lindh's decay in 1/bohr² and reference distance in bohr, by rows of the periodic table.
ALPHA = np.array([[1.0, 0.3949, 0.3949], [0.3949, 0.28, 0.28], [0.3949, 0.28, 0.28]])
REFERENCE = np.array([[1.35, 2.1, 2.53], [2.1, 2.87, 3.4], [2.53, 3.4, 3.4]])

#: Lindh's stiffness in hartree/bohr² and hartree/rad².
STRETCH, BEND, TORSION = 0.45, 0.15, 0.005

#: Smallest ρ.
LEAST = 1e-3

#: eV/Å². Stiffness of two argon atoms at their van der Waals distance is about this.
LONDON = 0.05

#: Share of the stiffness of all their atoms that two molecules have as wholes: small, so that
#: hydrogen bonds and contacts come first.
WHOLE = 0.1


def model_stiffness(
    coordinates: Coordinates,
    positions: Float[np.ndarray, "atoms 3"],
    cell: np.ndarray | None = None,
) -> Float[np.ndarray, " components"]:
    """Stiffness of every component in eV/Å², eV/rad² (or eV, where a component is a cosine)."""
    c, cell = coordinates, coordinates.cell if cell is None else np.asarray(cell)

    def x(members: Members) -> np.ndarray:
        return positions[members.atoms] + members.shifts @ cell

    stretches = STRETCH * _rho(c.numbers, c.stretches, x(c.stretches))[:, 0] * Hartree / Bohr**2
    lengths = norm(np.diff(x(c.stretches), axis=1)[:, 0])
    stretches[c.loose] = contact(c.numbers[c.stretches.atoms], lengths)[c.loose]
    angles = BEND * _rho(c.numbers, c.angles, x(c.angles)).prod(1) * Hartree
    parts = [stretches, angles]
    for near_line in (Members(c.bends.atoms[:, :3], c.bends.shifts[:, :3]), c.lone_bends):
        bends = BEND * _rho(c.numbers, near_line, x(near_line)).prod(1) * Hartree
        parts.append(np.repeat(bends, 2))
    parts += [_torsions(c, x(c.dihedrals)), _planes(c, x(c.planes)), pair(c, positions, cell)]
    return np.concatenate(parts)


def _rho(numbers: np.ndarray, members: Members, x: np.ndarray) -> np.ndarray:
    """Lindh's ρ for the bonds along coordinates, shape (n, members - 1)."""
    row = np.searchsorted([2, 10], numbers[members.atoms])
    alpha, reference = (t[row[:, :-1], row[:, 1:]] for t in (ALPHA, REFERENCE))
    square = (np.diff(x, axis=1) ** 2).sum(-1) / Bohr**2
    return np.exp(alpha * (reference**2 - square)) + LEAST


def _torsions(c: Coordinates, x: np.ndarray) -> np.ndarray:
    """Sums over the dihedrals about each axis, each with the sines of its angles squared, so that
    it fades where three atoms come to lie on a line."""
    steps = np.diff(x, axis=1)
    bent = np.ones(len(x))
    for one, other in ((0, 1), (1, 2)):
        normal = cross(steps[:, one], steps[:, other])
        bent *= dot(normal, normal) / dot(steps[:, one], steps[:, one])
        bent /= dot(steps[:, other], steps[:, other])
    each = _rho(c.numbers, c.dihedrals, x).prod(1) * (bent + LEAST**4)
    return TORSION * Hartree * np.bincount(c.torsion, each, c.torsions)


def _planes(c: Coordinates, x: np.ndarray) -> np.ndarray:
    """The mean over the three bonds of a centre."""
    if len(x) == 0:
        return np.zeros(0)
    size = covalent_radii[c.numbers[c.planes.atoms]]
    reach = (size[:, 1:] + size[:, :1]) / Bohr
    lengths = norm(x[:, 1:] - x[:, :1]) / Bohr
    others = reach[:, [1, 2, 0]] * reach[:, [2, 0, 1]]
    flat = (1 - out_of_plane(x)[0] ** 2) ** 2
    each = 0.0025 + 0.0061 * others**0.8 * flat[:, None] * np.exp(-3.0 * (lengths - reach))
    return each.mean(1) * Hartree / 0.75


def contact(numbers: np.ndarray, lengths: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Stiffness of two atoms in contact in eV/Å²: London's law, whose second derivative falls with
    the eighth power of the distance, less what it is at the sum of the van der Waals radii."""
    size = radii(numbers)
    reach = size.sum(-1)
    return LONDON * (np.maximum((reach / lengths) ** 8 - 1.0, 0.0) + LEAST)


def pair(
    c: Coordinates, positions: Float[np.ndarray, "atoms 3"], cell: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, " components"]:
    """Stiffness of distances, tilts and turns of molecules.

    London's law summed over all pairs of their atoms, times `WHOLE`, is that of the distance; times
    the mean square radius of a molecule, that of its tilt; of a turn the smaller radius counts, and
    a half, for each of the two angles across an axis is in it twice. Two single atoms have no
    contact beside their distance, and take all of London's law.
    """
    table, bodies = c.pairs, c.bodies
    x, size = positions[bodies.atoms] + bodies.shifts @ cell, radii(c.numbers[bodies.atoms])
    of_pair, first = members(bodies, table.pairs[:, 0])
    of_first, second = members(bodies, table.pairs[of_pair, 1])
    of_pair, first = of_pair[of_first], first[of_first]
    apart = norm(x[second] + (table.shifts @ cell)[of_pair] - x[first])
    each = ((size[first] + size[second]) / apart) ** 8
    london = LONDON * (np.bincount(of_pair, each, len(table.pairs)) + LEAST**2)

    alone = (bodies.sizes[table.pairs] == 1).all(1)
    tilted, side, _ = table.tilts.T
    turned = table.turns[:, 0]
    square = bodies.square_radius
    tilts = london[tilted] * square[table.pairs[tilted, side]]
    turns = 0.5 * london[turned] * square[table.pairs[turned]].min(1)
    return np.concatenate([np.where(alone, london, WHOLE * london), WHOLE * tilts, WHOLE * turns])
