"""Internal coordinates: derivatives, conservation, names that stay, and stiffness as published."""

from __future__ import annotations

import itertools
import re
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc111, molecule
from ase.collections import g2
from ase.data import covalent_radii
from ase.geometry import (
    get_angles_derivatives,
    get_dihedrals_derivatives,
    get_distances_derivatives,
)
from ase.units import Bohr, Hartree
from scipy.spatial.transform import Rotation

import interpmd as im
from interpmd.errors import CoordinateError
from interpmd.structures.chemistry import bonds, hydrogen_bonds
from interpmd.structures.coordinates import (
    KINDS,
    internal_coordinates,
    model_stiffness,
)
from interpmd.structures.coordinates.span import model_hessian, span

DATA = Path(__file__).parents[2] / "data"

#: Rings, chains, crowded and radical molecules, three-membered rings, triple and double bonds.
MOLECULES = [
    "PH3",
    "CH3CHO",
    "OCHCHO",
    "C3H9C",
    "CH3COF",
    "CH3CH2OCH3",
    "HCOOH",
    "C4H4NH",
    "C2H6CHOH",
    "isobutene",
    "bicyclobutane",
    "ClNO",
    "SiF4",
    "methylenecyclopropane",
    "CH3CH2OH",
    "PF3",
    "CH3CN",
    "cyclobutene",
    "CH3ONO",
    "C3H6_D3h",
    "trans-butane",
    "C6H6",
    "CH3CONH2",
    "cyclobutane",
    "H2CCHCN",
    "butadiene",
    "CH3NO2",
    "C5H5N",
    "BCl3",
    "ClF3",
    "C3H4_D2d",
    "2-butyne",
    "CF3CN",
    "C2F4",
    "Si2H6",
    "C2H6SO",
    "C5H8",
    "H2O2",
    "NH3",
    "H2O",
]


def shaken(atoms, seed=0, size=0.05):
    atoms = atoms.copy()
    atoms.positions += size * np.random.default_rng(seed).normal(size=atoms.positions.shape)
    return atoms


def waters(count, distance=2.9, box=False, seed=1):
    """Water molecules on a grid, each turned at random."""
    rng, atoms = np.random.default_rng(seed), Atoms()
    for place in itertools.islice(itertools.product(range(2), repeat=3), count):
        one = molecule("H2O")
        one.euler_rotate(*rng.uniform(0, 360, 3))
        one.translate(distance * np.array(place))
        atoms += one
    if box:
        atoms.set_cell(np.diag([2 * distance, 2 * distance, 2 * distance + 0.5]))
        atoms.pbc = True
        atoms.wrap()
    return atoms


def pair(one, other, way):
    other = other.copy()
    other.translate(way)
    return one + other


def adsorbed():
    slab = fcc111("Cu", (3, 3, 3), vacuum=8.0)
    add_adsorbate(slab, molecule("CO"), 1.9, "ontop", mol_index=1)
    return slab


def polyethylene():
    zigzag = [[0.0, 0.0, 0.0], [1.27, 0.84, 0.0]]
    hydrogens = [
        [x, 0.6 * s + y, z] for x, y, s in ((0, 0, -1), (1.27, 0.84, 1)) for z in (0.9, -0.9)
    ]
    return Atoms("C2H4", zigzag + hydrogens, cell=[2.54, 0, 0], pbc=[True, False, False])


def zundel():
    one, other = molecule("H2O"), molecule("H2O")
    one.translate([0, 0, 1.2])
    other.rotate(180, "x")
    other.rotate(70, "z")
    other.translate([0, 0, -1.2])
    one.rotate(180, "x", center=one.positions[0])
    other.rotate(180, "x", center=other.positions[0])
    middle = Atoms("H", [(one.positions[0] + other.positions[0]) / 2])
    return one + other + middle


BENZENE = molecule("C6H6")
SYSTEMS = {
    **{name: molecule(name) for name in MOLECULES},
    "six waters": waters(6),
    "water at carbon dioxide": pair(molecule("CO2"), molecule("H2O"), [3.2, 0.4, 0.2]),
    "argon at carbon dioxide": pair(molecule("CO2"), Atoms("Ar"), [3.5, 0, 0]),
    "two hydrogen cyanides on a line": pair(molecule("HCN"), molecule("HCN"), [0, 0, 4.4]),
    "sodium at water": pair(molecule("H2O"), Atoms("Na"), [0, 0, 2.4]),
    "two benzenes": pair(BENZENE, BENZENE, [0.3, 0.2, 3.5]),
    "argon in a cage": pair(BENZENE, Atoms("Ar"), [0, 0, 0.1]),
    "argon far apart": Atoms("Ar4", [[0, 0, 0], [7, 0, 0], [0, 9, 0], [1, 2, 12]]),
    "two waters far apart": pair(molecule("H2O"), molecule("H2O"), [3.0, 2.0, 40.0]),
    "shared proton": zundel(),
    "water box": waters(8, distance=3.1, box=True),
    "copper": bulk("Cu", cubic=True) * (2, 2, 2),
    "one cell of copper": bulk("Cu", cubic=True),
    "iron": bulk("Fe", cubic=True) * (2, 2, 2),
    "silicon": bulk("Si", cubic=True),
    "rock salt": bulk("NaCl", "rocksalt", a=5.64, cubic=True),
    "magnesia": bulk("MgO", "rocksalt", a=4.21, cubic=True),
    "carbon monoxide on copper": adsorbed(),
    "polyethylene": polyethylene(),
}


@pytest.fixture(params=list(SYSTEMS))
def system(request):
    atoms = shaken(SYSTEMS[request.param])
    return atoms, internal_coordinates(atoms, bonds, hydrogen_bonds)


def rows_of(coordinates, kind):
    return [
        label for label, k in zip(coordinates.labels, coordinates.kinds, strict=True) if k == kind
    ]


def test_derivatives_are_those_of_finite_differences(system):
    atoms, coordinates = system
    matrix = coordinates.derivatives(atoms.positions, atoms.cell[:])
    step = 1e-5
    for atom in np.random.default_rng(0).permutation(len(atoms))[:8]:
        for axis in range(3):
            ahead, behind = atoms.positions.copy(), atoms.positions.copy()
            ahead[atom, axis] += step
            behind[atom, axis] -= step
            slope = coordinates.change(behind, ahead) / (2 * step)
            assert slope == pytest.approx(matrix[:, atom, axis], rel=1e-6, abs=2e-8)


def test_every_row_conserves_momentum_and_torque(system):
    atoms, coordinates = system
    matrix = coordinates.derivatives(atoms.positions)
    assert np.abs(matrix.sum(1)).max() < 1e-12
    if not atoms.pbc.any():
        torque = np.cross(atoms.positions - [3.0, -2.0, 1.0], matrix).sum(1)
        assert np.abs(torque).max() < 1e-11
    # turning positions and cell together changes nothing: images count at their own places
    turn = Rotation.from_rotvec([0.4, -0.7, 0.2]).as_matrix()
    cell = atoms.cell[:]
    change = coordinates.change(atoms.positions, atoms.positions @ turn, cell, cell @ turn)
    assert np.abs(change).max() < 1e-11


def test_no_motion_that_changes_the_shape_is_missing(system):
    atoms, coordinates = system
    stiffnesses = model_stiffness(coordinates, atoms.positions)
    matrix = coordinates.derivatives(atoms.positions)
    seen = span(matrix, stiffnesses, coordinates.put_together(atoms.positions))
    assert seen.missing == 0
    # a chain that is periodic in one direction turns about it
    assert seen.rotations.shape[1] == {0: 3, 1: 1, 3: 0, 2: 0}[int(atoms.pbc.sum())]


@pytest.mark.parametrize("name", [n for n in g2.names if len(molecule(n)) > 1])
def test_all_molecules_of_g2_are_spanned_as_they_stand(name):
    atoms = molecule(name)
    coordinates = internal_coordinates(atoms, bonds, hydrogen_bonds)
    matrix = coordinates.derivatives(atoms.positions)
    on_a_line = np.linalg.matrix_rank(atoms.positions - atoms.positions[0], tol=1e-6) == 1
    expected = 3 * len(atoms) - (5 if on_a_line else 6)
    assert np.linalg.matrix_rank(matrix.reshape(len(matrix), -1), tol=1e-6) == expected


def test_derivatives_are_those_of_ase():
    atoms = shaken(molecule("CH3CH2OH"))
    coordinates = internal_coordinates(atoms, bonds)
    matrix = coordinates.derivatives(atoms.positions)
    x = atoms.positions

    def spread(members, values):
        full = np.zeros((len(members), len(atoms), 3))
        for row, (atom_list, value) in enumerate(zip(members, values, strict=True)):
            full[row, atom_list] = value
        return full

    pairs, triples = coordinates.stretches.atoms, coordinates.angles.atoms
    lengths = get_distances_derivatives(x[pairs[:, 1]] - x[pairs[:, 0]])
    angles = get_angles_derivatives(
        x[triples[:, 0]] - x[triples[:, 1]], x[triples[:, 2]] - x[triples[:, 1]]
    )
    four = coordinates.dihedrals.atoms
    dihedrals = get_dihedrals_derivatives(*(x[four[:, i + 1]] - x[four[:, i]] for i in range(3)))
    n, m = len(pairs), len(triples)
    assert matrix[:n] == pytest.approx(spread(pairs, lengths), abs=1e-12)
    assert np.degrees(matrix[n : n + m]) == pytest.approx(spread(triples, angles), abs=1e-9)
    each = spread(four, dihedrals)
    means = np.stack([each[coordinates.torsion == t].mean(0) for t in range(coordinates.torsions)])
    found = np.degrees(matrix[n + m : n + m + coordinates.torsions])
    assert np.abs(found) == pytest.approx(np.abs(means), abs=1e-9)


def test_values_are_lengths_angles_and_mean_dihedrals():
    atoms = molecule("H2O2")
    coordinates = internal_coordinates(atoms, bonds)
    by_label = dict(zip(coordinates.labels, coordinates.values(atoms.positions), strict=True))
    assert by_label["bond O0–O1"] == pytest.approx(atoms.get_distance(0, 1))
    assert by_label["angle O1–O0–H2"] == pytest.approx(np.radians(atoms.get_angle(1, 0, 2)))
    dihedral = np.radians(atoms.get_dihedral(2, 0, 1, 3))
    wanted = np.angle(np.exp(1j * dihedral))
    assert abs(by_label["torsion about O0–O1"]) == pytest.approx(abs(wanted))


def test_dihedrals_turn_the_short_way():
    atoms = molecule("C2H6")
    coordinates = internal_coordinates(atoms, bonds)
    torsion = coordinates.kinds.index("torsion")
    carbons = [i for i, s in enumerate(atoms.symbols) if s == "C"]
    methyl = [i for i in range(8) if i != carbons[1] and atoms.get_distance(carbons[0], i) < 1.3]
    turned, whole = [atoms.copy()], 0.0
    for _ in range(24):
        turned.append(turned[-1].copy())
        mask = [i in methyl for i in range(8)]
        turned[-1].rotate_dihedral(methyl[-1], carbons[0], carbons[1], 7, 15.0, mask=mask)
    for before, after in itertools.pairwise(turned):
        change = coordinates.change(before.positions, after.positions)[torsion]
        assert abs(change) == pytest.approx(np.radians(15.0))
        whole += change
    assert abs(whole) == pytest.approx(2 * np.pi)


def test_tilts_and_turns_do_not_depend_on_the_axes_of_molecules():
    atoms = shaken(waters(3))
    coordinates = internal_coordinates(atoms, bonds, hydrogen_bonds)
    assert {"tilt of molecules", "turn of molecules"} <= set(coordinates.kinds)
    axes = Rotation.from_rotvec([1.0, 0.5, -2.0]).as_matrix()
    bodies = replace(coordinates.bodies, shape=coordinates.bodies.shape @ axes)
    hessians = []
    for other in (coordinates, replace(coordinates, bodies=bodies)):
        matrix = other.derivatives(atoms.positions)
        hessians.append(model_hessian(matrix, model_stiffness(other, atoms.positions)))
    moved = matrix - coordinates.derivatives(atoms.positions)
    assert np.abs(moved).max() > 0.1
    assert hessians[1] == pytest.approx(hessians[0], abs=1e-9)


def test_an_angle_passes_a_line_without_a_jump():
    atoms = molecule("C3H4_C3v")  # propyne
    linear = [l for l in rows_of(internal_coordinates(atoms, bonds), "linear bend") if "H" in l]
    first, middle, last = (int(p[1:]) for p in linear[0].split()[-1].split("–"))
    hydrogen, centre = (first, middle) if atoms.symbols[first] == "H" else (last, middle)
    frames = []
    for bend in np.linspace(-6, 6, 121):
        frame = atoms.copy()
        way = frame.positions[hydrogen] - frame.positions[centre]
        frame.positions[hydrogen] = frame.positions[centre] + Rotation.from_rotvec(
            np.radians(bend) * np.array([1.0, 0, 0])
        ).apply(way)
        frames.append(frame)
    coordinates = internal_coordinates(frames, bonds)
    assert len(rows_of(coordinates, "linear bend")) == 2
    matrices = np.stack([coordinates.derivatives(f.positions) for f in frames])
    assert np.abs(np.diff(matrices, axis=0)).max() < 0.01  # 0.1 degrees a step


def test_a_chain_on_a_line_has_one_torsion_between_its_ends():
    coordinates = internal_coordinates(molecule("2-butyne"), bonds)
    assert len(rows_of(coordinates, "linear bend")) == 2
    (torsion,) = rows_of(coordinates, "torsion")
    ends = [int(p[1:]) for p in torsion.split()[-1].split("–")]
    assert molecule("2-butyne").get_distance(*ends) > 4.0


@pytest.fixture(scope="module")
def proton():
    frames = im.read_frames(DATA / "malonaldehyde" / "test.extxyz.gz")
    return [a for a in frames if a.info.get("subset") in ("md300", "transfer")]


def test_a_proton_that_jumps_is_shared_throughout(proton):
    coordinates = internal_coordinates(proton, bonds, hydrogen_bonds)
    assert rows_of(coordinates, "shared proton") == ["shared proton O0–H5", "shared proton O4–H5"]
    assert rows_of(coordinates, "hydrogen bond") == []
    assert set(coordinates.kinds) <= set(KINDS)
    assert len(set(coordinates.labels)) == len(coordinates)


def test_single_frames_have_the_coordinates_of_the_trajectory(proton):
    """Bonded to one or both oxygens, or to none on its way: the same functions of the positions."""
    many, same = internal_coordinates(proton, bonds, hydrogen_bonds), 0
    for frame in proton:
        one = internal_coordinates(frame, bonds, hydrogen_bonds)
        assert not rows_of(one, "distance of molecules")
        if rows_of(one, "hydrogen bond") or rows_of(one, "shared proton"):
            for kind in ("angle", "linear bend", "torsion", "out of plane"):
                assert rows_of(one, kind) == rows_of(many, kind)
            same += 1
    assert same > 0.8 * len(proton)


def test_a_proton_halfway_is_held_by_both():
    atoms = Atoms("OHOH2", [[0, 0, 0], [1.3, 0.05, 0], [2.6, 0, 0], [-0.3, 0.9, 0], [2.9, -0.9, 0]])
    coordinates = internal_coordinates(atoms, bonds, hydrogen_bonds)
    assert rows_of(coordinates, "shared proton") == ["shared proton O0–H1", "shared proton H1–O2"]
    assert rows_of(coordinates, "distance of molecules") == []


def test_images_are_named_and_molecules_put_together():
    atoms = waters(2, distance=3.0)
    atoms.set_cell([12.0, 12.0, 12.0])
    atoms.pbc = True
    inside = internal_coordinates(atoms, bonds, hydrogen_bonds)
    assert not any(" (" in label for label in inside.labels)
    assert not any(any(shift) for row in inside.shifts for shift in row)
    atoms.positions += [0, 0, 12.1 - atoms.positions[:, 2].max()]
    atoms.wrap()
    cut = internal_coordinates(atoms, bonds, hydrogen_bonds)
    named = [label for label in cut.labels if re.search(r" \(\S*[+−]1\S*\)", label)]
    assert named
    for label, row in zip(cut.labels, cut.shifts, strict=True):
        assert any(any(shift) for shift in row) or label not in named
    assert cut.values(atoms.positions) == pytest.approx(inside.values(inside.positions), abs=1e-9)
    whole = cut.put_together(atoms.positions)
    assert np.linalg.norm(whole[:, None] - whole, axis=-1).max() < 6.0


def test_atoms_that_are_put_back_into_the_cell_do_not_jump():
    frames = []
    for way in np.linspace(0, 2.0, 9):
        frame = waters(2, distance=3.0)
        frame.set_cell([9.0, 9.0, 9.0])
        frame.pbc = True
        frame.positions += [0, 0, 5.5 + way]
        frame.wrap()
        frames.append(frame)
    coordinates = internal_coordinates(frames, bonds, hydrogen_bonds)
    assert rows_of(coordinates, "bond") == rows_of(
        internal_coordinates(frames[0], bonds, hydrogen_bonds), "bond"
    )


def test_metals_have_bonds_and_what_they_hold_has_angles():
    copper = internal_coordinates(bulk("Cu", cubic=True) * (3, 3, 3), bonds)
    assert set(copper.kinds) == {"bond"} and len(copper) == 108 * 6
    surface = internal_coordinates(adsorbed(), bonds)
    angles = rows_of(surface, "angle")
    assert len(angles) == 9 and all("–C" in a.replace("–Cu", "") for a in angles)
    assert len(rows_of(surface, "linear bend")) == 1


def test_molecules_against_each_other():
    coordinates = internal_coordinates(SYSTEMS["argon at carbon dioxide"], bonds)
    assert rows_of(coordinates, "distance of molecules") == ["distance CO2(0)···Ar3"]
    assert rows_of(coordinates, "tilt of molecules") == ["tilt of CO2(0) towards Ar3"]
    assert rows_of(coordinates, "turn of molecules") == []


@pytest.mark.parametrize("atoms", [Atoms("H"), Atoms("Cu", cell=[9, 9, 9], pbc=True)])
def test_one_atom_alone_has_no_coordinates(atoms):
    coordinates = internal_coordinates(atoms, bonds, hydrogen_bonds)
    assert len(coordinates) == 0
    assert coordinates.derivatives(atoms.positions).shape == (0, 1, 3)


def test_what_does_not_fit_is_named():
    with pytest.raises(CoordinateError, match="at least one frame"):
        internal_coordinates([], bonds)
    with pytest.raises(CoordinateError, match="frame 1.*other atoms"):
        internal_coordinates([molecule("H2O"), molecule("NH3")], bonds)
    water = internal_coordinates(molecule("H2O"), bonds)
    with pytest.raises(CoordinateError, match="3 atoms.*shape"):
        water.derivatives(np.zeros((4, 3)))
    with pytest.raises(CoordinateError, match="bond O0–H1.*on top"):
        water.derivatives(np.zeros((3, 3)))


def test_stiffness_is_lindhs():
    """Written anew from Lindh et al. 1995: 0.45 ρ, 0.15 ρ ρ, 0.005 ρ ρ ρ."""
    atoms = molecule("H2O2")
    coordinates = internal_coordinates(atoms, bonds)
    found = dict(
        zip(coordinates.labels, model_stiffness(coordinates, atoms.positions), strict=True)
    )

    def rho(i, j, alpha, reference):
        return np.exp(alpha * (reference**2 - (atoms.get_distance(i, j) / Bohr) ** 2))

    oo, oh = rho(0, 1, 0.28, 2.87), rho(0, 2, 0.3949, 2.10)
    assert found["bond O0–O1"] == pytest.approx(0.45 * oo * Hartree / Bohr**2, rel=3e-3)
    assert found["bond O0–H2"] == pytest.approx(0.45 * oh * Hartree / Bohr**2, rel=3e-3)
    assert found["angle O1–O0–H2"] == pytest.approx(0.15 * oo * oh * Hartree, rel=6e-3)
    sine = np.sin(np.radians(atoms.get_angle(1, 0, 2)))
    torsion = 0.005 * oo * oh**2 * sine**4 * Hartree
    assert found["torsion about O0–O1"] == pytest.approx(torsion, rel=9e-3)


@pytest.mark.parametrize(
    ("name", "alpha", "reference"),
    [
        ("H2", 1.0, 1.35),
        ("LiH", 0.3949, 2.10),
        ("Li2", 0.28, 2.87),
        ("HCl", 0.3949, 2.53),
        ("ClF", 0.28, 3.40),
        ("Na2", 0.28, 3.40),
        ("NaCl", 0.28, 3.40),
        ("SiO", 0.28, 3.40),
    ],
)
def test_stiffness_knows_the_rows_of_the_periodic_table(name, alpha, reference):
    atoms = molecule(name)
    joined = SimpleNamespace(pairs=np.array([[0, 1]]), shifts=np.zeros((1, 3), dtype=int))
    coordinates = internal_coordinates(atoms, lambda _: joined)
    rho = np.exp(alpha * (reference**2 - (atoms.get_distance(0, 1) / Bohr) ** 2))
    wanted = 0.45 * (rho + 1e-3) * Hartree / Bohr**2
    assert model_stiffness(coordinates, atoms.positions) == pytest.approx([wanted])


def test_stiffness_out_of_plane_is_fischers_and_fades_with_the_pyramid():
    flat = internal_coordinates(molecule("BF3"), bonds)
    by_kind = dict(zip(flat.kinds, model_stiffness(flat, flat.positions), strict=True))
    reach = (covalent_radii[5] + covalent_radii[9]) / Bohr
    length = molecule("BF3").get_distance(0, 1) / Bohr
    each = 0.0025 + 0.0061 * reach**1.6 * np.exp(-3 * (length - reach))
    assert by_kind["out of plane"] == pytest.approx(each / 0.75 * Hartree, rel=1e-6)
    steep = internal_coordinates(molecule("PH3"), bonds)
    by_kind = dict(zip(steep.kinds, model_stiffness(steep, steep.positions), strict=True))
    assert 0 < by_kind["out of plane"] < 0.006 * Hartree


def test_stiffness_falls_smoothly_as_molecules_part():
    frames = [pair(molecule("H2O"), molecule("H2O"), [0, 0, z]) for z in np.linspace(2.6, 12, 300)]
    coordinates = internal_coordinates(frames, bonds, hydrogen_bonds)
    between = np.array([k not in ("bond", "angle") for k in coordinates.kinds])[coordinates.row]
    stiffnesses = np.array([model_stiffness(coordinates, f.positions) for f in frames])
    assert (stiffnesses > 0).all()
    falls = -np.diff(stiffnesses[:, between], axis=0)
    assert falls.min() > -1e-12
    assert (falls <= 0.15 * stiffnesses[:-1, between] + 0.006).all()  # 0.03 Å a step


def test_nine_atoms_take_less_than_two_milliseconds(proton):
    coordinates = internal_coordinates(proton[:5], bonds, hydrogen_bonds)
    times = []
    for _ in range(30):
        start = time.perf_counter()
        coordinates.derivatives(proton[0].positions)
        times.append(time.perf_counter() - start)
    assert min(times) < 2e-3
