"""Analytic potentials: published formulas, written out as loops, against terms and rows."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.units import kcal, mol

import interpmd as im
from interpmd.decomposition.assemble import decompose
from interpmd.potentials import MW, AxilrodTeller, LennardJones, Morse, Potential, StillingerWeber
from interpmd.potentials.analytic import AnalyticTerm
from interpmd.potentials.base import TERMS

ANALYTIC = sorted(kind for kind, term in TERMS.items() if issubclass(term, AnalyticTerm))


def cluster(seed=0, size=7, box=4.5, symbol="Si"):
    """Atoms at random, none closer than 1.9 A, all energies nonzero."""
    rng, points = np.random.default_rng(seed), []
    while len(points) < size:
        point = rng.uniform(0, box, 3)
        if all(np.linalg.norm(point - other) > 1.9 for other in points):
            points.append(point)
    return Atoms(f"{symbol}{size}", positions=points)


SKEWED = Atoms(
    "Si2",
    positions=[[0, 0, 0], [1.6, 1.3, 1.2]],
    cell=[[3.4, 0, 0], [0.9, 3.6, 0], [0.4, 0.7, 3.9]],
    pbc=True,
)


def rows_of(atoms, term):
    table = decompose(Potential([term]), atoms)
    return {(row.atoms, row.shifts): row.energy_eV for row in table}


def angle(a, b, c):
    """Cosine at a."""
    first, second = b - a, c - a
    return first @ second / np.linalg.norm(first) / np.linalg.norm(second)


def stillinger_weber_rows(points, epsilon, sigma, lam):
    """Equations 2.3 to 2.7 of the paper with its numbers for the other parameters."""
    big_a, big_b, a, gamma = 7.049556277, 0.6022245584, 1.80, 1.20
    rows = {}
    for i, j in itertools.combinations(range(len(points)), 2):
        r = np.linalg.norm(points[i] - points[j]) / sigma
        if r < a:
            rows[i, j] = epsilon * big_a * (big_b * r**-4 - 1) * math.exp(1 / (r - a))
    for triple in itertools.combinations(range(len(points)), 3):
        total = 0.0
        for corner in triple:
            one, two = (points[other] for other in triple if other != corner)
            r, s = (np.linalg.norm(points[corner] - other) / sigma for other in (one, two))
            if r < a and s < a:
                h = lam * math.exp(gamma / (r - a) + gamma / (s - a))
                total += epsilon * h * (angle(points[corner], one, two) + 1 / 3) ** 2
        if total:
            rows[triple] = total
    return rows


@pytest.mark.parametrize(
    ("term", "parameters", "symbol"),
    [
        (StillingerWeber(), (2.1683, 2.0951, 21.0), "Si"),
        (MW(), (6.189 * kcal / mol, 2.3925, 23.15), "O"),
    ],
)
def test_stillinger_weber_rows_are_the_published_formula(term, parameters, symbol):
    atoms = cluster(symbol=symbol)
    expected = stillinger_weber_rows(atoms.positions, *parameters)
    assert sum(len(key) == 3 for key in expected) >= 10
    found = term.known_rows(atoms)
    assert {atoms: energy for (atoms, _), energy in found.items()} == pytest.approx(
        expected, abs=1e-12
    )
    energy = float(Potential([term]).predict(atoms).energy)
    assert energy == pytest.approx(sum(expected.values()), abs=1e-11)


def test_axilrod_teller_rows_are_the_published_formula():
    atoms = cluster(symbol="Ar")
    points, c9, cutoff = atoms.positions, 80.0, 5.0
    expected = {}
    for i, j, k in itertools.combinations(range(len(points)), 3):
        a, b, c = points[i], points[j], points[k]
        sides = [np.linalg.norm(x - y) for x, y in ((a, b), (a, c), (b, c))]
        if max(sides) < cutoff:
            cosines = angle(a, b, c) * angle(b, a, c) * angle(c, a, b)
            smooth = math.prod((1 - (r / cutoff) ** 2) ** 3 for r in sides)
            expected[i, j, k] = c9 * (1 + 3 * cosines) / math.prod(sides) ** 3 * smooth
    term = AxilrodTeller(c9, cutoff)
    found = {key[0]: energy for key, energy in term.known_rows(atoms).items()}
    assert len(expected) >= 10
    assert found == pytest.approx(expected, abs=1e-12)
    assert float(Potential([term]).predict(atoms).energy) == pytest.approx(sum(expected.values()))


@pytest.mark.parametrize(
    ("term", "bare"),
    [
        (
            LennardJones(0.02, 2.2, cutoff=6.0, onset=5.0),
            lambda r: 4 * 0.02 * ((2.2 / r) ** 12 - (2.2 / r) ** 6),
        ),
        (
            Morse(0.4, 1.3, 2.4, cutoff=6.0, onset=5.0),
            lambda r: 0.4 * (math.exp(-2.6 * (r - 2.4)) - 2 * math.exp(-1.3 * (r - 2.4))),
        ),
    ],
)
def test_pair_potentials_inside_the_onset_and_within_the_switch(term, bare):
    atoms = Atoms("Si3", positions=[[0, 0, 0], [2.5, 0, 0], [0, 5.5, 0]])
    rows = term.known_rows(atoms)
    assert rows[(0, 1), None] == pytest.approx(bare(2.5), rel=1e-12)
    assert rows[(0, 2), None] == pytest.approx(bare(5.5) / 2, rel=1e-12)  # halfway, by symmetry
    assert ((1, 2), None) not in rows  # 6.04 A
    assert float(Potential([term]).predict(atoms).energy) == pytest.approx(
        bare(2.5) + bare(5.5) / 2, rel=1e-12
    )


@pytest.mark.parametrize("kind", ANALYTIC)
@pytest.mark.parametrize("atoms", [cluster(3, 8, 3.6), SKEWED], ids=["cluster", "crystal"])
def test_rows_of_the_table_are_the_known_ones(kind, atoms):
    small = atoms.copy()
    if kind != "mw":  # the examples are as small as organic molecules
        small.set_cell(small.cell * 0.7)
        small.positions *= 0.7
    term = TERMS[kind].example()
    known, found = term.known_rows(small), rows_of(small, term)
    assert len(known) > 10
    for key in known | found:
        assert found.get(key, 0.0) == pytest.approx(known.get(key, 0.0), abs=1e-10), key
    energy = float(Potential([term]).predict(small).energy)
    assert sum(known.values()) == pytest.approx(energy, abs=1e-10)


def test_known_rows_of_a_crystal_are_those_of_its_supercell():
    one, eight = StillingerWeber().known_rows(SKEWED), StillingerWeber().known_rows(SKEWED * 2)
    assert sum(eight.values()) == pytest.approx(8 * sum(one.values()), abs=1e-10)
    for _, shifts in one:
        assert shifts[0] == (0, 0, 0)


def test_diamond_silicon_has_only_tetrahedral_angles():
    """Stillinger and Weber chose the triplet term to vanish in the diamond lattice."""
    table = StillingerWeber().known_rows(bulk("Si", "diamond", a=5.431))
    pairs = {key: energy for key, energy in table.items() if len(key[0]) == 2}
    assert sum(pairs.values()) == pytest.approx(2 * -4.3366, abs=4e-4)
    assert len(pairs) == 4
    assert abs(sum(table.values()) - sum(pairs.values())) < 1e-6


def test_elements():
    dimer = Atoms("H2", positions=[[0, 0, 0], [2.0, 0, 0]])
    with pytest.raises(im.UnknownElementError, match="atom 0 is H"):
        Potential([MW()]).predict(dimer)
    argon = LennardJones(0.0104, 3.4, 8.5, elements=["Ar", "Kr"])
    assert argon.elements == (18, 36)
    assert type(argon)(**argon.config()).elements == (18, 36)
    with pytest.raises(im.UnknownElementError, match="only Ar, Kr"):
        Potential([argon]).predict(dimer)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"onset 9\.0"):
        LennardJones(0.01, 3.4, cutoff=8.0, onset=9.0)
    with pytest.raises(ValueError, match="cutoff must be positive"):
        AxilrodTeller(1.0, 0.0)
