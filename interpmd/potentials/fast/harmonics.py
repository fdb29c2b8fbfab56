"""Generated code of the real spherical harmonics, for a vector of edges at once.

With c_m + i s_m = (x + i y)^m and the associated Legendre polynomials in Cartesian form Q_lm(z),

    Y_lm = N_lm Q_lm c_m        Y_l-m = N_lm Q_lm s_m

The backward function turns slopes by harmonics and by distance into a slope by the edge vector.
Each Y_lm is taken as a homogeneous polynomial of degree l, whose Cartesian gradient is simple;
its radial part, l Y_lm, is taken off again: dY/dr_vec = (grad Y - l Y u) / r.

Source: the recursion of `interpmd.potentials.expansion.angular.harmonics`.
"""

from __future__ import annotations

import math

from interpmd.potentials.fast.emit import Code


def norm(l: int, m: int) -> float:
    """N_lm, so that sum_m Y_lm^2 = 2 l + 1."""
    ratio = math.factorial(l - m) / math.factorial(l + m)
    return math.sqrt((2 * l + 1) * ratio * (2 if m else 1))


def harmonics(lmax: int, scalar: str, width: int) -> str:
    """``harmonics(x, y, z, Y, wide, count)``: Y[lm * wide + edge] of unit vectors."""
    code = Code(scalar, width)

    def body(k: str, _: list[str]) -> list[str]:
        x, y, z = (code.load(f"%{axis}", k) for axis in "xyz")
        c, s, legendre = _recursions(code, lmax, x, y, z)
        for l in range(lmax + 1):
            for m in range(l + 1):
                q = code.scale(norm(l, m), legendre[l, m])
                middle = l * l + l
                if m == 0:
                    code.store(q, "%Y", code.at(middle, "%wide", k))
                else:
                    code.store(code.mul(q, c[m]), "%Y", code.at(middle + m, "%wide", k))
                    code.store(code.mul(q, s[m]), "%Y", code.at(middle - m, "%wide", k))
        return []

    code.loop("%count", width, body)
    return code.function("harmonics", ["x", "y", "z", "Y"], ["wide", "count"])


def slopes(lmax: int, scalar: str, width: int) -> str:
    """``slopes(x, y, z, inverse, along, V, gx, gy, gz, wide, count)``: slopes by edge vectors.

    `along` holds the slopes by distance, V[lm * wide + edge] those by the harmonics, `inverse`
    one over the distance.
    """
    code = Code(scalar, width)

    def body(k: str, _: list[str]) -> list[str]:
        unit = dict(zip("xyz", (code.load(f"%{axis}", k) for axis in "xyz"), strict=True))
        c, s, legendre = _recursions(code, lmax, *unit.values())
        parts: dict[str, str] = {}
        for l in range(1, lmax + 1):
            for m in range(l + 1):
                _slope(code, parts, l, m, legendre, c, s, k)
        inverse, along = code.load("%inverse", k), code.load("%along", k)
        if "degree" in parts:
            along = code.sub(along, code.mul(parts["degree"], inverse))
        for axis, u in unit.items():
            across = parts.get(axis)
            if "planar" in parts and axis != "z":
                across = code.add(across, code.mul(parts["planar"], u))
            total = code.mul(along, u)
            if across is not None:
                total = code.add(total, code.mul(across, inverse))
            code.store(total, f"%g{axis}", k)
        return []

    code.loop("%count", width, body)
    pointers = ["x", "y", "z", "inverse", "along", "V", "gx", "gy", "gz"]
    return code.function("slopes", pointers, ["wide", "count"])


def jacobian(lmax: int, scalar: str, width: int) -> str:
    """``jacobian(x, y, z, inverse, along, across, wide, count)``: derivatives one by one.

    along[(axis * components + lm) * wide + edge] is Y_lm times the unit vector, which a slope by
    distance goes along; across[...] the derivative of Y_lm by the edge vector.
    """
    code, components = Code(scalar, width), (lmax + 1) ** 2

    def body(k: str, _: list[str]) -> list[str]:
        unit = [code.load(f"%{axis}", k) for axis in "xyz"]
        x, y, z = unit
        inverse = code.load("%inverse", k)
        c, s, legendre = _recursions(code, lmax, x, y, z)
        one, zero = code.constant(1), code.constant(0)
        c, s = c | {0: one, -1: zero}, s | {0: zero, -1: zero}
        for l in range(lmax + 1):
            for m in range(l + 1):
                f = norm(l, m)
                q = code.scale(f, legendre[l, m])
                by_z = code.scale(f * (l + m), legendre[l - 1, m]) if m < l else zero
                planar = code.scale(-f, legendre[l - 1, m + 1]) if m + 1 <= l - 1 else zero
                turn = code.scale(m, q)
                parts = [(l * l + l + m, c[m], c[m - 1], code.sub(zero, s[m - 1]))]
                if m:
                    parts.append((l * l + l - m, s[m], s[m - 1], c[m - 1]))
                for lm, angle, by_x, by_y in parts:
                    value = code.mul(q, angle)
                    gradient = [
                        code.add(code.mul(code.mul(planar, x), angle), code.mul(turn, by_x)),
                        code.add(code.mul(code.mul(planar, y), angle), code.mul(turn, by_y)),
                        code.mul(by_z, angle),
                    ]
                    for axis, (u, slope) in enumerate(zip(unit, gradient, strict=True)):
                        place = code.at(axis * components + lm, "%wide", k)
                        radial = code.mul(value, u)
                        code.store(radial, "%along", place)
                        across = code.sub(slope, code.scale(l, radial)) if l else slope
                        code.store(code.mul(across, inverse), "%across", place)
        return []

    code.loop("%count", width, body)
    pointers = ["x", "y", "z", "inverse", "along", "across"]
    return code.function("jacobian", pointers, ["wide", "count"])


def _slope(code: Code, parts: dict, l: int, m: int, legendre: dict, c: dict, s: dict, k: str):
    """Add what Y_lm and Y_l-m contribute: by x, y, z, along (x, y), and l times the value.

    dQ_lm/dz = (l + m) Q_l-1,m and, since Q_lm also depends on x and y through r^2,
    (dQ_lm/dx, dQ_lm/dy) = -Q_l-1,m+1 (x, y).
    """
    f, middle = norm(l, m), l * l + l
    q = code.scale(f, legendre[l, m])
    by_z = code.scale(f * (l + m), legendre[l - 1, m]) if m < l else None
    planar = code.scale(-f, legendre[l - 1, m + 1]) if m + 1 <= l - 1 else None
    v = code.load("%V", code.at(middle + m, "%wide", k))
    if m == 0:
        angular = v
    else:
        w = code.load("%V", code.at(middle - m, "%wide", k))
        angular = code.add(code.mul(v, c[m]), code.mul(w, s[m]))
    if by_z is not None:
        code.accumulate(parts, "z", code.mul(by_z, angular))
    if planar is not None:
        code.accumulate(parts, "planar", code.mul(planar, angular))
    code.accumulate(parts, "degree", code.scale(l, code.mul(q, angular)))
    if m == 0:
        return
    scaled = code.scale(m, q)
    if m == 1:
        code.accumulate(parts, "x", code.mul(scaled, v))
        code.accumulate(parts, "y", code.mul(scaled, w))
        return
    by_x = code.add(code.mul(v, c[m - 1]), code.mul(w, s[m - 1]))
    by_y = code.sub(code.mul(w, c[m - 1]), code.mul(v, s[m - 1]))
    code.accumulate(parts, "x", code.mul(scaled, by_x))
    code.accumulate(parts, "y", code.mul(scaled, by_y))


def _recursions(code: Code, lmax: int, x: str, y: str, z: str) -> tuple[dict, dict, dict]:
    """c_m, s_m for m >= 1, and Q_lm."""
    c, s = {1: x}, {1: y}
    for m in range(2, lmax + 1):
        c[m] = code.sub(code.mul(x, c[m - 1]), code.mul(y, s[m - 1]))
        s[m] = code.add(code.mul(x, s[m - 1]), code.mul(y, c[m - 1]))
    legendre = {}
    for m in range(lmax + 1):
        diagonal = math.prod(range(1, 2 * m, 2))
        legendre[m, m] = code.constant(diagonal)
        if m < lmax:
            legendre[m + 1, m] = code.scale((2 * m + 1) * diagonal, z)
        for l in range(m + 2, lmax + 1):
            upper = code.mul(code.scale((2 * l - 1) / (l - m), z), legendre[l - 1, m])
            lower = code.scale((l + m - 1) / (l - m), legendre[l - 2, m])
            legendre[l, m] = code.sub(upper, lower)
    return c, s, legendre
