"""Terms with a formula in numba: isolated atoms, pairs, and corners of three atoms.

Each adds the energies of sites and their slopes by the edge vectors, exactly as its torch form
does; that form is where the physics is explained and its source is named. Parameters are read at
every call, so that nothing here can be out of date.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from interpmd.potentials.analytic import (
    MW,
    AxilrodTeller,
    LennardJones,
    Morse,
    StillingerWeber,
)
from interpmd.potentials.base import LocalTerm
from interpmd.potentials.dense import BOHR
from interpmd.potentials.fast.call import kernel
from interpmd.potentials.isolated import Isolated
from interpmd.potentials.repulsion import COULOMB, ZBL

#: How `pair` tells the formulas apart.
ZBL_FORM, LENNARD_JONES, MORSE, STILLINGER_WEBER = range(4)


def add_isolated(term: Isolated, sites, energies, slopes) -> None:
    """E_i = E0(Z_i)."""
    energies += term.table.numpy()[sites.centre]


def add_zbl(term: ZBL, sites, energies, slopes) -> None:
    """Screened repulsion of nuclei."""
    parameters = term.radii.numpy() * term.scale
    _pairs(ZBL_FORM, parameters, *_arrays(sites), energies, slopes)


def add_lennard_jones(term: LennardJones, sites, energies, slopes) -> None:
    """Lennard-Jones pairs."""
    parameters = np.array([term.onset, term.cutoff, term.epsilon, term.sigma])
    _pairs(LENNARD_JONES, parameters, *_arrays(sites), energies, slopes)


def add_morse(term: Morse, sites, energies, slopes) -> None:
    """Morse pairs."""
    parameters = np.array([term.onset, term.cutoff, term.depth, term.width, term.distance])
    _pairs(MORSE, parameters, *_arrays(sites), energies, slopes)


def add_stillinger_weber(term: StillingerWeber, sites, energies, slopes) -> None:
    """Stillinger-Weber pairs and corners (mW too)."""
    names = ("cutoff", "epsilon", "sigma", "big_a", "big_b", "p", "q")
    pairs = np.array([0.0, *(getattr(term, name) for name in names)])
    _pairs(STILLINGER_WEBER, pairs, *_arrays(sites), energies, slopes)
    names = ("cutoff", "epsilon", "sigma", "lam", "gamma", "cos_theta")
    corners = np.array([getattr(term, name) for name in names])
    _corners(True, corners, sites.vectors, sites.first, energies, slopes)


def add_axilrod_teller(term: AxilrodTeller, sites, energies, slopes) -> None:
    """Triple dipoles, a third of each triangle at each corner."""
    parameters = np.array([term.cutoff, term.c9])
    _corners(False, parameters, sites.vectors, sites.first, energies, slopes)


#: Terms (exactly of these types) and what evaluates them on sites.
ANALYTIC: dict[type[LocalTerm], Callable] = {
    Isolated: add_isolated,
    ZBL: add_zbl,
    LennardJones: add_lennard_jones,
    Morse: add_morse,
    StillingerWeber: add_stillinger_weber,
    MW: add_stillinger_weber,
    AxilrodTeller: add_axilrod_teller,
}


def _arrays(sites) -> tuple[np.ndarray, ...]:
    return sites.vectors, sites.first, sites.centre, sites.other


@kernel
def _pairs(form, parameters, vectors, first, centre, other, energies, slopes):
    """Half of each pair's energy to each of its two sites."""
    for i in range(len(centre)):
        for e in range(first[i], first[i + 1]):
            x, y, z = vectors[e, 0], vectors[e, 1], vectors[e, 2]
            r = math.sqrt(x * x + y * y + z * z)
            energy, slope = _pair(form, parameters, r, centre[i], other[e])
            energies[i] += 0.5 * energy
            scaled = 0.5 * slope / r
            slopes[e, 0] += scaled * x
            slopes[e, 1] += scaled * y
            slopes[e, 2] += scaled * z


@kernel
def _pair(form, parameters, r, z_i, z_j):
    """Energy of a pair and its slope by the distance."""
    if form == ZBL_FORM:
        return _zbl(parameters, r, z_i, z_j)
    onset, cutoff = parameters[0], parameters[1]
    if r >= cutoff:
        return 0.0, 0.0
    if form == STILLINGER_WEBER:
        epsilon, sigma, big_a = parameters[2], parameters[3], parameters[4]
        big_b, p, q = parameters[5], parameters[6], parameters[7]
        gap = r - cutoff
        if gap > -1e-9 * cutoff:
            return 0.0, 0.0
        high, low = big_b * (sigma / r) ** p, (sigma / r) ** q
        tail = epsilon * big_a * math.exp(sigma / gap)
        slope = (q * low - p * high) / r - (high - low) * sigma / (gap * gap)
        return (high - low) * tail, slope * tail
    if form == LENNARD_JONES:
        epsilon, sigma = parameters[2], parameters[3]
        sixth = (sigma / r) ** 6
        energy = 4 * epsilon * (sixth * sixth - sixth)
        slope = 4 * epsilon * (6 * sixth - 12 * sixth * sixth) / r
    else:
        depth, width, distance = parameters[2], parameters[3], parameters[4]
        decay = math.exp(-width * (r - distance))
        energy = depth * ((1 - decay) ** 2 - 1)
        slope = 2 * depth * width * (1 - decay) * decay
    x = min(max((r - onset) / (cutoff - onset), 0.0), 1.0)
    switch = 1 - x**3 * (10 - x * (15 - 6 * x))
    fall = -30 * x**2 * (1 - x) ** 2 / (cutoff - onset)
    return energy * switch, slope * switch + energy * fall


@kernel
def _zbl(radii, r, z_i, z_j):
    """The universal repulsion times its switch; radii are scaled, so that their sum ends it."""
    outer = radii[z_i] + radii[z_j]
    if r >= outer:
        return 0.0, 0.0
    inverse = (float(z_i) ** 0.23 + float(z_j) ** 0.23) / (0.8854 * BOHR)
    x = r * inverse
    a, b = 0.18175 * math.exp(-3.19980 * x), 0.50986 * math.exp(-0.94229 * x)
    c, d = 0.28022 * math.exp(-0.40290 * x), 0.02817 * math.exp(-0.20162 * x)
    screening = a + b + c + d
    fall = -inverse * (3.19980 * a + 0.94229 * b + 0.40290 * c + 0.20162 * d)
    q = r / outer
    switch = 1 - q**6 * (28 - q * (48 - 21 * q))
    switch_fall = -168 * q**5 * (1 - q) ** 2 / outer
    scale = COULOMB * z_i * z_j / r
    energy = scale * screening
    slope = scale * fall - energy / r
    return energy * switch, slope * switch + energy * switch_fall


@kernel
def _corners(stillinger_weber, parameters, vectors, first, energies, slopes):
    """Energies of the corners between two edges of a site."""
    cutoff = parameters[0]
    most = 1  # edges of a site; there may be no sites
    for i in range(len(first) - 1):
        most = max(most, first[i + 1] - first[i])
    near = np.empty(most, np.int64)
    for i in range(len(first) - 1):
        count = 0
        for e in range(first[i], first[i + 1]):
            if (vectors[e] ** 2).sum() < cutoff * cutoff:
                near[count] = e
                count += 1
        for m in range(count):
            for n in range(m + 1, count):
                v, w = vectors[near[m]], vectors[near[n]]
                x, y, dot = (v * v).sum(), (w * w).sum(), (v * w).sum()
                if stillinger_weber:
                    energy, by_x, by_y, by_dot = _bend(parameters, x, y, dot)
                else:
                    energy, by_x, by_y, by_dot = _triple_dipole(parameters, x, y, dot)
                energies[i] += energy
                for a in range(3):
                    slopes[near[m], a] += 2 * by_x * v[a] + by_dot * w[a]
                    slopes[near[n], a] += 2 * by_y * w[a] + by_dot * v[a]


@kernel
def _bend(parameters, x, y, dot):
    """Stillinger-Weber's corner and its slopes by the squares of the sides and their product."""
    cutoff, epsilon, sigma = parameters[0], parameters[1], parameters[2]
    lam, gamma, ideal = parameters[3], parameters[4], parameters[5]
    r, s = math.sqrt(x), math.sqrt(y)
    gap_r, gap_s = r - cutoff, s - cutoff
    if max(gap_r, gap_s) > -1e-9 * cutoff:
        return 0.0, 0.0, 0.0, 0.0
    cosine = dot / (r * s)
    tails = epsilon * lam * math.exp(gamma * sigma * (1 / gap_r + 1 / gap_s))
    energy = tails * (cosine - ideal) ** 2
    by_cosine = 2 * tails * (cosine - ideal)
    by_x = -energy * gamma * sigma / (gap_r * gap_r) / (2 * r) - by_cosine * cosine / (2 * x)
    by_y = -energy * gamma * sigma / (gap_s * gap_s) / (2 * s) - by_cosine * cosine / (2 * y)
    return energy, by_x, by_y, by_cosine / (r * s)


@kernel
def _triple_dipole(parameters, x, y, dot):
    """A third of Axilrod and Teller's triangle, with slopes as `_bend`."""
    cutoff, c9 = parameters[0], parameters[1]
    square = cutoff * cutoff
    z = x + y - 2 * dot
    if z >= square:
        return 0.0, 0.0, 0.0, 0.0
    a, b, c = x + y - z, x + z - y, y + z - x
    volume = x * y * z
    cosines = 3 * a * b * c / (8 * volume)
    radial = c9 / 3 / volume**1.5
    fx, fy, fz = 1 - x / square, 1 - y / square, 1 - z / square
    smooth = (fx * fy * fz) ** 3
    energy = radial * (1 + cosines) * smooth
    factor, inner = radial * smooth, 3 / (8 * volume)
    by_x = factor * (inner * (b * c + a * c - a * b) - cosines / x)
    by_y = factor * (inner * (b * c - a * c + a * b) - cosines / y)
    by_z = factor * (inner * (a * c + a * b - b * c) - cosines / z)
    by_x -= energy * (1.5 / x + 3 / (fx * square))
    by_y -= energy * (1.5 / y + 3 / (fy * square))
    by_z -= energy * (1.5 / z + 3 / (fz * square))
    return energy, by_x + by_z, by_y + by_z, -2 * by_z
