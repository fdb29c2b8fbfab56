"""The shipped data: what the cards say is what the files hold."""

import gzip
import hashlib
import io
import json
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.emt import EMT
from ase.io import read

from interpmd.reference import isolated_atoms, label
from interpmd.reference.checks import check_structure
from interpmd.reference.clusters import molecules_of

DATA = Path(__file__).parents[2] / "data"
SETS = ("alanine_dipeptide", "copper", "malonaldehyde", "small_molecules", "water", "water_liquid")
# eV/A; DFT forces do not sum to zero exactly because the integration grid moves with the atoms
NET_FORCE = {
    "emt(asap_cutoff=False)": 1e-4,
    "gfn1-xtb": 1e-4,
    "gfn2-xtb": 1e-4,
    "wb97x-d3bj/def2-svp": 1e-2,
}


@cache
def card_of(name: str) -> dict:
    return json.loads((DATA / name / "card.json").read_text())


@cache
def frames_of(name: str) -> dict:
    return {part: read_quickly(DATA / name / f"{part}.extxyz.gz") for part in ("train", "test")}


def read_quickly(path: Path) -> list:
    # ase.io.read seeks backwards in the compressed file, which takes ten times as long
    return read(io.StringIO(gzip.decompress(path.read_bytes()).decode()), ":", format="extxyz")


def everything(name: str) -> list:
    return [atoms for part in frames_of(name).values() for atoms in part]


def test_all_sets_are_there_and_small():
    assert sorted(path.parent.name for path in DATA.glob("*/card.json")) == sorted(SETS)
    assert sum(path.stat().st_size for path in DATA.glob("*/*")) < 1.2e7


@pytest.mark.parametrize("name", SETS)
def test_card_matches_files(name):
    card = card_of(name)
    for part, frames in frames_of(name).items():
        assert len(frames) == card["frames"][part]
        assert Counter(a.info["subset"] for a in frames) == card["counts"][part]
        assert {a.info["level"] for a in frames} == {card["level"]}
        text = gzip.decompress((DATA / name / f"{part}.extxyz.gz").read_bytes())
        assert hashlib.sha256(text).hexdigest() == card["sha256_of_text"][part]
        forces = np.concatenate([a.get_forces() for a in frames if len(a) > 1])
        assert np.sqrt(np.mean(forces**2)) == pytest.approx(
            card["force_rms_eV_per_A"][part], abs=2e-4
        )
    assert "isolated" not in card["counts"]["test"]
    assert set(card["counts"]["test"]) == set(card["counts"]["train"]) - {"isolated"}
    assert (DATA.parent / card["regenerate"].split()[1]).is_file()


def test_fragments_of_water_match_their_card_and_none_is_a_test_frame():
    card = json.loads((DATA / "water" / "fragments.json").read_text())
    path = DATA / "water" / "fragments.extxyz.gz"
    frames = read_quickly(path)
    text = gzip.decompress(path.read_bytes())
    assert hashlib.sha256(text).hexdigest() == card["sha256_of_text"]
    assert len(frames) == card["frames"] == sum(card["counts"].values())
    sizes = Counter(len(a) // 3 for a in frames)
    assert sorted(sizes.values()) == sorted(card["counts"].values())
    assert {a.info["level"] for a in frames} == {card["level"]}
    # places from the first atom on tell frames apart, wherever the molecules stand
    places = lambda a: np.round(a.positions - a.positions[0], 4).tobytes()  # noqa: E731
    assert not {places(a) for a in frames} & {places(a) for a in frames_of("water")["test"]}
    assert (DATA.parent / card["regenerate"].split()[1]).is_file()


@pytest.mark.parametrize("name", ["alanine_dipeptide", "copper", "malonaldehyde", "water"])
def test_radicals_match_their_card_and_are_parts_of_frames(name):
    for kind, split in (("radicals_test", "test"), ("radicals", "train")):
        path = DATA / name / f"{kind}.extxyz.gz"
        if kind == "radicals" and name != "water":
            assert not path.exists()
            continue
        card, frames = json.loads((DATA / name / f"{kind}.json").read_text()), read_quickly(path)
        text = gzip.decompress(path.read_bytes())
        assert hashlib.sha256(text).hexdigest() == card["sha256_of_text"]
        assert len(frames) == card["frames"] == sum(card["counts"].values())
        assert {len(a) for a in frames} <= {2, 3, 4} and not any(a.pbc.any() for a in frames)
        assert {a.info["subset"] for a in frames} == {"radical"}
        # the same atoms at the same places, without the others
        whole = [_placed(a) for a in frames_of(name)[split]]
        assert all(any(_placed(part) <= frame for frame in whole) for part in frames[:40])
        assert (DATA.parent / card["regenerate"].split()[1]).is_file()


@pytest.mark.parametrize("name", ["alanine_dipeptide", "malonaldehyde"])
def test_groups_match_their_card_and_are_closed_shell_parts_of_training_frames(name):
    card = json.loads((DATA / name / "groups.json").read_text())
    path = DATA / name / "groups.extxyz.gz"
    frames = read_quickly(path)
    assert hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest() == card["sha256_of_text"]
    assert len(frames) == card["frames"]
    assert Counter(a.info["subset"] for a in frames) == card["counts"]
    assert Counter(a.get_chemical_formula() for a in frames) == card["formulas"]
    assert {a.info["level"] for a in frames} == {card_of(name)["level"]}
    assert {(a.info["charge"], a.info["multiplicity"]) for a in frames} == {(0, 1)}
    whole = [a for a in frames_of(name)["train"] if len(a) > 1]
    assert card["cut_frames"] <= len(whole)
    assert max(map(len, frames)) < len(whole[0])
    # heavy atoms of a part stand in a training frame as they are
    gaps = {_gaps(a) for a in whole}
    heavy = [a for a in frames if sum(a.numbers > 1) > 2]
    assert all(any(_gaps(a) <= known for known in gaps) for a in heavy[::25])
    assert (DATA.parent / card["regenerate"].split()[1]).is_file()


def _placed(atoms):
    """Which elements stand where."""
    places = map(tuple, np.round(atoms.positions, 5).tolist())
    return set(zip(atoms.numbers.tolist(), places, strict=True))


def _gaps(atoms) -> frozenset:
    """Distances between heavy atoms."""
    heavy = atoms[atoms.numbers > 1]
    distances = heavy.get_all_distances()[np.triu_indices(len(heavy), 1)]
    return frozenset(np.round(distances, 4).tolist())


def test_files_can_be_read_by_ase_directly():
    [atoms] = read(DATA / "water" / "test.extxyz.gz", index=":1")
    expected = frames_of("water")["test"][0]
    assert atoms.get_potential_energy() == expected.get_potential_energy()
    np.testing.assert_array_equal(atoms.get_forces(), expected.get_forces())


@pytest.mark.parametrize("name", SETS)
def test_frames_are_sound(name):
    frames = everything(name)
    for atoms in frames:
        check_structure(atoms)
        forces = atoms.get_forces()
        assert np.isfinite(atoms.get_potential_energy()) and np.isfinite(forces).all()
        assert np.abs(forces.sum(axis=0)).max() < NET_FORCE[card_of(name)["level"]]
    places = {atoms.numbers.tobytes() + atoms.positions.tobytes() for atoms in frames}
    assert len(places) == len(frames)


@pytest.mark.parametrize("name", SETS)
def test_molecules_are_bound(name):
    isolated = card_of(name)["isolated_atom_energies_eV"]
    for atoms in everything(name):
        binding = atoms.get_potential_energy() - sum(isolated[s] for s in atoms.symbols)
        if len(atoms) == 1:
            assert binding == pytest.approx(0, abs=1e-8)
            assert atoms.info["config_type"] == "IsolatedAtom"
        else:
            assert -8 < binding / len(atoms) < -2


@pytest.mark.parametrize(
    "name", ["alanine_dipeptide", "copper", "small_molecules", "water", "water_liquid"]
)
def test_labels_can_be_made_again(name):
    shipped = frames_of(name)["test"][::40]
    level = EMT() if name == "copper" else card_of(name)["level"]
    bare = [Atoms(a.numbers, a.positions, cell=a.cell, pbc=a.pbc) for a in shipped]
    again = label(bare, level, progress=False)
    for ours, theirs in zip(again, shipped, strict=True):
        # positions were rounded to 1e-6 A after labelling
        assert ours.get_potential_energy() == pytest.approx(theirs.get_potential_energy(), abs=1e-4)
        np.testing.assert_allclose(ours.get_forces(), theirs.get_forces(), atol=3e-4)
        if theirs.pbc.all():
            np.testing.assert_allclose(ours.get_stress(), theirs.get_stress(), atol=1e-5)
    isolated = card_of(name)["isolated_atom_energies_eV"]
    for atom in isolated_atoms(list(isolated), level):
        assert atom.get_potential_energy() == pytest.approx(isolated[str(atom.symbols)], abs=1e-6)


def test_strained_small_molecules_are_what_their_card_says_and_can_be_labelled_again():
    card, folder = card_of("small_molecules"), DATA / "small_molecules"
    near = 0
    for part in ("wider", "strained", "path", "close", "choosing"):
        frames = read_quickly(folder / f"{part}.extxyz.gz")
        assert len(frames) == card["other_frames"][part]
        assert len({a.info["molecule"] for a in frames}) == card["molecules"][part]
        some = frames[::400]
        again = label([Atoms(a.numbers, a.positions) for a in some], "gfn2-xtb", progress=False)
        for ours, theirs in zip(again, some, strict=True):
            np.testing.assert_allclose(ours.get_forces(), theirs.get_forces(), atol=1e-3)
        near += sum(_closest_hydrogens(a) < 1.4 for a in frames)
    # atoms without a bond touch: what relaxations would otherwise find by themselves
    assert near > 500


def _closest_hydrogens(atoms: Atoms) -> float:
    distances = atoms[atoms.numbers == 1].get_all_distances()
    return distances[np.triu_indices_from(distances, k=1)].min(initial=9.0)


def test_choosing_molecules_are_nobody_elses():
    folder = DATA / "small_molecules"
    names = {
        part: {a.info.get("molecule") for a in read_quickly(folder / f"{part}.extxyz.gz")}
        for part in ("train", "wider", "path", "close", "known", "valid", "lacking", "choosing")
    }
    chosen = names.pop("choosing")
    assert len(chosen) == 30
    assert all(not chosen & others for others in names.values())


def test_malonaldehyde_covers_both_forms_and_the_transfer():
    assert len(everything("malonaldehyde")) >= 650
    card = card_of("malonaldehyde")
    oxygen, other, proton = (card["atoms"][key] for key in ("O1", "O2", "proton"))
    for part, frames in frames_of("malonaldehyde").items():
        frames = [a for a in frames if len(a) == 9]
        delta = np.array(
            [a.get_distance(oxygen, proton) - a.get_distance(other, proton) for a in frames]
        )
        assert (delta > 0.3).mean() > 0.2 and (delta < -0.3).mean() > 0.2
        middle = [a for a, d in zip(frames, delta, strict=True) if abs(d) < 0.3]
        assert len(middle) > {"train": 100, "test": 15}[part]
        gaps = [a.get_distance(oxygen, other) for a in middle]
        assert min(gaps) < 2.35 and max(gaps) > 2.6


def test_water_has_all_sizes_near_and_far():
    for part, frames in frames_of("water").items():
        sizes = Counter(a.info["molecules"] for a in frames)
        assert set(sizes) >= {1, 2, 3, 4, 5, 6}
        assert min(sizes[size] for size in range(1, 7)) >= {"train": 150, "test": 20}[part]
        pairs = [a for a in frames if a.info["subset"] == "dimer"]
        gaps = [
            np.linalg.norm(a.positions[a.symbols == "O"][0] - a.positions[a.symbols == "O"][1])
            for a in pairs
        ]
        assert min(gaps) < 2.5 and max(gaps) > 8.0
    clusters = [a for a in everything("water") if a.info["subset"] in ("dimer", "hexamer")]
    whole = [len(molecules_of(a)) == a.info["molecules"] for a in clusters]
    assert np.mean(whole) > 0.95


def test_alanine_dipeptide_covers_the_plane_of_its_dihedrals():
    card = card_of("alanine_dipeptide")
    frames = [a for a in frames_of("alanine_dipeptide")["train"] if len(a) == 22]
    angles = np.array(
        [[a.get_dihedral(*card["dihedrals"][key]) for key in ("phi", "psi")] for a in frames]
    )
    boxes = Counter(map(tuple, (angles // 45 % 8).astype(int)))
    assert len(boxes) == 64
    for phi, psi in card["basins_phi_psi_deg"].values():
        away = np.abs((angles - [phi, psi] + 180) % 360 - 180).max(axis=1)
        assert (away < 30).sum() >= 30
    # one hand only: the volume spanned at the alpha carbon keeps its sign
    volumes = [np.linalg.det(a.positions[[3, 6, 5]] - a.positions[4]) for a in frames]
    assert min(volumes) * max(volumes) > 0


def test_boxes_of_water_are_liquid_compressed_and_expanded():
    boxes = [a for a in everything("water_liquid") if a.pbc.all()]
    assert len(boxes) > 120 and {len(a) for a in boxes} == {96}
    densities = [a.get_masses().sum() / units.mol / a.get_volume() * 1e24 for a in boxes]
    assert min(densities) < 0.85 and max(densities) > 1.15
    assert np.mean(np.abs(np.array(densities) - 1.0) < 0.06) > 0.3
    stresses = np.array([a.get_stress() for a in boxes])
    assert stresses[:, :3].min() < -0.01 and stresses[:, :3].max() > 0.0


def test_copper_has_vacancies_surfaces_and_melt():
    frames = everything("copper")
    assert Counter(a.info["subset"] for a in frames) >= Counter(melt=15, surface=15, vacancy=25)
    assert {len(a) for a in frames if a.info["subset"] == "vacancy"} == {30, 31}
    gaps = [np.ptp(a.positions[:, 2]) for a in frames if a.info["subset"] == "surface"]
    heights = [a.cell[2, 2] for a in frames if a.info["subset"] == "surface"]
    assert np.min(np.array(heights) - gaps) > 10
