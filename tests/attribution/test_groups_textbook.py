"""What textbooks say of six molecules, and what the rows of groups say.

The model is GFN2-xTB, for the gauche effect DFT too. What is asked is the sign and the order of
magnitude of the known reason; energies in kcal/mol.
"""

from __future__ import annotations

from functools import cache

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

pytest.importorskip("rdkit", reason="groups need RDKit")
pytest.importorskip("tblite", reason="the model of these tests is GFN2-xTB")

from capped_molecules import KCAL, from_smiles, gfn2, relaxed

from interpmd.attribution.gauges.capping import capped, parts_of
from interpmd.attribution.gauges.groups import group_game, group_rows
from interpmd.demo import MALONALDEHYDE
from interpmd.levels.names import resolve
from interpmd.structures.groups import groups_of

CHAIN = (0, 1, 2, 3)
PHI, PSI = (1, 3, 4, 6), (3, 4, 6, 8)


def turned(atoms: Atoms, dihedral: tuple[int, ...], angle: float) -> Atoms:
    """Rotated rigidly about a bond."""
    graph = nx.Graph(list(groups_of(atoms).bonds))
    graph.remove_edge(*dihedral[1:3])
    moved = atoms.copy()
    behind = sorted(nx.node_connected_component(graph, dihedral[2]))
    moved.set_dihedral(*dihedral, angle, indices=behind)
    return moved


def change(low: Atoms, high: Atoms) -> pd.Series:
    """What every row, and the total, gains from one structure to the other in kcal/mol."""
    game = group_game(groups_of([low, high]))
    first, second = group_rows([low, high], game, gfn2)
    gained = pd.Series((second.energies - first.energies) / KCAL, index=list(game.labels))
    total = (second.total_energy - first.total_energy) / KCAL
    assert gained.sum() == pytest.approx(total, abs=1e-6)
    gained["total"] = total
    return gained


@cache
def butane() -> Atoms:
    return relaxed(turned(from_smiles("CCCC"), CHAIN, 180))


def test_ethane_resists_because_its_methyl_groups_do():
    """Barrier 2.9 kcal/mol (Weiss and Leroi, J. Chem. Phys. 48, 962, 1968)."""
    staggered = relaxed(from_smiles("CC"))
    dihedral = (2, 0, 1, 5)
    angle = staggered.get_dihedral(*dihedral)
    rigid = change(staggered, turned(staggered, dihedral, angle + 60))
    assert 2.0 < rigid["total"] < 3.5
    assert rigid["CH3(0) · CH3(1)"] == pytest.approx(rigid["total"], abs=1e-6)
    eclipsed = relaxed(turned(staggered, dihedral, 0.0), (dihedral, 0.0))
    free = change(staggered, eclipsed)
    assert 2.0 < free["total"] < rigid["total"]
    assert free["CH3(0) · CH3(1)"] > 0.85 * free["total"]


def test_butane_has_the_barrier_of_ethane_and_its_methyl_groups_collide():
    """At 120 degrees the two CH2 eclipse as in ethane, at 0 degrees the CH3 meet as well."""
    eclipsed = change(butane(), turned(butane(), CHAIN, 120))
    assert 2.0 < eclipsed["CH2(1) · CH2(2)"] < 3.5
    assert abs(eclipsed["CH3(0) · CH2(1) · CH2(2) · CH3(3)"]) < 0.5
    assert eclipsed["CH2(1) · CH2(2)"] > 0.85 * eclipsed["total"]
    syn = change(butane(), turned(butane(), CHAIN, 0))
    assert 2.0 < syn["CH2(1) · CH2(2)"] < 3.5
    assert syn["CH3(0) · CH2(1) · CH2(2) · CH3(3)"] > 3.0
    # relaxed, the methyl groups get out of each other's way: angles open, and single groups pay
    free = change(butane(), relaxed(turned(butane(), CHAIN, 0), (CHAIN, 0.0)))
    assert 4.0 < free["total"] < 6.5  # 5.0 to 5.5 by the best calculations
    assert free["CH3(0) · CH2(1) · CH2(2) · CH3(3)"] > 0.8
    gauche = change(butane(), relaxed(turned(butane(), CHAIN, 65)))
    assert 0.4 < gauche["total"] < 1.0  # 0.6 to 0.9 measured
    largest = gauche.drop("total").idxmax()
    assert largest == "CH3(0) · CH2(1) · CH2(2) · CH3(3)"


def test_methyl_is_equatorial_because_ring_and_methyl_mind_each_other():
    """A value of CH3: 1.74 kcal/mol (Booth and Everett, J. Chem. Soc. Chem. Commun. 1976, 278).

    The ring is one player, so that the row says methyl against ring, not which CH2 of it.
    """
    equatorial = relaxed(from_smiles("CC1CCCCC1"))
    carbon, hydrogen = 1, 10
    methyl = [0, 7, 8, 9]
    centre = equatorial.positions[carbon]
    vectors = equatorial.positions[[0, hydrogen]] - centre
    halfway = (vectors / np.linalg.norm(vectors, axis=1)[:, None]).sum(0)
    swap = Rotation.from_rotvec(np.pi * halfway / np.linalg.norm(halfway))
    axial = equatorial.copy()
    moved = [*methyl, hydrogen]
    axial.positions[moved] = centre + swap.apply(axial.positions[moved] - centre)
    axial = relaxed(axial)
    assert abs(equatorial.get_dihedral(0, 1, 2, 3) - 180) < 5
    assert abs(axial.get_dihedral(0, 1, 2, 3) - 288) < 10
    gained = change(equatorial, axial)
    assert 1.0 < gained["total"] < 2.5
    assert gained["CH3 · cyclohexyl"] > 0.4  # the two together
    assert 0.0 < gained["cyclohexyl"] < gained["CH3 · cyclohexyl"]  # the ring bends for it
    assert abs(gained["CH3"]) < 0.1


def test_gfn2_has_no_gauche_effect_and_the_rows_say_where_it_is_missing():
    """Measured: gauche is 0.5 to 0.8 kcal/mol lower. GFN2-xTB puts anti lower by 0.9, and in its
    rows the fluorine atoms, too, prefer to be apart: the known reason is not found, because the
    model does not have it."""
    anti = relaxed(turned(from_smiles("FCCF"), CHAIN, 180))
    rigid = change(anti, turned(anti, CHAIN, 72))
    assert rigid["total"] > 0.5
    assert rigid["F(0) · CH2(1) · CH2(2) · F(3)"] > 0.5
    for label in ("F(0)", "CH2(1)", "F(0) · CH2(1)", "F(0) · CH2(1) · CH2(2)"):
        assert abs(rigid[label]) < 0.1


def test_the_gauche_effect_is_the_row_of_both_fluorine_atoms():
    """wB97X-D3(BJ)/def2-SVP, relaxed there: the two fluorine atoms gain by being gauche, C-C
    loses. Hyperconjugation of a C-H bond into the opposite C-F bond (Goodman, Gu and Pophristic,
    J. Phys. Chem. A 109, 1223, 2005) needs both fluorine atoms to tell anti from gauche."""
    pytest.importorskip("pyscf", reason="the gauche effect needs DFT")
    anti = Atoms(
        "FCCFHHHH",
        [
            [-1.3188, -1.0199, -0.6034],
            [-0.7557, 0.0709, 0.0200],
            [0.7552, -0.0738, -0.0158],
            [1.3163, 1.0488, 0.5509],
            [-1.0611, 0.9919, -0.5044],
            [-1.1157, 0.1217, 1.0613],
            [1.1038, -0.1728, -1.0576],
            [1.0742, -0.9656, 0.5493],
        ],
    )
    gauche = Atoms(
        "FCCFHHHH",
        [
            [-1.3615, -1.0073, -0.6050],
            [-0.7513, 0.0607, 0.0114],
            [0.7493, -0.0772, -0.0383],
            [1.2175, 0.1260, -1.3161],
            [-1.0583, 0.9888, -0.5002],
            [-1.0811, 0.1033, 1.0654],
            [1.0423, -1.0888, 0.2910],
            [1.2085, 0.6688, 0.6353],
        ],
    )
    level = resolve("wb97x-d3bj/def2-svp")
    # only what the row of four needs, and one half of a symmetric molecule for the other: DFT of
    # all parts takes a minute
    parts = parts_of(groups_of([anti, gauche]), [(0, 1, 2, 3), (0, 1, 2), (1, 2)])
    values = np.array(
        [[level.evaluate(part).energy for part in capped(parts, atoms)] for atoms in (anti, gauche)]
    )
    whole, fluoroethane, ethane = (values[1] - values[0]) / KCAL
    assert -1.0 < whole < -0.1
    assert -1.2 < whole - 2 * fluoroethane + ethane < -0.3
    assert 0.1 < ethane < 0.6


def test_the_hydrogen_bond_of_c7_is_the_row_of_its_ring():
    """C5 to C7eq of alanine dipeptide: a hydrogen bond of some 4 kcal/mol closes a ring of seven
    atoms, and the row of the five groups in that ring gains it."""
    start = from_smiles("CC(=O)NC(C)C(=O)NC")
    assert str(start.symbols) == "C2ONC3ONCH12"
    phi, psi = (1, 3, 4, 6), (3, 4, 6, 8)
    c5, c7 = (
        relaxed(turned(turned(start, phi, angles[0]), psi, angles[1]))
        for angles in ((-155, 160), (-83, 75))
    )
    assert c7.get_distance(2, oxygen_bonded_hydrogen(c7)) < 2.2
    gained = change(c5, c7)
    ring = "C=O(1) · NH(3) · CH · C=O(6) · NH(8)"
    assert gained.drop("total").idxmin() == ring
    assert -7.0 < gained[ring] < -2.5
    assert gained["total"] > gained[ring]  # the backbone pays for a part of it


def oxygen_bonded_hydrogen(atoms: Atoms) -> int:
    """The hydrogen of the second NH."""
    return next(
        h for h in range(len(atoms)) if atoms.numbers[h] == 1 and atoms.get_distance(8, h) < 1.1
    )


def test_the_hydrogen_bond_of_malonaldehyde_is_the_row_of_its_chelate():
    """Turning OH away costs 12 to 14 kcal/mol, the strength of the hydrogen bond."""
    closed = relaxed(MALONALDEHYDE)
    opened = closed.copy()
    opened.set_dihedral(2, 3, 4, 8, 180, indices=[8])
    for other in (opened, relaxed(opened)):
        gained = change(closed, other)
        assert 9.0 < gained["total"] < 18.0
        assert gained.drop("total").idxmax() == "CHO · CH=CH · OH"
        assert 8.0 < gained["CHO · CH=CH · OH"] < 14.0
