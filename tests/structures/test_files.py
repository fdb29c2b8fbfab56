"""One gate for structures, whatever holds them, and for labels under other names."""

import gzip

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import Trajectory, write

import interpmd as im
from interpmd.errors import LabelError, StructureError, StructureFileError
from interpmd.structures.files import as_frames, one_structure, read_frames


def frames(count=6):
    """Water in a box; the oxygen's x tells which frame it is."""
    made = []
    for index in range(count):
        atoms = molecule("H2O", cell=[9, 9, 9], pbc=True)
        atoms.positions[0, 0] = 0.01 * index
        atoms.calc = SinglePointCalculator(atoms, energy=float(index), forces=np.ones((3, 3)))
        made.append(atoms)
    return made


def which(source, **options):
    """Numbers of the frames that come through the gate."""
    return [round(100 * a.positions[0, 0]) for a in read_frames(source, **options)]


@pytest.fixture
def folder(tmp_path):
    for part in (1, 2, 10):
        some = frames(12)[2 if part == 2 else 0 :][: 2 if part < 10 else 12]
        write(tmp_path / f"run{part}.xyz", some, format="extxyz")
    return tmp_path


def test_paths_parts_of_files_patterns_and_lists(folder, monkeypatch):
    run = folder / "run10.xyz"
    assert which(run) == which(str(run)) == list(range(12))
    assert which(f"{run}@:3") == [0, 1, 2]
    assert which(f"{run}@-1") == [11]
    assert which(f"{run}@::5") == [0, 5, 10]
    assert which(folder / "run?.xyz") == [0, 1, 2, 3]
    assert which(folder / "*.xyz") == [0, 1, 2, 3, *range(12)]  # run2 before run10
    assert which(f"{folder}/run*.xyz@0") == [0, 2, 0]
    assert which([folder / "run2.xyz", frames()[5], f"{run}@4"]) == [2, 3, 5, 4]
    (folder / "a@b.xyz").write_bytes(run.read_bytes())
    (folder / "c[1].xyz").write_bytes(run.read_bytes())
    assert which(folder / "a@b.xyz") == which(folder / "c[1].xyz") == list(range(12))
    assert which(f"{folder}/a@b.xyz@2") == [2]
    packed = folder / "p.extxyz.gz"
    packed.write_bytes(gzip.compress(run.read_bytes()))
    assert which(f"{packed}@3:5") == [3, 4]
    with Trajectory(folder / "t.traj", "w") as file:
        for atoms in frames(3):
            file.write(atoms)
    assert which(folder / "t.traj") == which(Trajectory(folder / "t.traj")) == [0, 1, 2]
    assert which(iter(frames(2))) == which(tuple(frames(2))) == [0, 1]


def test_databases(tmp_path):
    with connect(tmp_path / "labels.db") as database:
        for index, atoms in enumerate(frames(4)):
            data = {"REF_forces": np.full((3, 3), 2.0), "notes": "x"}
            database.write(atoms, subset="dimer", REF_energy=-1.0 - index, data=data)
        assert which(database) == [0, 1, 2, 3]
    assert which(tmp_path / "labels.db") == [0, 1, 2, 3]
    assert which(f"{tmp_path}/labels.db@-1") == [3]
    [first, *_] = read_frames(
        tmp_path / "labels.db", energy_key="REF_energy", forces_key="REF_forces"
    )
    assert first.info["subset"] == "dimer"
    assert (first.get_potential_energy(), first.get_forces()[0, 0]) == (-1.0, 2.0)


@pytest.mark.parametrize("kind", ["xtc", "dcd"])
def test_trajectories_with_a_topology(tmp_path, kind):
    mda = pytest.importorskip("MDAnalysis")
    md = pytest.importorskip("mdtraj")
    made = frames(4)
    write(tmp_path / "top.pdb", made[0], format="proteindatabank")
    universe = mda.Universe(str(tmp_path / "top.pdb"))
    path = str(tmp_path / f"run.{kind}")
    with mda.Writer(path, 3) as writer:
        for index, atoms in enumerate(made):
            universe.atoms.positions = atoms.positions
            universe.trajectory.ts.dimensions = [9, 9, 9, 90, 90, 90]
            universe.trajectory.ts.time = 2.0 * index
            writer.write(universe.atoms)
    assert which(path, topology=tmp_path / "top.pdb") == [0, 1, 2, 3]
    assert which(f"{path}@1:3", topology=tmp_path / "top.pdb") == [1, 2]
    own = mda.Universe(str(tmp_path / "top.pdb"), path)
    theirs = md.load(path, top=str(tmp_path / "top.pdb"))
    for source in (own, own.atoms, theirs):
        found = read_frames(source)
        for atoms, expected in zip(found, made, strict=True):
            assert (atoms.numbers == expected.numbers).all()
            assert np.abs(atoms.positions - expected.positions).max() < 6e-3
            assert np.allclose(atoms.cell.lengths(), 9, atol=1e-3)
            assert atoms.pbc.all()
    assert [a.info["time_fs"] for a in read_frames(own.atoms)][1] > 0
    assert which(own.select_atoms("type O")) == [0, 1, 2, 3]
    assert len(read_frames(own.select_atoms("type O"))[0]) == 1
    with pytest.raises(StructureFileError, match="positions alone.*topology="):
        read_frames(path)
    with pytest.raises(StructureFileError, match=r"no file .*none.pdb"):
        read_frames(path, topology=tmp_path / "none.pdb")
    with pytest.raises(StructureFileError, match=r"cannot be read by MDAnalysis"):
        read_frames(path, topology=path)


def test_velocities_of_others_have_the_unit_of_ase():
    mda = pytest.importorskip("MDAnalysis")
    universe = mda.Universe.empty(1, trajectory=True, velocities=True)
    universe.add_TopologyAttr("elements", ["Ar"])
    universe.atoms.velocities = [[1.0, 0, 0]]  # Å/ps
    [atoms] = read_frames(universe)
    assert atoms.get_velocities()[0, 0] * 1000 * units.fs == pytest.approx(1.0)


def test_atoms_whose_elements_nobody_knows():
    mda = pytest.importorskip("MDAnalysis")
    universe = mda.Universe.empty(2, trajectory=True)
    universe.add_TopologyAttr("names", ["OW", "XX"])
    with pytest.raises(StructureFileError, match=r"atom 1 \('XX'\) has no element"):
        read_frames(universe)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere.xyz", "no file nowhere.xyz"),
        ("no*.xyz", "no file fits the pattern"),
        (3, "int 3 holds no structures"),
        ({"a": 1}, "dict .* holds no structures"),
        ([Atoms("H"), None], "item 1 is NoneType None"),
        ([Atoms("H"), 2.5], "item 1 is float 2.5"),
    ],
)
def test_what_holds_no_structures_is_named(source, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StructureFileError, match=words):
        read_frames(source)


def test_files_that_cannot_be_read_are_named(folder):
    with pytest.raises(StructureFileError, match="is a folder.*pattern"):
        read_frames(folder)
    with pytest.raises(StructureFileError, match="neither a number nor a slice"):
        read_frames(f"{folder}/run1.xyz@first")
    with pytest.raises(StructureFileError, match="no frame 7|holds no structures at 7"):
        read_frames(f"{folder}/run1.xyz@7")
    (folder / "bad.db").write_text("nonsense")
    with pytest.raises(StructureFileError, match=r"bad.db is no database"):
        read_frames(folder / "bad.db")
    (folder / "empty.xyz").write_text("")
    with pytest.raises(StructureFileError, match=r"empty.xyz"):
        read_frames(folder / "empty.xyz")
    assert issubclass(StructureFileError, LabelError)


def test_one_structure_or_at_least_one(folder):
    assert one_structure(f"{folder}/run10.xyz@-1").positions[0, 0] == pytest.approx(0.11)
    with pytest.raises(StructureError, match=r"2 are given; choose one, as in '.*run1.xyz@-1'"):
        one_structure(folder / "run1.xyz")
    with pytest.raises(StructureError, match="frames.-1"):
        one_structure(frames(2))
    with pytest.raises(StructureError, match="no structures given"):
        as_frames([])


def strained(key, factor=1.0):
    """Copper under tension with its stress by another name; the energy and forces too."""
    atoms = bulk("Cu", a=3.7, cubic=True)
    atoms.rattle(0.05, seed=1)
    atoms.calc = EMT()
    own = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    stress = atoms.get_stress(voigt=False)
    named = atoms.copy()
    named.info["REF_energy"] = own["energy"]
    named.arrays["dft_forces"] = own["forces"]
    named.info[key] = factor * stress
    return named, own, atoms.get_stress(), atoms.get_volume()


def test_labels_by_other_names():
    for key, factor in (("REF_stress", 1.0), ("virial", None), ("REF_virials", None)):
        named, own, stress, volume = strained(key, 1.0)
        if factor is None:
            named.info[key] = -volume * named.info[key]
        keys = {"energy_key": "REF_energy", "forces_key": "dft_forces", "stress_key": key}
        [found] = read_frames(named, **keys)
        assert found.get_potential_energy() == pytest.approx(own["energy"])
        assert np.allclose(found.get_forces(), own["forces"])
        assert np.allclose(found.get_stress(), stress, atol=1e-12)
        assert named.calc is None
    flat = named.copy()
    flat.info["virial"] = named.info["REF_virials"].ravel()
    assert np.allclose(read_frames(flat, stress_key="virial")[0].get_stress(), stress, atol=1e-12)
    flat.arrays["gradient"] = -own["forces"]
    assert np.allclose(read_frames(flat, forces_key="gradient")[0].get_forces(), own["forces"])


def test_labels_that_are_read_from_a_file_by_name(tmp_path):
    named, own, stress, volume = strained("virial")
    named.info["virial"] = -volume * named.info["virial"]
    write(tmp_path / "named.xyz", named, format="extxyz")
    [found] = read_frames(
        tmp_path / "named.xyz",
        energy_key="REF_energy",
        forces_key="dft_forces",
        stress_key="virial",
    )
    assert np.allclose(found.get_forces(), own["forces"], atol=1e-7)
    assert np.allclose(found.get_stress(), stress, atol=1e-8)


def test_keys_are_suggested_and_checked():
    named = strained("virial")[0]
    spec = {"channels": (4, 4), "lmax": 1, "basis": 4, "cutoff": 3.5}
    with pytest.raises(LabelError, match="pass energy_key='REF_energy'.*forces_key='dft_forces'"):
        im.fit([named], spec=spec, progress=False)
    with pytest.raises(LabelError, match="energy_key='REF_Energy': no frame has it.*'REF_energy'"):
        im.fit([named], spec=spec, progress=False, energy_key="REF_Energy")
    with pytest.raises(
        LabelError, match="no frame has it; the frames hold 'virial': pass stress_key"
    ):
        read_frames(named, stress_key="tension")
    with pytest.raises(LabelError, match=r"'REF_energy' has the shape \(\), and forces are"):
        read_frames(named, forces_key="REF_energy")
    plain = molecule("H2O")
    plain.arrays["force"] = np.zeros((3, 3))
    with pytest.raises(LabelError, match="pass forces_key='force'"):
        im.evaluate(im.load("water"), [plain])


def test_frames_that_lack_a_key_lack_the_label():
    one, other = strained("REF_stress")[0], strained("REF_stress")[0]
    del other.info["REF_energy"]
    other.calc = SinglePointCalculator(other, energy=99.0)  # of another program
    first, second = read_frames([one, other], energy_key="REF_energy")
    assert "energy" not in second.calc.results
    assert first.calc.results["energy"] == one.info["REF_energy"]
