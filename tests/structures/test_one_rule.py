"""Everybody who speaks of bonds follows one rule: names, fragments, clusters, pictures."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from protons import at_the_jump

import interpmd as im
from interpmd.attribution.kinds import chemistry, kind_of, path_name
from interpmd.demo import MALONALDEHYDE
from interpmd.plots.molecule import draw_molecule, sticks
from interpmd.reference.clusters import fragments, molecules_of, nearest_molecules
from interpmd.reference.sampling import sample
from interpmd.structures.chemistry import bonds
from interpmd.structures.fragments import fragments_of
from interpmd.structures.movable import coordinate, proposals
from interpmd.views.explorer.choices import dihedrals, fragment_around
from interpmd.views.explorer.scene import scene_of
from interpmd.views.explorer.state import State

PACKAGE = Path(im.__file__).parent
HOME = (0, 0, 0)
WHOLE = (tuple(range(9)),)

#: Who may look at covalent radii besides the rule, and what for.
SIZES_AND_CONTACTS = {
    "structures/bonding.py": "the rule",
    "structures/coordinates/stiffness.py": "the model Hessian: physics",
    "fitting/checks/stiffness.py": "up to where a bond is nearly harmonic: physics",
    "potentials/repulsion.py": "where the nuclear repulsion ends: physics",
    "reference/checks.py": "which atoms overlap",
    "trust/geometries.py": "how close atoms come in dimers and trimers that are examined",
    "decomposition/curves.py": "where curves begin",
    "decomposition/maps.py": "where maps begin",
    "plots/determination.py": "where the wall of a pair begins",
    "plots/molecule.py": "the size of the circles",
    "views/inspector/panel.py": "the distance that a slider begins with",
    "views/explorer/scene.py": "the size of the balls",
}

#: Other ways to find bonds.
OTHER_RULES = re.compile(
    r"natural_cutoffs|build_neighbor_list|get_connectivity_matrix|DetermineConnectivity"
    r"|DetermineBonds\(|ase\.geometry\.analysis|BOND_FACTOR|bondFactor"
)


@pytest.fixture(scope="module")
def jump() -> Atoms:
    return at_the_jump()


def test_the_table_calls_both_bonds(jump):
    known = chemistry(jump)
    for places, kind in (((0, 8), "bond stretch"), ((4, 8), "bond stretch"), ((0, 8, 4), "angle")):
        assert kind_of([(a, HOME) for a in places], known) == kind
    table = im.explain(im.load("malonaldehyde"), jump, im.Force(8), order=3).to_frame()
    labels = set(table.label)
    assert {"O0–H8 bond stretch", "O4–H8 bond stretch", "O0–H8–O4 angle"} <= labels
    assert not [label for label in labels if "hydrogen bond" in label]


def test_away_from_the_jump_one_is_a_hydrogen_bond():
    known = chemistry(MALONALDEHYDE)
    assert kind_of([(4, HOME), (8, HOME)], known) == "bond stretch"
    assert kind_of([(0, HOME), (8, HOME)], known) == "hydrogen bond"


def test_paths_are_named_by_bonds(jump):
    assert path_name(jump, [0, 8, 4]) == "O0–H8–O4"
    assert path_name(MALONALDEHYDE, [0, 8, 4]) == "O0···H8–O4"


@pytest.mark.parametrize("distances", [(1.20, 1.24), (1.24, 1.20)])
def test_one_molecule_everywhere(distances):
    atoms = at_the_jump(*distances)
    assert fragments_of(atoms) == WHOLE
    assert tuple(map(tuple, molecules_of(atoms))) == WHOLE
    assert [len(part) for part in fragments(atoms)] == [9]
    assert [len(part) for part in sample(atoms, "fragments", n=5)] == [9]
    explained = im.explain(im.load("malonaldehyde"), atoms, order=2)
    assert len(explained.by("fragment")) == 1


def test_a_lewis_structure_gives_the_proton_to_the_nearer_oxygen():
    pytest.importorskip("rdkit")
    first, second = (fragments_of(at_the_jump(*d), "[OX2H]") for d in ((1.20, 1.24), (1.24, 1.20)))
    assert (0, 8) in first and (4, 8) in second
    assert fragments_of(molecule("CH3CONH2"), "C(=O)N")[0] == (0, 1, 2, 4, 8)


def test_a_pattern_is_found_without_bond_orders():
    pytest.importorskip("rdkit")
    radical = molecule("CH3CH2OH")[:-1]
    assert (2, 3) in fragments_of(radical, "[OX2H]")


def test_the_picture_draws_both(jump):
    def drawn(atoms: Atoms) -> set[tuple[int, int]]:
        plane = np.eye(3)
        ax = draw_molecule(atoms, ax=plt.figure().add_subplot(), plane=plane)
        plt.close(ax.figure)
        flat = (atoms.positions - atoms.positions.mean(0))[:, :2]
        ends = [line.get_xydata() for line in ax.lines]
        return {
            tuple(sorted(int(np.linalg.norm(flat - end, axis=1).argmin()) for end in pair))
            for pair in ends
        }

    assert drawn(jump) == set(map(tuple, bonds(jump).pairs.tolist()))
    assert {(0, 8), (4, 8)} <= drawn(jump)
    assert (0, 8) not in drawn(MALONALDEHYDE)


def test_sticks_across_a_boundary_are_two_halves():
    pair = Atoms("OH", [[0.1, 2, 2], [3.14, 2, 2]], cell=[4.0, 4.0, 4.0], pbc=True)
    assert sticks(pair)[:, :, 0] == pytest.approx(np.array([[0.1, -0.38], [3.14, 3.62]]))
    assert sticks(pair)[:, :, 1:] == pytest.approx(2.0)
    pair.pbc = False
    assert sticks(pair).shape == (0, 2, 3)


def test_coordinates_of_the_geometry_panel_follow_the_bonds(jump):
    assert coordinate(jump, 0, 8).ring and coordinate(jump, 4, 8).ring
    assert not coordinate(MALONALDEHYDE, 4, 8).ring
    assert "O4–H8" in proposals(MALONALDEHYDE) and "O4–H8" not in proposals(jump)


def test_a_shared_proton_closes_no_ring_for_what_turns(jump):
    """So that a torque has a value in every frame of a jump."""
    assert (0, 1, 2, 3) in dihedrals(jump) and (0, 1, 2, 3) in dihedrals(MALONALDEHYDE)
    potential, about = im.load("malonaldehyde"), im.Torque((0, 1, 2, 3))
    assert np.isfinite(im.explain(potential, jump, about, order=2).total)
    before, at = (about.functional(atoms).forces[0] for atoms in (MALONALDEHYDE, jump))
    assert set(np.flatnonzero(before.any(1))) == {3, 4, 6, 7, 8}  # C2 is on the axis
    assert set(np.flatnonzero(at.any(1))) == {3, 4, 6, 7}  # the proton is nearer to O0
    assert fragment_around(jump, 8) == (0, 8)


def test_the_browser_is_told_the_bonds_of_every_frame(jump):
    frames = [MALONALDEHYDE, jump, MALONALDEHYDE]
    scene = scene_of(State(im.load("malonaldehyde"), frames))
    assert scene["bondsOf"] == [0, 1, 0]
    for atoms, which in zip(frames, scene["bondsOf"], strict=True):
        assert scene["bonds"][which]["pairs"] == bonds(atoms).pairs.ravel().tolist()
    json.dumps(scene)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_browser_draws_the_bonds_it_is_told(jump):
    cut = MALONALDEHYDE.copy()
    cut.set_cell([12.0, 12.0, 12.0])
    cut.pbc = True
    cut.wrap()
    frames = [MALONALDEHYDE, jump, cut]
    scene = scene_of(State(im.load("malonaldehyde"), frames))
    positions = np.stack([a.positions for a in frames]).ravel().tolist()
    code = (PACKAGE / "views/explorer/browser/geometry.js").read_text(encoding="utf-8")
    script = f"""{code}
    const made = new Geometry({json.dumps(scene)}, new Float32Array({positions}));
    const ends = [0, 1, 2].map((f) => made.sticks(f, []));
    const bonds = (s) => [s.from, s.to].map((ends) => [...ends.slice(0, 3 * s.bonds)]);
    console.log(JSON.stringify(ends.map(bonds)));"""
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    for atoms, (begin, end) in zip(frames, json.loads(done.stdout), strict=True):
        found = np.stack([np.reshape(begin, (-1, 3)), np.reshape(end, (-1, 3))], axis=1)
        assert _sorted(found) == pytest.approx(_sorted(sticks(atoms)), abs=2e-4)


def _sorted(ends: np.ndarray) -> np.ndarray:
    flat = ends.reshape(-1, 6).round(3) + 0.0
    return ends.reshape(-1, 6)[np.lexsort(flat.T)]


def test_clusters_of_a_box_are_whole_molecules():
    water = molecule("H2O")
    water.set_cell([6.0, 6.0, 6.0])
    water.pbc = True
    box = water.repeat((2, 1, 1))
    box.positions += 0.1
    box.wrap()
    assert len(molecules_of(box)) == 2
    pair = nearest_molecules(box, 0, 2)
    assert [len(part) for part in fragments(box, (1,))] == [3, 3]
    assert sorted(pair.get_all_distances()[np.triu_indices(6, 1)])[:4] == pytest.approx(
        [0.9686] * 4, abs=1e-3
    )


def test_a_crystal_is_drawn_and_named_by_the_same_bonds():
    copper = bulk("Cu", cubic=True)
    assert fragments_of(copper) == ((0, 1, 2, 3),)
    known = chemistry(copper)
    assert len(known.bonds) == 48
    assert len(sticks(copper)) >= len(bonds(copper)) == 24


def test_nobody_else_looks_at_covalent_radii():
    users = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        if any(
            isinstance(node, ast.ImportFrom) and any(a.name == "covalent_radii" for a in node.names)
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        )
    }
    assert users == set(SIZES_AND_CONTACTS)


def test_nobody_else_has_a_rule_for_bonds():
    for file in [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.js")]:
        if file.name in {"bonding.py", "chemistry.py"}:
            continue
        assert not OTHER_RULES.findall(file.read_text(encoding="utf-8")), file
    for file in PACKAGE.rglob("*.js"):
        assert "covalent" not in file.read_text(encoding="utf-8"), file
