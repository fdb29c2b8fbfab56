"""The doctor: rows and error bars as in the table, proposals that tell most, and the cure."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from ase.io import read, write
from frames_of_methanol import ISOLATED, SMALL, TRUTH, frames, labelled
from typer.testing import CliRunner

import interpmd as im
from interpmd.cli import app
from interpmd.decomposition.assemble import decompose
from interpmd.decomposition.few_atoms import trimer_positions
from interpmd.structures.seen import WIDTH
from interpmd.trust.diagnosis import ranges
from interpmd.trust.geometries import ANGLES
from interpmd.trust.treatment import label_proposal, multiplicities

TRAIN = frames(80) + ISOLATED


@pytest.fixture(scope="module")
def report():
    return im.fit(TRAIN, test=frames(20, 1), spec=SMALL, progress=False)


@pytest.fixture(scope="module")
def diagnosis(report):
    return im.doctor(report.potential, TRAIN)


@pytest.fixture(scope="module")
def cured(report, diagnosis):
    return im.cure(
        report,
        TRAIN,
        TRUTH.calculator(),
        diagnosis=diagnosis,
        subset_weights={"dimer": 1.0, "trimer": 1.0},
        parts="radicals",
        test=frames(20, 1),
        progress=False,
    )


def pairs_of(found):
    table = found.to_frame()
    return table[(table.order == 2) & table.physical]


def atoms_of(found, geometry):
    numbers, sides = found.numbers[geometry], found.sides[geometry]
    if not numbers[2]:
        return Atoms(numbers[:2], [[0, 0, 0], [0, 0, sides[0]]])
    return Atoms(numbers, trimer_positions(sides[None])[0])


def errors(found, order):
    """Root mean square of row minus known row over physical geometries, in eV."""
    chosen = np.flatnonzero((found.table.order == order) & found.table.physical)
    sides = torch.as_tensor(found.sides[chosen])
    if order == 2:
        true = TRUTH.terms["stillinger_weber"].pair_energy(sides[:, 0])
    else:
        true = TRUTH.terms["stillinger_weber"].triplet_energy(sides.T)
    return found.table.energy_eV.to_numpy()[chosen] - true.numpy()


def test_rows_and_error_bars_are_those_of_the_table(report, diagnosis):
    table, potential = diagnosis.to_frame(), report.potential
    rng = np.random.default_rng(0)
    inside = np.flatnonzero((np.nan_to_num(diagnosis.sides) < potential.cutoff).all(1))
    pairs = inside[table.order.to_numpy()[inside] == 2]
    for geometry in [*rng.choice(pairs, 6), *rng.choice(inside[len(pairs) :], 12)]:
        rows = decompose(potential, atoms_of(diagnosis, geometry))
        mine = rows.order == table.order[geometry]
        assert table.energy_eV[geometry] == pytest.approx(rows.energies[mine].sum(), abs=1e-10)
        spread = np.sqrt((rows.samples[mine].sum(0) ** 2).mean())
        assert table.std_eV[geometry] == pytest.approx(spread, abs=1e-10)
        if table.order[geometry] == 2:
            assert table.std_eV[geometry] == pytest.approx(rows.energy_std, abs=1e-10)


def test_every_pair_and_every_corner_of_the_elements_is_there(diagnosis):
    table = diagnosis.to_frame()
    assert set(table[table.order == 2].elements) == {"H-H", "H-C", "H-O", "C-C", "C-O", "O-O"}
    assert table[table.order == 3].elements.nunique() == 3 * 6
    water = table[(table.elements == "H-O-H") & ~table.drawn]
    assert set(water.angle_deg.round(6)) <= set(ANGLES)
    assert water.r1_A.max() <= 0.9 * SMALL["cutoff"] + 1e-9
    assert (table.determined == (table.std_eV < 0.05)).all()


def test_pairs_that_molecules_do_not_hold_are_not_determined(diagnosis):
    """One carbon and one oxygen in each frame: C-C and O-O rows come from the prior alone."""
    found = diagnosis.summary()
    strange = found.loc[["C-C", "O-O"]]
    assert (strange.determined < 0.4).all()
    assert (strange.worst_std_eV > 0.3).all()
    assert strange.in_data_std_eV.isna().all()
    bonds = pairs_of(diagnosis)
    bond = bonds[(bonds.elements == "C-O") & (bonds.r1_A.between(1.3, 1.55))].std_eV.mean()
    assert bond < 0.6 * strange.mean_std_eV.min()


def test_error_bars_cover_the_errors(diagnosis):
    """On pairs that the data hold: between half and three times the errors."""
    table = diagnosis.table
    chosen = ((table.order == 2) & table.physical).to_numpy()
    seen = table.in_data.to_numpy()[chosen] > 0
    actual = np.sqrt((errors(diagnosis, 2)[seen] ** 2).mean())
    claimed = np.sqrt((table.std_eV.to_numpy()[chosen][seen] ** 2).mean())
    assert 0.5 < claimed / actual < 3


def test_counts_of_the_data(diagnosis):
    table = diagnosis.to_frame()
    hydrogens = table[(table.order == 2) & (table.elements == "C-O")]
    distances = np.array([a.get_distance(0, 1) for a in TRAIN[:80]])
    for row in hydrogens.itertuples():
        assert row.in_data == (np.abs(distances - row.r1_A) <= WIDTH).sum()
    drawn = table[table.drawn]
    assert (drawn.in_data > 0).all()
    assert not drawn.elements.isin(["O-O-O", "C-C-C", "C-O-O"]).any()


def test_proposals_are_physical_spread_out_and_worst_first(diagnosis):
    many = diagnosis.proposal(120, "radicals")
    assert len(many) <= 120
    singles = [a for a in many if a.info["subset"] == "isolated"]
    assert [str(a.symbols) for a in singles] == ["H", "C", "O"]
    assert [a.info["multiplicity"] for a in singles] == [2, 3, 3]
    assert {a.info["subset"] for a in many} == {"isolated", "dimer", "trimer"}
    seen = {}
    for atoms in many[3:]:
        distances = np.sort(atoms.get_all_distances()[np.triu_indices(len(atoms), 1)])
        key = tuple(sorted(atoms.numbers))
        for other in seen.setdefault(key, []):
            assert np.abs(distances - other).max() > 0.03
        seen[key].append(distances)
        assert sum(atoms.numbers) % 2 == (atoms.info["multiplicity"] - 1) % 2
    physical = pairs_of(diagnosis)
    worst = physical.loc[physical.std_eV.idxmax()]
    assert many[3].get_distance(0, 1) == pytest.approx(worst.r1_A)
    closest = min(seen[1, 1])
    assert closest[0] >= 0.7 * 2 * 0.31 - 1e-9


def test_conditioning_spares_what_one_label_already_tells(diagnosis):
    """The second dimer is not the neighbour of the first on the grid, though it is as uncertain."""
    pairs = pairs_of(diagnosis)
    names = [str(a.symbols) for a in diagnosis.proposal(60, "radicals")[3:]]
    dimers = {name: names.count(name) for name in ("C2", "O2")}
    for name, element in (("C2", "C-C"), ("O2", "O-O")):
        part = pairs[pairs.elements == element]
        assert 0 < dimers[name] < (~part.determined).sum()


def test_the_cure_determines_the_rows_and_finds_the_truth(report, diagnosis, cured):
    """Where the molecules are: rows off by electronvolts, pairs then by less than a tenth."""
    again = im.doctor(cured.potential, TRAIN)
    for order, error, bar in ((2, 0.1, 0.15), (3, 0.2, 0.4)):
        of_order = ((diagnosis.table.order == order) & diagnosis.table.physical).to_numpy()
        seen = (diagnosis.table.drawn | ((order == 2) & (diagnosis.table.in_data > 0))).to_numpy()
        before, after = (
            np.sqrt((errors(d, order)[seen[of_order]] ** 2).mean()) for d in (diagnosis, again)
        )
        assert before > 3 and after < error
        std = [d.table.std_eV[of_order & seen].mean() for d in (diagnosis, again)]
        assert std[0] > 4 * bar and std[1] < bar
    assert np.sqrt((errors(again, 2) ** 2).mean()) < 0.1
    strange = ["C-C", "O-O"]
    worst = [d.summary().loc[strange].worst_std_eV.max() for d in (diagnosis, again)]
    assert worst[1] < worst[0] / 100
    assert cured.potential.terms["expansion"].config() == (
        report.potential.terms["expansion"].config()
    )


def test_only_the_proposals_take_their_weights_and_channels_are_refined_as_before():
    """A subset of the training data that is called dimer keeps its own weight."""
    from interpmd.trust import treatment as curing

    many = frames(30)
    for atoms in many:
        atoms.info["subset"] = "dimer"
    many += TRAIN[80:]
    how = {"spec": SMALL | {"channels": (3, 3)}, "ridge": 1e-7, "refine": 1}
    fitted = im.fit(many, progress=False, **how)
    taken = {}
    original = curing.fit
    try:
        curing.fit = lambda many, **options: taken.update(options, many=many)
        im.cure(
            fitted,
            many,
            TRUTH.calculator(),
            most=20,
            subset_weights={"dimer": 0.5},
            parts="radicals",
            progress=False,
        )
    finally:
        curing.fit = original
    added = {a.info["subset"] for a in taken["many"][33:]}
    assert added == {"proposed dimer", "proposed trimer"}
    assert taken["subset_weights"]["proposed dimer"] == 0.5
    assert taken["refine"] == 1
    assert set(taken["subset_weights"]) == added, "no weights of what was not proposed"


def test_labels_are_of_the_lowest_spin_state_and_complete(tmp_path):
    pytest.importorskip("tblite")
    oxygen = Atoms("O2", [[0, 0, 0], [1.2, 0, 0]], info={"subset": "dimer", "multiplicity": 1})
    assert multiplicities(oxygen) == [1, 3, 5]
    out = tmp_path / "labels.extxyz"
    (found,) = label_proposal([oxygen], "gfn2-xtb", out, progress=False)
    assert len(read(out, ":")) == 3
    assert found.get_potential_energy() == min(a.get_potential_energy() for a in read(out, ":"))
    assert found.info["subset"] == "dimer"
    hydrogen = Atoms("H2", [[0, 0, 0], [0.8, 0, 0]], info={"subset": "dimer"})
    again = label_proposal([hydrogen, oxygen], "gfn2-xtb", out, progress=False)
    assert [str(a.symbols) for a in again] == ["H2", "O2"]
    assert again[1].get_potential_energy() == pytest.approx(found.get_potential_energy(), abs=1e-6)
    assert len(read(out, ":")) == 5


def test_a_structure_with_a_failed_state_is_left_out(tmp_path, monkeypatch):
    pytest.importorskip("tblite")
    from interpmd.errors import CalculationError
    from interpmd.levels.xtb import XTB

    original = XTB.evaluate

    def singlet_fails(self, atoms, charge=0, multiplicity=1):
        if multiplicity == 1 and atoms.symbols[0] == "O":
            raise CalculationError("not converged")
        return original(self, atoms, charge, multiplicity)

    monkeypatch.setattr(XTB, "evaluate", singlet_fails)
    two = [Atoms(name, [[0, 0, 0], [1.1, 0, 0]], info={"subset": "dimer"}) for name in ("O2", "N2")]
    with pytest.warns(UserWarning, match="1 frame has no label"):
        found = label_proposal(two, "gfn2-xtb", progress=False)
    assert [str(a.symbols) for a in found] == ["N2"]


@pytest.mark.parametrize(("symbols", "expected"), [("CH", [2, 4]), ("N", [4]), ("H3", [2, 4])])
def test_multiplicities_fit_the_electrons(symbols, expected):
    assert multiplicities(Atoms(symbols)) == expected


def test_ranges_of_distances(diagnosis):
    table = pairs_of(diagnosis)[:5].assign(r1_A=[1.0, 1.1, 1.2, 1.3, 1.4])
    assert ranges(table.assign(determined=[False, False, True, False, True])) == "1.0–1.1, 1.3–1.3"
    assert ranges(table.assign(determined=True)) == ""


def test_given_distances_and_angles(report):
    found = im.doctor(report.potential, distances=[1.0, 1.5, 2.5], angles=[], threshold=1e4)
    assert (found.table.order == 2).all()
    assert set(found.table.r1_A) == {1.0, 1.5, 2.5}
    assert found.table.determined.all()
    assert [a.info["subset"] for a in found.proposal()] == ["isolated"] * 3
    with pytest.warns(FutureWarning, match=r"doctor\(train=...\)"):
        former = im.doctor(report.potential, data=TRAIN[:3], distances=[1.5], angles=[])
    assert "in_data" in former.table


def test_bad_input_is_named(report, diagnosis):
    with pytest.raises(im.InterpmdError, match="no posterior samples"):
        im.doctor(TRUTH)
    with pytest.raises(im.UnknownElementError, match="atom 1 is S"):
        im.doctor(report.potential, [molecule("CH3SH")])
    for arguments in ({"distances": [0.1]}, {"angles": [200]}, {"threshold": 0}):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            im.doctor(report.potential, **arguments)
    with pytest.raises(ValueError, match="most is above 3"):
        diagnosis.proposal(3, "radicals")
    with pytest.raises(im.LabelError, match="level of theory is unknown"):
        im.cure(report, TRAIN, progress=False)
    with pytest.raises(im.LabelError, match=r"fitted to wb97x-d3bj/def2-svp; labels at gfn2-xtb"):
        im.cure(im.load("malonaldehyde"), TRAIN, "gfn2-xtb", progress=False)
    with pytest.raises(im.UnknownElementError, match="is S"):
        im.cure(report, [labelled(molecule("CH3SH"))], TRUTH.calculator(), progress=False)


def test_shown_and_plotted(diagnosis, tmp_path):
    assert "pair rows" in str(diagnosis)
    assert "<table" in diagnosis._repr_html_()
    axes = diagnosis.plot()
    titles = [axis.get_title(loc="left") for axis in axes]
    assert len(titles) == 7
    assert any(title.startswith("C–O: ") for title in titles)
    plt.savefig(tmp_path / "picture.png")
    plt.close()
    assert (tmp_path / "picture.png").stat().st_size > 20_000


def test_command_line(report, tmp_path):
    report.potential.save(tmp_path / "potential")
    write(tmp_path / "train.extxyz", TRAIN)
    command = [
        "doctor", tmp_path / "potential", "--train", tmp_path / "train.extxyz", "--most", 30,
        "--propose", tmp_path / "more.extxyz", "--parts", "radicals",
        "--plot", tmp_path / "picture.png",
    ]  # fmt: skip
    found = CliRunner().invoke(app, [str(part) for part in command], catch_exceptions=False)
    assert found.exit_code == 0
    assert "O-O" in found.stdout
    assert "30 structures to label" in found.stdout
    assert read(tmp_path / "more.extxyz", ":")[5].info["subset"] == "dimer"
    assert (tmp_path / "picture.png").exists()
