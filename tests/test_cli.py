"""The command line: what it writes, and one line for each error."""

from __future__ import annotations

import subprocess
import sys

import pytest
from ase.build import molecule
from ase.io import read, write
from typer.testing import CliRunner

import interpmd as im
from interpmd.cli import app, main
from interpmd.demo import MALONALDEHYDE
from interpmd.structures.files import read_frames


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def structure(tmp_path):
    write(tmp_path / "start.xyz", MALONALDEHYDE)
    return tmp_path / "start.xyz"


def test_fit_and_evaluate(tmp_path):
    frames = read_frames("data/water/train.extxyz.gz")
    few = [a for a in frames if len(a) <= 3][:60]
    for name, part in {"train": few + frames[-2:], "test": few[:10]}.items():
        write(tmp_path / f"{name}.extxyz", part)
    out = tmp_path / "potential"
    found = run(
        "fit", tmp_path / "train.extxyz", "--test", tmp_path / "test.extxyz", "-o", out,
        "--weights", 300, "--lmax", 2,
    )  # fmt: skip
    assert found.exit_code == 0
    assert f"written to {out}" in found.stdout
    assert {f.name for f in out.iterdir()} >= {"potential.json", "report.json", "parity.png"}
    assert "energy_share" in found.stdout
    found = run("evaluate", out, tmp_path / "test.extxyz")
    assert "force_rmse_meV/A" in found.stdout


def test_fit_takes_a_baseline_energies_of_atoms_and_channels_by_element(tmp_path):
    frames = read_frames("data/water/train.extxyz.gz")
    write(tmp_path / "few.extxyz", [a for a in frames if len(a) == 3][:30])
    out = tmp_path / "potential"
    common = ["fit", tmp_path / "few.extxyz", "-o", out, "--weights", 200]
    own = ["--isolated", "H=-13.6", "--isolated", "O=-2040.5", "--channels-by-element", "bonds"]
    assert run(*common, *own).exit_code == 0
    made = im.load(out)
    table = made.terms["isolated"].table
    assert float(table[1]) == -13.6 and float(table[8]) == -2040.5
    channels = made.terms["expansion"].channels_of
    assert 1 <= channels[0, 0] < 0.5 * channels[1, 0]
    own = ["--baseline", "gfn2-xtb", "--channels-by-element", "H=0.5"]
    assert run(*common, *own).exit_code == 0
    made = im.load(out)
    assert "baseline" in made.terms
    hydrogen, oxygen = made.terms["expansion"].channels_of[:, 0].tolist()
    assert abs(hydrogen - oxygen / 2) <= 4  # of four members
    found = CliRunner().invoke(app, [*map(str, common), "--isolated", "mean"])
    assert "H=-13.6, or average, not 'mean'" in str(found.exception)


def test_label_takes_charge_and_multiplicity(tmp_path):
    write(tmp_path / "water.xyz", molecule("H2O"))
    out = tmp_path / "labels.extxyz"
    found = run("label", tmp_path / "water.xyz", "-o", out, "--charge", 1, "--multiplicity", 2)
    assert found.exit_code == 0
    cation = read(out)
    assert (cation.info["charge"], cation.info["multiplicity"]) == (1, 2)
    [neutral] = im.label(molecule("H2O"), progress=False)
    assert 10 < cation.get_potential_energy() - neutral.get_potential_energy() < 20


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Files of every kind that a hurried person gives, and a place that cannot be written."""
    folder = tmp_path_factory.mktemp("places")
    write(folder / "water.xyz", molecule("H2O"))
    write(folder / "sulphur.xyz", molecule("CH3SH"))
    (folder / "labels.extxyz").write_text("")
    im.label(molecule("H2O"), out=folder / "labels.extxyz", progress=False)
    (folder / "foreign.xyz").write_bytes(bytes(range(256)))
    (folder / "zero.xyz").write_text("")
    (folder / "empty.xyz").write_text("0\n\n")
    (folder / "file").write_text("in the way")
    (folder / "thesis").mkdir()
    (folder / "thesis" / "chapter.tex").write_text("x")
    return folder


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("label water.xyz -o o.xyz.gz", "cannot be compressed"),
        ("label nothing.xyz -o o.xyz", "there is no file nothing.xyz"),
        ("label foreign.xyz -o o.xyz", "foreign.xyz cannot be read"),
        ("label zero.xyz -o o.xyz", "zero.xyz holds no structures"),
        ("label empty.xyz -o o.xyz", "frame 0: structure is empty"),
        ("label water.xyz -o o.xyz --workers 0", "workers is a whole number, 1 or more, not 0"),
        ("label water.xyz -o o.xyz --level nonsense", "unknown level of theory 'nonsense'"),
        ("label water.xyz -o o.xyz --multiplicity 2", "multiplicity 2"),
        ("label water.xyz -o file/o.xyz", "file/o.xyz cannot be written"),
        ("fit water.xyz", "frame 0 (OH2) has no energy"),
        ("fit labels.extxyz --lmax -3", "0 or more"),
        ("fit labels.extxyz --term nonsense", "no term is called 'nonsense'"),
        ("fit labels.extxyz --weight dimer", "dimer=5, not 'dimer'"),
        ("fit labels.extxyz --memory 0.001", "more than the limit of 0.001 GiB"),
        ("fit labels.extxyz -o file/potential", "file/potential cannot be written"),
        ("fit labels.extxyz -o thesis", "thesis exists and is not a potential"),
        ("evaluate thesis labels.extxyz", "thesis is not a potential"),
        ("evaluate water sulphur.xyz", "frame 0 (CSH4) has no energy"),
        ("md water sulphur.xyz -o r.traj", "atom 0 is C, but the potential knows only H, O"),
        ("md water water.xyz -o r.traj --ensemble npp", "'nve' or 'nvt' or 'npt', not 'npp'"),
        ("md water water.xyz -o r.traj --steps -5", "steps is a whole number, 1 or more"),
        ("md water water.xyz -o file/r.traj", "file/r.traj cannot be written"),
        ("explain water water.xyz --atom 7", "there is no atom 7"),
        ("explain water water.xyz --by nonsense", "cannot sum by 'nonsense'"),
        ("explain water water.xyz --atom H0", "no H0: atom 0 is O; H are H1, H2"),
        ("explain water water.xyz --along O0", "say on which --atom"),
        ("explain water water.xyz --gauge nonsense", "no gauge is called 'nonsense'"),
        ("explain water water.xyz --order 0", "not 0"),
        ("explain water water.xyz --csv file/x.csv", "file/x.csv cannot be written"),
        ("md water water.xyz -o run.pdb", "run.pdb: structures are written as .xyz, .extxyz or"),
        ("md water water.xyz -o water.xyz", "water.xyz is there already"),
        ("sample water.xyz -o water.xyz", "water.xyz is there already"),
        ("evaluate water water.xyz@:3", "no energy and no forces"),
        ("evaluate water no*.xyz", "no file fits the pattern no*.xyz"),
        ("doctor water --threshold -1", "not -1"),
        ("doctor water --propose file/p.extxyz", "file/p.extxyz cannot be written"),
        ("benchmark nonsense", "known: explainers, learned, quantum"),
        ("demo -o file/d.html", "file/d.html cannot be written"),
        ("lab 77", "0 notebooks"),
    ],
)
@pytest.mark.filterwarnings("ignore::interpmd.errors.LabelWarning")
def test_mistakes_are_one_line_that_names_them(places, monkeypatch, capsys, command, words):
    monkeypatch.chdir(places)
    monkeypatch.setattr(sys, "argv", ["interpmd", *command.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("interpmd: ")
    assert words in last


def test_warnings_are_one_line_without_code(tmp_path, monkeypatch, capsys):
    frames = im.label(im.sample(molecule("H2O"), "rattle", n=8), "gfn2-xtb", progress=False)
    write(tmp_path / "water.extxyz", frames)
    out = ["--out", str(tmp_path / "fitted"), "--weights", "40"]
    monkeypatch.setattr(sys, "argv", ["interpmd", "fit", str(tmp_path / "water.extxyz"), *out])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert not ended.value.code
    assert "\ninterpmd: no isolated-atom energies for H, O" in f"\n{said}"
    assert ".py:" not in said and "im.fit(" not in said


def test_md_and_explain(tmp_path, structure):
    out = tmp_path / "run.traj"
    found = run("md", "malonaldehyde", structure, "-o", out, "--steps", 20, "--interval", 10)
    assert found.exit_code == 0
    assert len(read(out, ":")) == 3
    found = run(
        "explain", "malonaldehyde", out, "--atom", 8, "--by", "kind", "--csv", tmp_path / "rows.csv"
    )
    assert found.exit_code == 0
    assert "hydrogen bond" in found.stdout
    assert "gauge internal" in found.stdout and "rows determined by the data" in found.stdout
    named = run("explain", "malonaldehyde", out, "--atom", "H8", "--along", "O0")
    assert named.exit_code == 0 and "force on H8 towards O0" in named.stdout
    parts = run("explain", "malonaldehyde", out, "--atom", 8, "--gauge", "groups", "--components")
    assert "value_eV/A_z" in parts.stdout and "gauge groups" in parts.stdout
    assert (tmp_path / "rows.csv").read_text().startswith("label,kind,term")


def test_md_writes_what_the_name_says(tmp_path, structure):
    out, steps = tmp_path / "run.xyz", ("--steps", 20, "--interval", 10)
    found = run("md", "malonaldehyde", structure, "-o", out, *steps)
    assert found.exit_code == 0
    frames = read_frames(out)
    assert out.read_text().splitlines()[0] == "9"
    assert len(frames) == 3 and frames[2].get_forces().shape == (9, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.xyz", "start.xyz"]
    binary = tmp_path / "run.traj"
    run("md", "malonaldehyde", structure, "-o", binary, *steps)
    whole = read_frames(binary)
    assert abs(frames[2].positions - whole[2].positions).max() < 1e-7
    explained = run("explain", "malonaldehyde", f"{out}@1", "--atom", 8)
    assert explained.exit_code == 0


def test_sample(tmp_path, structure):
    out = tmp_path / "made.extxyz"
    found = run("sample", structure, "-o", out, "--how", "rattle", "-n", 4, "--seed", 3)
    assert f"4 structures to label in {out}" in found.stdout
    expected = im.sample(structure, "rattle", n=4, seed=3)
    made = read_frames(out)
    assert abs(made[3].positions - expected[3].positions).max() < 1e-7
    by_potential = tmp_path / "moved.xyz"
    run("sample", structure, "-o", by_potential, "--potential", "malonaldehyde", "-n", 2)
    assert [a.info["temperature"] for a in read_frames(by_potential)] == [300, 300]


def test_labels_by_other_names(tmp_path):
    frames = im.sample(MALONALDEHYDE, "rattle", n=3, seed=1)
    potential = im.load("malonaldehyde")
    for atoms in frames:
        found = potential.predict(atoms)
        atoms.info["REF_energy"] = float(found.energy)
        atoms.arrays["REF_forces"] = found.forces.numpy()
    write(tmp_path / "named.xyz", frames)
    keys = ("--energy-key", "REF_energy", "--forces-key", "REF_forces")
    found = run("evaluate", "malonaldehyde", tmp_path / "named.xyz", *keys)
    assert found.exit_code == 0
    assert "0.0" in found.stdout


def test_former_options_work_and_say_what_they_are_called_now(tmp_path, structure):
    help_text = run("md", "--help").stdout + run("label", "--help").stdout
    assert "--timestep" in help_text and "--level" in help_text
    assert "--time-step" not in help_text and "--method" not in help_text
    out = tmp_path / "run.traj"
    found = run("md", "malonaldehyde", structure, "-o", out, "--steps", 20, "--time-step", 0.25)
    assert "5.0 fs" in found.stdout
    assert "--time-step is now --timestep" in found.stderr
    write(tmp_path / "water.xyz", molecule("H2O"))
    labels = tmp_path / "labels.extxyz"
    found = run("label", tmp_path / "water.xyz", "-o", labels, "--method", "gfn1-xtb")
    assert read(labels).info["level"] == "gfn1-xtb"
    assert "--method is now --level" in found.stderr


def test_shipped_lists_the_potentials():
    assert "malonaldehyde" in run("shipped").stdout


def test_errors_are_one_line(tmp_path):
    command = [sys.executable, "-m", "interpmd", "evaluate", "nothing", str(tmp_path / "x")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.strip().startswith("interpmd: there is no folder nothing")
    assert "Traceback" not in found.stderr


def test_benchmarks(tmp_path):
    """Exact methods find the truth; water's many-body terms are near those of GFN2-xTB."""
    found = run("benchmark", "explainers", "--atoms", 4, "--csv", tmp_path / "table.csv")
    assert found.exit_code == 0
    assert (tmp_path / "table.csv").read_text().count("\nmobius,") == 10
    frames = [a for a in read_frames("data/water/test.extxyz.gz") if len(a) == 9][:2]
    write(tmp_path / "trimers.extxyz", frames)
    found = run("benchmark", "quantum", "--frames", tmp_path / "trimers.extxyz")
    assert found.exit_code == 0
    errors = [line.split() for line in found.stdout.splitlines() if line[:1] in "23"]
    assert len(errors) == 2
    assert all(float(line[4]) < 0.5 for line in errors)  # mean absolute error in kcal/mol


def test_relax_and_path(tmp_path, structure):
    """Both ends relaxed, the proton handed over between them, and what makes its barrier."""
    ends = [tmp_path / f"{word}.xyz" for word in ("reactant", "product", "other")]
    made = run("relax", structure, "-o", ends[0], "--potential", "malonaldehyde")
    assert made.exit_code == 0 and "minimum of C3H4O2" in made.stdout
    assert "0 of them unstable" in made.stdout
    product = read(ends[0])
    way = product.positions[4] - product.positions[0]
    product.positions[8] = product.positions[0] + way / (way @ way) ** 0.5
    write(ends[1], product)
    out, csv = tmp_path / "path.traj", tmp_path / "rows.csv"
    found = run(
        "path", ends[0], ends[1], "-o", out, "--potential", "malonaldehyde", "--csv", csv
    )  # fmt: skip
    assert found.exit_code == 0 and "barrier 0.13" in found.stdout
    assert "comes first from" in found.stdout and "W1" in found.stdout
    assert len(read(out, ":")) == 11 and len(csv.read_text().splitlines()) == 12
    write(ends[2], molecule("H2O"))
    with pytest.raises(im.PathError, match="same atoms"):
        run("path", ends[0], ends[2], "--potential", "malonaldehyde")


def test_learn_makes_candidates_once_and_never_for_too_few(tmp_path, monkeypatch):
    pool = im.sample(molecule("H2O"), "rattle", n=6, seed=0, progress=False)
    for name, count in {"one": 1, "six": 6}.items():
        write(tmp_path / f"{name}.xyz", pool[:count])
    with pytest.raises(im.LabelError, match="1 structure is too few to start with"):
        run("learn", tmp_path / "one.xyz", "--level", "gfn2-xtb", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    asked = ["learn", tmp_path / "six.xyz", "--level", "gfn2-xtb", "--pool", 8, "--no-compare"]
    asked += ["--batch", 2, "--budget", 8, "-o", tmp_path / "out"]
    assert "8 labels" in run(*asked).stdout
    monkeypatch.setattr(im, "candidates", None)
    assert "8 labels" in run(*asked).stdout
    with pytest.raises(TypeError):  # those of another call are not taken for its own
        run(*asked, "--baseline", "gfn1-xtb")


def test_the_version_is_told():
    assert run("--version").stdout.strip() == f"interpmd {im.__version__}"


def test_learn_goes_on_in_its_folder(tmp_path):
    pool = im.label(im.sample(molecule("H2O"), "rattle", n=30, seed=0), progress=False)
    for name, part in {"start": pool[:6], "pool": pool[6:24], "test": pool[24:]}.items():
        write(tmp_path / f"{name}.extxyz", part)
    asked = [
        "learn", tmp_path / "start.extxyz", "--candidates", tmp_path / "pool.extxyz",
        "--test", tmp_path / "test.extxyz", "--baseline", "gfn1-xtb", "--batch", 4,
        "-o", tmp_path / "out",
    ]  # fmt: skip
    found = run(*asked, "--budget", 10)
    assert found.exit_code == 0 and "10 labels" in found.stdout
    written = {f.name for f in (tmp_path / "out").iterdir()}
    assert written >= {"potential", "decisions.jsonl", "curve.png"}
    lines = (tmp_path / "out" / "decisions.jsonl").read_text()
    assert run(*asked, "--budget", 14).exit_code == 0
    assert (tmp_path / "out" / "decisions.jsonl").read_text().startswith(lines)


def test_events_are_shot_and_found(tmp_path, structure):
    out = tmp_path / "shots.jsonl"
    told = run(
        "shoot", "malonaldehyde", structure, "--proton", "8,4,0", "-n", 2, "--window", 20, "-o", out
    ).output
    assert "2 events of transfer of proton 8 from 4 to 0" in told
    assert "eV by which the potential energy rises" in told
    assert len(out.read_bytes().splitlines()) >= 3
    frames = [MALONALDEHYDE.copy() for _ in range(3)]
    for atoms, shift in zip(frames, (0.0, 0.5, 1.0), strict=True):
        atoms.positions[8] += shift * (atoms.positions[0] - atoms.positions[4]) * 0.5
    write(tmp_path / "run.xyz", frames)
    told = run("events", tmp_path / "run.xyz", "--csv", tmp_path / "events.csv").output
    assert "1 events" in told and (tmp_path / "events.csv").exists()
