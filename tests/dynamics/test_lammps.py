"""Scripts of LAMMPS: each rank evaluates its own atoms, and the sum is the whole."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.io import write
from structures_of_tests import small_expansion

import interpmd as im
from interpmd.dynamics.lammps import run_lammps
from interpmd.dynamics.lammps.script import read_script
from interpmd.potentials import D3, LongRange, Potential

SCRIPT = """
units {units}
atom_style atomic
boundary {boundary}
read_data data
pair_style interpmd {potential}   # {elements}
pair_coeff * * {elements}
thermo_style custom step temp pe etotal pxx pyy pzz pxy pxz pyz
thermo_modify format float %.12g
timestep {timestep}
velocity all create {temperature} 1
fix 1 all nve
dump 1 all custom 1 dump id fx fy fz
dump_modify 1 sort id format float %.14g
thermo 1
run {steps}
"""


def lammps(folder: Path, atoms: Atoms, potential: Potential, ranks: int = 1, **settings):
    """Energies, pressures and temperatures of a run, and the forces of its first step."""
    potential.save(folder / "potential")
    elements = sorted(set(atoms.get_chemical_symbols()))
    write(folder / "data", atoms, format="lammps-data", masses=True, specorder=elements)
    words = {"units": "metal", "boundary": "p p p", "timestep": 0.001, "temperature": 0, "steps": 0}
    words |= {"elements": " ".join(elements), "potential": "potential"} | settings
    (folder / "in.lmp").write_text(SCRIPT.format(**words))
    done = subprocess.run(
        [sys.executable, "-m", "interpmd", "lammps", "in.lmp", "-np", str(ranks)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^ +\d+(?: +[-+.\de]+){9} *$", done.stdout, re.MULTILINE)
    frame = (folder / "dump").read_text().split("ITEM: TIMESTEP")[1]
    forces = np.loadtxt(frame.splitlines()[9:])[:, 1:]
    return np.array([row.split() for row in rows], float), forces


def liquid() -> Atoms:
    """A skew cell of methanol and water, away from any minimum."""
    box = bulk("Ar", cubic=True, a=4.6) * (2, 2, 2)
    atoms = Atoms(cell=[[9.2, 0, 0], [1.5, 9.2, 0], [0.7, -1.1, 9.2]], pbc=True)
    for n, place in enumerate(box.positions[::2]):
        one = molecule("CH3OH" if n % 4 == 0 else "H2O")
        one.rotate(40 * n, (1, n, 2))
        one.positions += place
        atoms += one
    return atoms


@pytest.mark.parametrize(("ranks", "charged"), [(1, False), (2, False), (2, True)])
def test_forces_energies_and_pressures_are_those_of_the_potential(tmp_path, ranks, charged):
    atoms, potential = liquid(), small_expansion()
    if charged:  # a term that needs all atoms
        potential = potential + Potential([LongRange({"C": 0.1, "H": 0.2, "O": -0.4})])
    atoms.wrap()
    rows, forces = lammps(tmp_path, atoms, potential, ranks)
    expected = potential.predict(atoms, stress=True)
    assert np.abs(forces).max() > 0.1
    assert np.abs(forces - expected.forces.numpy()).max() < 1e-8
    assert rows[0, 2] == pytest.approx(float(expected.energy[0]), abs=1e-6)
    stress = expected.stress[0].numpy()[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    assert np.abs(rows[0, 4:] + stress / units.bar).max() < 2e-3 * np.abs(rows[0, 4:]).max()


def test_charges_beyond_the_cutoff_count_once_whatever_the_ranks(tmp_path):
    water, box = im.load("water_liquid"), Atoms(pbc=True, cell=[9.4] * 3)
    for n, place in enumerate(np.ndindex(3, 3, 3)):
        one = molecule("H2O")
        one.euler_rotate(40 * n, 25 * n, 10 * n)
        one.positions += 3.13 * np.array(place) + 1.0
        box += one
    box.wrap()
    rows, forces = lammps(tmp_path, box, water, 2)
    expected = water.predict(box, stress=True)
    assert np.abs(forces - expected.forces.numpy()).max() < 1e-7
    assert rows[0, 2] == pytest.approx(float(expected.energy[0]), abs=1e-5)
    pressure = -expected.stress[0].numpy()[[0, 1, 2], [0, 1, 2]] / units.bar
    assert np.abs(rows[0, 4:7] - pressure).max() < 2e-3 * np.abs(pressure).max()


def test_the_energy_is_conserved_and_ranks_agree_where_atoms_move_from_one_to_another(tmp_path):
    argon = Potential([im.potentials.LennardJones(epsilon=0.0104, sigma=3.40, cutoff=8.0)])
    atoms = bulk("Ar", cubic=True, a=5.35) * (4, 4, 4)
    atoms.rattle(0.3, seed=0)
    found = {}
    for ranks in (1, 2):
        (folder := tmp_path / str(ranks)).mkdir()
        settings = {"temperature": 300, "timestep": 0.008, "steps": 60}
        found[ranks], _ = lammps(folder, atoms, argon, ranks, **settings)
    assert np.ptp(found[1][:, 1]) > 20
    assert np.ptp(found[1][:, 3]) < 4e-3 * len(atoms)
    assert np.abs(found[1][:, 3] - found[2][:, 3]).max() < 1e-7


def test_real_units_and_terms_of_the_whole_structure(tmp_path):
    atoms = molecule("CH3OH")
    other = molecule("H2O")
    other.positions += [3.0, 1.0, 0.5]
    atoms += other
    atoms.center(vacuum=6.0)
    potential = small_expansion() + Potential([D3("pbe")])
    rows, forces = lammps(tmp_path, atoms, potential, 2, units="real", boundary="f f f")
    expected = potential.predict(atoms)
    kcal = units.kcal / units.mol
    assert np.abs(forces * kcal - expected.forces.numpy()).max() < 1e-8
    assert rows[0, 2] * kcal == pytest.approx(float(expected.energy[0]), abs=1e-6)
    alone = small_expansion().predict(atoms).forces.numpy()
    assert np.abs(forces * kcal - alone).max() > 1e-4


def ended(folder: Path, script: str, *options: str) -> str:
    (folder / "in.lmp").write_text(script)
    done = subprocess.run(
        [sys.executable, "-m", "interpmd", "lammps", "in.lmp", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


GOOD = SCRIPT.format(
    units="metal",
    boundary="p p p",
    potential="potential",
    elements="C H O",
    timestep=0.001,
    temperature=0,
    steps=1,
)


def test_mistakes_are_named(tmp_path):
    atoms = liquid()
    atoms.positions[1] = atoms.positions[0] + [0.1, 0, 0]
    write(tmp_path / "data", atoms, format="lammps-data", masses=True)
    small_expansion().save(tmp_path / "potential")
    said = ended(tmp_path, GOOD)
    assert re.search(r"step 0: atoms \d and \d of LAMMPS are 0\.1 Å apart", said)
    assert "names 2 elements and the box has 3 types" in ended(
        tmp_path, GOOD.replace("* * C H O", "* * C H")
    )
    assert "units lj" in ended(tmp_path, GOOD.replace("units metal", "units lj"), "-np", "2")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("interpmd", "lj/cut", "there is none"),
        ("run 1", "pair_coeff * * H H H\nrun 1", "there is 2, in lines \\[7, "),
        ("* * C H O", "* * C Q O", "line 7: it must read .* 'Q' is no element"),
        ("interpmd potential", "interpmd potential half", "line 6: it must read pair_style"),
    ],
)
def test_a_script_without_its_two_lines_is_refused(tmp_path, before, after, words):
    (tmp_path / "in.lmp").write_text(GOOD.replace(before, after))
    with pytest.raises(im.SimulationError, match=words):
        run_lammps(tmp_path / "in.lmp")
    with pytest.raises(im.SimulationError, match="cannot be read as an input script"):
        run_lammps(tmp_path / "nothing.lmp")


def test_a_script_is_taken_apart_at_its_coefficients(tmp_path):
    path = tmp_path / "in.lmp"
    path.write_text(
        "units metal\npair_style interpmd water float32\n#\npair_coeff * * O H # two\nrun 1\n"
    )
    script = read_script(path)
    assert (script.potential, script.precision, script.elements) == ("water", "float32", ("O", "H"))
    assert script.before.splitlines()[0] == "units metal" and "pair" not in script.before
    assert script.after == "run 1"
