"""Labels that lie are named before a fit; right ones pass without a word."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from frames_of_methanol import ISOLATED, SMALL, frames, labelled

import interpmd as im
from interpmd.errors import ArgumentError, LabelError, LabelWarning
from interpmd.fitting import labels
from interpmd.fitting.checks.check import check_data
from interpmd.fitting.checks.forces import _shift
from interpmd.fitting.checks.pairs import similar
from interpmd.fitting.checks.robust import Slope, slope
from interpmd.potentials import Potential
from interpmd.potentials.base import TERMS

DATA = Path(__file__).parents[2] / "data"
METHANOL = frames(40)


def changed(atoms, **results):
    """The frame with some of its labels replaced by functions of them."""
    old = atoms.calc.results
    new = old | {name: change(old[name]) for name, change in results.items()}
    copy = atoms.copy()
    copy.calc = SinglePointCalculator(copy, **new)
    return copy


def times(factor, name="forces", many=METHANOL):
    return [changed(a, **{name: lambda x: factor * x}) for a in many]


def only(index, many=METHANOL, **results):
    return [changed(a, **results) if i == index else a for i, a in enumerate(many)]


def said(many, weight, **arguments):
    return [str(f) for f in check_data(many, **arguments).findings if f.weight == weight]


def copper(count, strain=0.0, stress=lambda s, volume: s, repeat=1):
    rng = np.random.default_rng(0)
    made = []
    for seed in range(count):
        atoms = bulk("Cu", cubic=True) * (repeat, repeat, 1)
        cell = atoms.cell.array @ (np.eye(3) + rng.normal(scale=strain, size=(3, 3)))
        atoms.set_cell(cell, scale_atoms=True)
        atoms.rattle(0.08, seed=seed)
        made.append(by_emt(atoms, stress))
    return made


def by_emt(atoms, stress=lambda s, volume: s):
    atoms.calc = EMT()
    results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    results["stress"] = stress(atoms.get_stress(), atoms.get_volume())
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


HARTREE_PER_BOHR = units.Hartree / units.Bohr


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (-1.0, "wrong sign"),
        (1 / HARTREE_PER_BOHR, "Hartree/bohr; multiply them by 51.42"),
        (1 / units.Hartree, "Hartree/Å; multiply them by 27.21"),
        (units.mol / units.kcal, "kcal/mol/Å; multiply them by 0.04336"),
        (units.mol / units.kJ, "kJ/mol/Å; multiply them by 0.01036"),
    ],
)
@pytest.mark.parametrize("many", [METHANOL, copper(30, 0.03)], ids=["methanol", "strained copper"])
def test_units_and_signs_of_forces_are_named(factor, words, many):
    [error] = said(times(factor, many=many), "error")
    assert words in error


@pytest.mark.parametrize(
    ("unit", "size"), [("Hartree", units.Hartree), ("kJ/mol", units.kJ / units.mol)]
)
def test_units_of_energies_are_named(unit, size):
    [error] = said(times(1 / size, "energy"), "error")
    assert f"the energies seem to be in {unit}" in error


def test_positions_in_bohr_are_named():
    many = [a.copy() for a in METHANOL]
    for atoms, old in zip(many, METHANOL, strict=True):
        atoms.positions /= units.Bohr
        atoms.calc = SinglePointCalculator(atoms, **old.calc.results)
    [error] = said(many, "error")
    assert "positions seem to be in bohr" in error


def test_the_work_along_chords_is_exact_in_a_harmonic_potential():
    """Of the distances in water, whatever the size of the steps and however it is turned."""
    many = []
    for seed in range(6):
        atoms = molecule("H2O")
        atoms.rattle(1e-3, seed=seed)
        vectors = atoms.positions[1:] - atoms.positions[0]
        lengths = np.linalg.norm(vectors, axis=1)
        push = -30.0 * ((lengths - 0.96) / lengths)[:, None] * vectors
        forces = np.vstack([-push.sum(0), push])
        energy = 15.0 * ((lengths - 0.96) ** 2).sum()
        turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
        turn *= np.linalg.det(turn)
        atoms.positions = atoms.positions @ turn
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces @ turn)
        many.append(atoms)
    pairs = similar(many)
    scale = np.abs(pairs.energy).max()
    assert np.abs(pairs.force_work - pairs.energy).max() < 0.01 * scale
    assert slope(pairs.force_work, pairs.energy).value == pytest.approx(1.0, abs=0.005)


@pytest.mark.parametrize("what", ["frames", "atoms", "shift"])
def test_forces_of_other_frames_or_atoms_are_named(what):
    rng = np.random.default_rng(0)
    many = frames(60)
    order = rng.permutation(60)
    lies = {
        "frames": [
            changed(a, forces=lambda f, i=i: many[order[i]].calc.results["forces"])
            for i, a in enumerate(many)
        ],
        "atoms": [changed(a, forces=rng.permutation) for a in many],
        "shift": [
            changed(a, energy=lambda e, i=i: many[i - 1].calc.results["energy"])
            for i, a in enumerate(many)
        ],
    }[what]
    words = {"shift": "shifted by -1 frame"}.get(what, "frames")
    [error] = said(lies, "error")
    assert words in error


@pytest.mark.parametrize("part", ["profiles", "wider", "path"])
def test_forces_of_many_molecules_and_of_relaxed_ones_are_not_refused(part):
    """A small fit explains nothing of them, and they are right."""
    many = im.read_frames(DATA / "small_molecules" / f"{part}.extxyz.gz")
    assert not [words for words in said(many, "error") if "forces" in words]
    if part != "profiles":
        torn = [changed(a, forces=np.random.default_rng(0).permutation) for a in many[:1500]]
        assert said(torn, "error") + said(torn, "warning")


def test_forces_that_nobody_filled_in_are_named():
    [error] = said(times(0.0), "error")
    assert "where no symmetry makes them so" in error
    [warning] = said(only(7, forces=lambda f: 0 * f), "warning")
    assert "the forces of frame 7 are zero" in warning


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ({"energy": lambda e: e + 50}, "energies of frame 7 are off by +49.7 eV"),
        ({"energy": lambda e: e + 1000}, "energies of frame 7 are off by +1e+03 eV"),
        ({"forces": lambda f: 100 * f}, "forces of frame 7 are about 96.7 times"),
        ({"forces": lambda f: -f}, "forces of frame 7 are about -0.99"),
        ({"forces": lambda f: np.roll(f, 1, axis=0)}, "forces of frame 7 have nothing to do"),
    ],
)
def test_outliers_are_named(results, words):
    [warning] = said(only(7, **results), "warning")
    assert words in warning
    assert "outliers=" in warning


def test_outliers_are_left_out_on_request():
    bad = only(7, energy=lambda e: e + 50) + ISOLATED
    arguments = {"spec": SMALL, "ridge": 1e-6, "progress": False, "test": frames(10, 1)}
    with pytest.warns(LabelWarning, match="frame 7"):
        kept = im.fit(bad, **arguments)
    with pytest.warns(LabelWarning, match="1 outliers are left out: frame 7"):
        mended = im.fit(bad, outliers="leave out", **arguments)
    right = im.fit([a for i, a in enumerate(METHANOL) if i != 7] + ISOLATED, **arguments)
    error = [r.errors().loc["test", "energy_rmse_meV"] for r in (kept, mended, right)]
    assert error[0] > 3 * error[2]
    assert error[1] == pytest.approx(error[2])
    assert "suspicious:\n- the energies of frame 7" in str(kept)
    assert kept.suspicions().loc[0, "frames"] == 1
    with pytest.raises(ArgumentError, match="outliers is 'keep' or 'leave out'"):
        im.fit(bad, outliers="leave-out", **arguments)


@pytest.mark.parametrize(
    ("stress", "words"),
    [
        (lambda s, v: -s, "wrong sign"),
        (lambda s, v: s / units.GPa, "seems to be in GPa; multiply it by 0.00624"),
        (lambda s, v: -10 * s / units.GPa, "seems to be in kbar"),
        (lambda s, v: -v * s, "virial in eV, minus the stress times the volume"),
        (lambda s, v: v * s, "virial in eV, with the sign of a stress"),
    ],
)
@pytest.mark.parametrize("repeat", [1, 2])
def test_signs_and_units_of_stress_are_named(stress, words, repeat):
    """In small cells that differ, and in large ones that are alike."""
    many = copper(30, 0.03, stress) if repeat == 1 else copper(20, 0.0, stress, repeat)
    [error] = said(many, "error")
    assert words in error


def curve(count=20, stress=lambda s, volume: s):
    made = []
    for scale in np.linspace(0.92, 1.1, count):
        atoms = bulk("Cu", a=3.6 * scale)
        made.append(by_emt(atoms, stress))
    return made


def test_stress_is_checked_along_a_volume_curve():
    assert said(curve(), "error") == []
    assert "wrong sign" in said(curve(stress=lambda s, v: -s), "error")[0]
    assert "GPa" in said(curve(stress=lambda s, v: s / units.GPa), "error")[0]
    assert "virial" in said(curve(stress=lambda s, v: v * s), "error")[0]


def hot_copper(repeat):
    """One cell, and atoms that are far from their places."""
    return [by_emt(_rattled(bulk("Cu", cubic=True) * (repeat, repeat, 1), i)) for i in range(24)]


def _rattled(atoms, seed):
    atoms.rattle(0.15, seed=seed)
    return atoms


STRESSED = {
    "strained": lambda: copper(30, 0.03),
    "hot": lambda: hot_copper(2),
    "volumes": lambda: curve(40),
    "scattered volumes": lambda: [
        by_emt(_rattled(bulk("Au", a=4.06 * x, cubic=True), i))
        for i, x in enumerate([*np.linspace(0.86, 1.14, 10), *np.linspace(0.995, 1.005, 30)])
    ],
}
UNKNOWN = {"scattered volumes": set(range(10)), "strained": {15, 26}}
WRONG = {
    "flipped": (lambda s: -s, "of the wrong sign"),
    "zero": (lambda s: 0 * s, "zero, where"),
    "in GPa": (lambda s: s / units.GPa, "more than ten times"),
    "huge": (lambda s: 100 * s, "more than ten times"),
}


@pytest.mark.parametrize("kind", STRESSED)
def test_a_single_stress_that_is_wrong_is_named(kind):
    """And none where all are right; extreme cells are said to be unchecked."""
    many = STRESSED[kind]()
    unchecked = {i for f in check_data(many).findings if "one by one" in str(f) for i in f.frames}
    assert UNKNOWN.get(kind, set()) <= unchecked and 17 not in unchecked
    assert [w for w in said(many, "warning") if "stress" in w] == []
    for change, words in WRONG.values():
        bad = only(17, many, stress=change)
        assert said(bad, "error") == []
        [warning] = [w for w in said(bad, "warning") if "stress" in w]
        assert "the stress of frame 17 is " + words in warning
        assert 17 in check_data(bad, leave_out=True).left_out


def test_a_volume_curve_says_what_it_does_not_determine():
    """Energies near the curve stay near: weights that no row determines stay at their prior."""
    with pytest.warns(LabelWarning) as seen:
        report = im.fit(
            curve(), isolated_energies="average", spec=SMALL | {"cutoff": 5.0}, progress=False
        )
    assert ["carry no information" in str(w.message) for w in seen] == [True]
    atoms = bulk("Cu", cubic=True)
    still = float(report.potential.predict(atoms).energy)
    atoms.rattle(1e-3, seed=1)
    assert float(report.potential.predict(atoms).energy) == pytest.approx(still, abs=0.01)


LJ = Potential(
    {
        "isolated": TERMS["isolated"]({18: -0.5}),
        "lj": TERMS["lennard_jones"](epsilon=0.2, sigma=2.3, cutoff=4.5),
    }
)


def argon(atoms):
    found = LJ.predict(atoms)
    atoms.calc = SinglePointCalculator(
        atoms, energy=float(found.energy), forces=found.forces.numpy()
    )
    return atoms


def crystals(count=12):
    made = []
    for seed in range(count):
        atoms = bulk("Ar", a=np.random.default_rng(seed).uniform(3.5, 3.9), cubic=True)
        atoms.rattle(0.1, seed=seed)
        made.append(argon(atoms))
    return made


@pytest.mark.parametrize(
    ("many", "words"),
    [
        ([crystals(1)[0].copy() for _ in range(20)], "copies of one structure"),
        ([Atoms("Ar2", [[0, 0, 0], [0, 0, 20 + i]]) for i in range(6)], "no atom of any frame"),
    ],
    ids=["copies", "beyond the cutoff"],
)
def test_nothing_to_learn_is_said(many, words):
    for atoms in many:
        argon(atoms)
    with pytest.raises(LabelError, match=words):
        im.fit(many, spec=SMALL, progress=False, isolated_energies={"Ar": -0.5})


def test_labels_that_are_all_alike_are_named():
    assert (
        "all energies are 0, and so are all forces"
        in said(
            [changed(a, energy=lambda e: 0.0, forces=lambda f: 0 * f) for a in METHANOL], "error"
        )[0]
    )
    assert (
        "one energy was copied"
        in said([changed(a, energy=lambda e: -5.0) for a in METHANOL], "error")[0]
    )


def test_energies_in_kcal_per_mol_throughout_are_told_by_isolated_atoms():
    factor = units.mol / units.kcal
    true = {1: -13.6057, 6: -1029.8, 8: -2042.7}
    many = [
        changed(
            a,
            energy=lambda e: factor * (e + 4 * true[1] + true[6] + true[8]),
            forces=lambda f: factor * f,
        )
        for a in METHANOL
    ]
    [error] = said(many, "error", isolated={z: factor * e for z, e in true.items()})
    assert "energies seem to be in kcal/mol" in error
    of_xtb = {1: -10.7, 6: -48.8, 8: -102.6}
    many = [
        changed(a, energy=lambda e: factor * (-230.0 + e / 10), forces=lambda f: factor * f / 10)
        for a in METHANOL
    ]
    [error] = said(many, "error", isolated={z: factor * e for z, e in of_xtb.items()})
    assert "energies seem to be in kcal/mol: they bind each atom" in error


@pytest.mark.parametrize(
    ("unit", "size"),
    [("kcal/mol", units.kcal / units.mol), ("kJ/mol", units.kJ / units.mol),
     ("meV", 1e-3), ("Hartree", units.Hartree)],
)  # fmt: skip
def test_units_that_energies_and_forces_share_are_told_by_bonds_to_hydrogen(unit, size):
    """Where energies and forces agree, and nothing is known of isolated atoms."""
    rattled = im.sample(molecule("CH3OH"), "rattle", n=12, progress=False)
    right = im.label(rattled, "gfn2-xtb", progress=False)
    assert not said(right, "warning")
    many = [changed(a, energy=lambda x: x / size, forces=lambda x: x / size) for a in right]
    (warning,) = said(many, "warning")
    assert f"energies and forces seem to be in {unit}: C-H" in warning
    assert f"multiply both by {size:.6g}" in warning


@pytest.mark.parametrize("mark", [None, "single_atom", "IsolatedAtom", "isolated atom", "E0"])
def test_isolated_atoms_in_a_box_are_recognised(mark):
    lonely = argon(Atoms("Ar", cell=[20] * 3, pbc=True))
    if mark is not None:
        lonely.info["config_type"] = mark
    assert labels.isolated_energies([*crystals(3), lonely]) == {18: pytest.approx(-0.5)}


def test_a_crystal_of_one_atom_is_not_isolated():
    assert not labels.is_isolated(bulk("Ar", a=5.3))
    dense = argon(bulk("Ar", a=5.3))
    dense.info["config_type"] = "isolated_atom"
    with pytest.raises(LabelError, match="frame 0 .* its images are only 3.75 Å away"):
        labels.isolated_energies([dense])
    two = labelled(molecule("CO"))
    two.info["config_type"] = "single atom"
    with pytest.raises(LabelError, match="has 2 atoms"):
        labels.isolated_energies([two])


def test_isolated_atoms_that_contradict_are_refused():
    one, two = (labelled(Atoms("H"), e, np.zeros((1, 3))) for e in (-13.6, -13.0))
    with pytest.raises(LabelError, match="frames 0 and 1 are both an isolated H atom"):
        labels.isolated_energies([one, two])
    with pytest.raises(LabelError, match="isolated_energies gives -12 eV for H, but its frame"):
        labels.isolated_energies([one], {"H": -12.0})


def test_keys_of_isolated_energies():
    many = crystals(3)
    assert labels.isolated_energies(many, {"18": -0.5}) == {18: -0.5}
    assert labels.isolated_energies(many, {"Ar": -0.5}) == {18: -0.5}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = labels.isolated_energies(many, "average")
    assert 4 * found[18] == pytest.approx(np.mean([a.calc.results["energy"] for a in many]))
    for wrong, words in (
        ("averag", 'or "average"'),
        ({"Ar": "low"}, "an energy in eV"),
        ({"Ar": np.nan}, "an energy in eV"),
    ):
        with pytest.raises(ArgumentError, match=words):
            labels.isolated_energies(many, wrong)
    with pytest.raises(im.UnknownElementError, match="Xy"):
        labels.isolated_energies(many, {"Xy": 0.0})


def test_levels_that_are_mixed_are_named():
    many = frames(20)
    for index, atoms in enumerate(many):
        atoms.info["level"] = "PBE" if index < 15 else "B3LYP"
    [error] = said(many, "error")
    assert "2 levels of theory: pbe (15 frames), b3lyp (5 frames)" in error
    assert said(many, "error", level="both") == []
    for atoms in many:
        atoms.info["level"] = "PBE"
    many[3].info["level"] = " pbe "
    assert said(many, "error") + said(many, "warning") == []
    other = frames(3, 1)
    for atoms in other:
        atoms.info["level"] = "gfn2-xtb"
    assert (
        "of the test set are of level gfn2-xtb" in said(many, "warning", others={"test": other})[0]
    )


@pytest.mark.parametrize(
    ("key", "value"), [("charge", 1), ("total_charge", -1), ("multiplicity", 3)]
)
def test_charges_and_multiplicities_that_are_mixed_are_refused(key, value):
    many = [a.copy() for a in METHANOL]
    for atoms, old in zip(many, METHANOL, strict=True):
        atoms.calc = old.calc
        atoms.info[key] = 1 if key == "multiplicity" else 0
    assert said(many, "error") == []
    many[5].info[key] = value
    assert f"{value} in frame 5" in said(many, "error")[0]


def test_copies_are_named_and_refused_if_they_contradict():
    turned = changed(METHANOL[3])
    turned.rotate(40, "x")
    turned.calc = SinglePointCalculator(turned, **METHANOL[3].calc.results)
    turned.calc.results["forces"] = labelled(turned.copy()).calc.results["forces"]
    twice = [*METHANOL[:20], turned]
    assert "1 of 21 frames are copies of others: frame 20" in said(twice, "warning")[0]
    twice[20] = changed(METHANOL[3], energy=lambda e: e + 0.3)
    assert "frames 3 and 20 are one structure with two energies" in said(twice, "error")[0]


def test_test_frames_in_the_training_data_are_named():
    [warning] = said(METHANOL, "warning", others={"test": [*frames(5, 1), METHANOL[8]]})
    assert "1 of 6 test frames are in the training data: frame 5" in warning


def test_what_could_not_be_checked_is_said():
    notes = said(METHANOL[:3], "note")
    assert any("could not be checked: 3 frames are too few" in note for note in notes)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"weights": {"diner": 2.0}}, "'diner', which no frame is.*did you mean 'dimer'"),
        ({"subset_weights": {"dimer": -1.0}}, "0 or more, not -1.0"),
        ({"subset_weights": {"dimer": np.nan}}, "not nan"),
        ({"subset_weights": {"dimer": 0.0}}, "all weights are 0"),
        ({"energy_weight": -1.0}, "energy_weight is a number, 0 or more, not -1.0"),
        ({"virial_weight": np.nan}, "virial_weight"),
        ({"memory": 0}, "memory"),
        ({"ridge": -1e-6}, "ridge"),
        ({"validation": 1.5}, "validation"),
        ({"refine": -1}, "refine"),
        ({"seed": -1}, "seed is a whole number, 0 or more, not -1"),
        ({"seed": 0.5}, "seed"),
        ({"spec": {"cutof": 4.0}}, "spec has no option 'cutof' .did you mean 'cutoff'"),
        ({"spec": {"cutoff": -4.0}}, "cutoff is a number above 0, not -4.0"),
        ({"spec": {"channels": (4, -1)}}, "channels"),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_numbers_of_a_fit_that_make_no_sense_are_refused_by_name(arguments, words):
    many = [a.copy() for a in METHANOL[:8]]
    for atoms, old in zip(many, METHANOL, strict=False):
        atoms.calc = old.calc
        atoms.info["subset"] = "dimer"
    with pytest.raises(ArgumentError, match=words):
        im.fit(many + ISOLATED, **({"spec": SMALL, "progress": False} | arguments))


@pytest.mark.parametrize(
    "name", ["malonaldehyde", "water", "alanine_dipeptide", "copper", "water_liquid"]
)
@pytest.mark.parametrize("part", ["train", "test", "fragments", "groups"])
def test_right_labels_pass_without_a_word(name, part):
    path = DATA / name / f"{part}.extxyz.gz"
    if not path.exists():
        pytest.skip("the set has no such part")
    many = im.read_frames(path)[:300]
    assert said(many, "error", isolated=labels.known_isolated_energies(many)) == []
    assert said(many, "warning") == []


@pytest.mark.parametrize("strain", [0.0, 0.03])
def test_right_labels_of_metals_pass_without_a_word(strain):
    check = check_data(copper(30, strain))
    assert {f.weight for f in check.findings} <= {"note"}
    assert check.force_factor == pytest.approx(1.0, abs=0.02)


@pytest.mark.skipif(not DATA.exists(), reason="the data lie in a clone only")
def test_chords_between_clusters_that_are_far_apart_accuse_nobody():
    """Of half of the data of water they say 0.003 +- 0.017, for the straight way is no way."""
    folder = DATA / "water"
    known = [a for p in ("train", "fragments") for a in im.read_frames(folder / f"{p}.extxyz.gz")]
    shuffled = np.random.default_rng(0).permutation(len(known))
    half = [known[i] for i in sorted(shuffled[1::2])]
    isolated = labels.known_isolated_energies(half, None)
    found = check_data(half, isolated=isolated, cutoff=6.0).findings
    assert all(finding.weight == "note" for finding in found)


@pytest.mark.skipif(not DATA.exists(), reason="the data lie in a clone only")
def test_a_handful_of_frames_is_not_refused():
    """What a small fit says of five energies is chance: seven of these draws were refused."""
    known = [a for a in im.read_frames(DATA / "malonaldehyde" / "train.extxyz.gz") if len(a) > 1]
    for seed, count in ((11, 5), (24, 6), (26, 5), (33, 6), (34, 5), (45, 7), (58, 6)):
        order = np.random.default_rng(seed).permutation(len(known))[:count]
        found = check_data([known[k] for k in order], cutoff=5.0).findings
        assert all(f.weight == "note" for f in found)


@pytest.mark.skipif(not DATA.exists(), reason="the data lie in a clone only")
def test_few_frames_of_many_kinds_are_not_refused():
    known = im.read_frames(DATA / "alanine_dipeptide" / "groups.extxyz.gz")
    known += im.read_frames(DATA / "alanine_dipeptide" / "train.extxyz.gz")
    rng = np.random.default_rng(5)
    for count in (12, 12, 12, 16, 25):
        few = [known[i] for i in rng.permutation(len(known))[:count]]
        assert all(f.weight != "error" for f in check_data(few).findings)


def test_correct_labels_of_few_structures_are_not_refused():
    """Eight to ten random frames, of which some agree with a shift or a factor by chance."""
    for name, least, counts in (("malonaldehyde", 2, (9,)), ("alanine_dipeptide", 22, (8, 10))):
        many = im.read_frames(f"data/{name}/train.extxyz.gz")
        many = [a for a in many if len(a) >= least]
        accused = 0
        for count in counts:
            for draw in (33, 58, 1, 2, 3, 4):
                order = np.random.default_rng([count, draw]).permutation(len(many))[:count]
                found = check_data([many[k] for k in order]).findings
                assert not [f for f in found if f.weight == "error"]
                accused += any(f.check == "forces" and f.weight == "warning" for f in found)
        assert accused <= 2


def test_a_shift_is_believed_only_where_it_leaves_far_less():
    """Of labels that a small fit explains in part, a shift by chance leaves about as much."""
    some = frames(15)
    energies = np.roll([a.get_potential_energy() for a in some], 1)
    moved = [changed(a, energy=lambda e, n=n: n) for a, n in zip(some, energies, strict=True)]
    unlike, alike = (Slope(0.6, 0.1, left, 15) for left in (1.0, 0.09))  # moved back: 0.06
    assert _shift(moved, unlike) == -1
    assert _shift(moved, alike) is None
