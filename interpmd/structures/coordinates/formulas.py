"""Internal coordinates and their first derivatives, many at once.

Every function takes the positions of the atoms that its coordinates are made of, in angstrom, shape
(coordinates, members, 3), and returns values and derivatives with respect to these positions. The
derivatives of one coordinate are forces without a net force and without a torque (Wilson, Decius
and Cross, Molecular Vibrations, 1955, chapter 4; Bakken and Helgaker, J. Chem. Phys. 117, 9160,
2002). Lengths in angstrom, angles in radian.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

#: Sine of an angle below which three atoms count as exactly on a line, where a bend and a torsion
#: have no direction.
ON_A_LINE = 1e-7


def stretch(
    x: Float[np.ndarray, "n 2 3"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 2 3"]]:
    """Distances of two atoms."""
    vector = x[:, 1] - x[:, 0]
    length = norm(vector)
    unit = vector / length[:, None]
    return length, np.stack([-unit, unit], axis=1)


def angle(
    x: Float[np.ndarray, "n 3 3"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 3 3"]]:
    """Angles at the second atom. On a line the derivative is zero."""
    u, v, r_u, r_v = _arms(x)
    cosine = dot(u, v)
    sine = norm(cross(u, v))
    scale = _inverse(sine)[:, None]
    first = (cosine[:, None] * u - v) * scale / r_u
    last = (cosine[:, None] * v - u) * scale / r_v
    return np.arctan2(sine, cosine), np.stack([first, -first - last, last], axis=1)


def lone_bend(
    x: Float[np.ndarray, "n 3 3"],
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2 3 3"]]:
    """Bends of three atoms near a line, with no atom off it that would tell planes apart.

    The first is their angle. As long as they are bent, forces without a torque lie in their plane
    and the second is zero; exactly on a line the two are bends in any two planes.
    """
    value, derivative = angle(x)
    u, v, r_u, r_v = _arms(x)
    straight = (norm(cross(u, v)) < ON_A_LINE) & (dot(u, v) < 0)
    planes = _normals(v)
    first, last = -planes / r_u[:, None], -planes / r_v[:, None]
    both = np.stack([first, -first - last, last], axis=2)
    bent = np.stack([derivative, np.zeros_like(derivative)], axis=1)
    values = np.stack([value, np.zeros_like(value)], axis=1)
    return values, np.where(straight[:, None, None, None], both, bent)


def linear_bend(
    x: Float[np.ndarray, "n 4 3"],
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2 4 3"]]:
    """Bends of three atoms near a line, in the plane of the axis and a fourth atom, and out of it.

    With the unit vectors u and v from the second atom to the first and the third, s = u + v has
    the length 2 cos(angle / 2) and is normal to the axis n along v - u. With p, the part of the
    vector w to the fourth atom that is normal to n, the bends are s . p / |p| and
    s . (n x p) / |p|. Both are smooth where the angle is 180 degrees.
    """
    u, v, r_u, r_v = _arms(x[:, :3])
    w = x[:, 3] - x[:, 1]
    s, along = u + v, v - u
    length = norm(along)[:, None]
    n = along / length
    height = dot(n, w)[:, None]
    p = w - height * n
    size = norm(p)[:, None]
    n_w = cross(n, w)
    in_plane, across = dot(s, w)[:, None] / size, dot(s, n_w)[:, None] / size

    # |p| depends on w and on n, and n on v - u
    size_w, size_along = p / size, -height * p / size / length
    w_s = cross(w, s)
    w_s -= dot(n, w_s)[:, None] * n
    by_s = np.stack([w, n_w], axis=1) / size[:, None]
    by_along = np.stack([-in_plane * size_along, w_s / length - across * size_along], 1)
    by_w = np.stack([s - in_plane * size_w, cross(s, n) - across * size_w], axis=1)
    by_along, by_w = by_along / size[:, None], by_w / size[:, None]

    by_u, by_v = by_s - by_along, by_s + by_along
    first = (by_u - _along(by_u, u[:, None])) / r_u[:, None]
    last = (by_v - _along(by_v, v[:, None])) / r_v[:, None]
    centre = -first - last - by_w
    return np.concatenate([in_plane, across], 1), np.stack([first, centre, last, by_w], axis=2)


def torsion(
    x: Float[np.ndarray, "n 4 3"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 4 3"]]:
    """Dihedral angles from -pi to pi (Blondel and Karplus, J. Comput. Chem. 17, 1132, 1996).

    Where three atoms are on a line the derivative is zero.
    """
    f, g, h = x[:, 0] - x[:, 1], x[:, 1] - x[:, 2], x[:, 3] - x[:, 2]
    a, b = cross(f, g), cross(h, g)
    axis = norm(g)[:, None]
    value = np.arctan2(dot(cross(b, a), g / axis), dot(a, b))
    # sines of the two angles, so that the test does not depend on the lengths of the bonds
    sine_a = norm(a) / (norm(f) * axis[:, 0])
    sine_b = norm(b) / (norm(h) * axis[:, 0])
    straight = ((sine_a < ON_A_LINE) | (sine_b < ON_A_LINE))[:, None]
    a = a / np.where(straight, 1.0, dot(a, a)[:, None])
    b = b / np.where(straight, 1.0, dot(b, b)[:, None])
    a, b = np.where(straight, 0.0, a), np.where(straight, 0.0, b)
    first, last = -axis * a, axis * b
    lever = dot(f, g)[:, None] / axis * a - dot(h, g)[:, None] / axis * b
    return value, np.stack([first, lever - first, -lever - last, last], axis=1)


def out_of_plane(
    x: Float[np.ndarray, "n 4 3"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 4 3"]]:
    """Pyramidality of a centre (first atom) with three neighbours: u1 . (u2 x u3), 0 if planar.

    With unit vectors u to the neighbours; sin(Wilson's out-of-plane angle of one bond) times the
    sine of the angle between the two others, and the same for every order of the neighbours.
    """
    arms = x[:, 1:] - x[:, :1]
    lengths = norm(arms)[..., None]
    units = arms / lengths
    normals = cross(units[:, [1, 2, 0]], units[:, [2, 0, 1]])
    value = dot(units[:, 0], normals[:, 0])
    ends = (normals - value[:, None, None] * units) / lengths
    return value, np.concatenate([-ends.sum(1, keepdims=True), ends], axis=1)


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Scalar products along the last axis."""
    return np.einsum("...i,...i->...", a, b)


def norm(a: np.ndarray) -> np.ndarray:
    """Lengths along the last axis."""
    return np.sqrt(dot(a, a))


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Vector products along the last axis; a few times faster than numpy's for short arrays."""
    a0, a1, a2 = a[..., 0], a[..., 1], a[..., 2]
    b0, b1, b2 = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=-1)


def _arms(x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Unit vectors from the second atom to the first and the third, and their lengths."""
    u, v = x[:, 0] - x[:, 1], x[:, 2] - x[:, 1]
    r_u, r_v = norm(u)[:, None], norm(v)[:, None]
    return u / r_u, v / r_v, r_u, r_v


def _normals(axis: np.ndarray) -> np.ndarray:
    """Two unit vectors normal to each axis and to each other, shape (n, 2, 3)."""
    least = np.eye(3)[np.abs(axis).argmin(1)]
    one = cross(axis, least)
    one /= norm(one)[:, None]
    return np.stack([one, cross(axis, one)], axis=1)


def _along(a: np.ndarray, unit: np.ndarray) -> np.ndarray:
    return dot(a, unit)[..., None] * unit


def _inverse(sine: np.ndarray) -> np.ndarray:
    """1 / sine, and 0 where there is no direction to divide by."""
    straight = sine < ON_A_LINE
    return np.where(straight, 0.0, 1.0 / np.where(straight, 1.0, sine))
