"""Quantum nuclei: path-integral dynamics by i-PI, which moves the beads of a ring polymer.

The quantum statistics of nuclei at a temperature are those of a ring of classical copies (beads)
joined by springs (Chandler and Wolynes, J. Chem. Phys. 74, 4078, 1981; Markland and Ceriotti, Nat.
Rev. Chem. 2, 0109, 2018). i-PI moves them (Litman et al., J. Chem. Phys. 161, 062504, 2024), the
potential answers as a driver.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.io import write
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.dynamics.beads import PathIntegrals
from interpmd.dynamics.biased import Biased
from interpmd.dynamics.driver import answers
from interpmd.dynamics.record import start
from interpmd.errors import SimulationError, StructureError
from interpmd.extras import required
from interpmd.potentials.potential import Potential
from interpmd.storage import canonical, locked, replace_file, seal_of
from interpmd.structures.files import Structures, one_structure, prepare_output
from interpmd.structures.systems import check_structure
from interpmd.structures.threads import one_thread

#: Å. Edge of the box that i-PI wants of molecules as well; it means nothing.
BOX = 100.0

#: s that i-PI may take to open its socket, and at the end to write what is left.
PATIENCE = 300.0

INPUT = """<simulation verbosity="low" floatformat="%20.12e">
  <output prefix="run">
    <properties filename="energies" stride="{interval}">
      [step, potential{{electronvolt}}, conserved{{electronvolt}}]
    </properties>
    <trajectory filename="beads" stride="{interval}" format="xyz">
      positions{{angstrom}}
    </trajectory>
    <checkpoint filename="checkpoint" stride="{checkpoint}" overwrite="False"/>
  </output>
  <total_steps>{steps}</total_steps>
  <prng><seed>{seed}</seed></prng>
  <ffsocket name="driver" mode="unix" pbc="false">
    <address>{address}</address><latency>1e-4</latency>
  </ffsocket>
  <system>
    <initialize nbeads="{beads}">
      <file mode="ase">start.xyz</file>
      <cell mode="abc" units="angstrom">[{box}, {box}, {box}]</cell>
      <masses mode="manual" units="dalton">{masses}</masses>
      <velocities mode="thermal" units="kelvin">{temperature}</velocities>
    </initialize>
    <forces><force forcefield="driver"/></forces>
    <motion mode="dynamics">
      <fixcom>True</fixcom>
      <dynamics mode="nvt">
        <timestep units="femtosecond">{timestep}</timestep>
        <thermostat mode="pile_l"><tau units="femtosecond">{friction}</tau></thermostat>
      </dynamics>
    </motion>
    <ensemble><temperature units="kelvin">{temperature}</temperature></ensemble>
  </system>
</simulation>
"""


@one_thread()
def path_integrals(
    potential: Potential | Calculator | str,
    atoms: Structures,
    beads: int = 16,
    steps: int = 2000,
    *,
    temperature: float = 300.0,
    timestep: float = 0.5,
    interval: int = 5,
    friction: float = 50.0,
    seed: int = 0,
    out: str | Path | None = None,
    progress: bool = True,
) -> PathIntegrals:
    """Move a molecule with quantum nuclei: i-PI moves the beads, the potential pulls at them.

    One bead is classical. The beads must be many enough: several times ħω/kT of the fastest
    vibration, for an O–H bond at 300 K 16 (coarse) to 32. A keyboard interrupt ends it early and
    returns what is there.

    Args:
        potential: a potential of interpmd, a level of theory by name, or any ASE calculator.
            What `im.lowered` has added is taken out of all averages again.
        atoms: a molecule, where to start, with the masses that it has; or a file of it.
        beads: of the ring.
        steps: of the dynamics.
        temperature: K. timestep: fs.
        interval: steps between samples.
        friction: fs, time in which the thermostat (PILE) forgets the motion of the centroid.
        seed: of velocities and thermostat; at least 0.
        out: a folder for i-PI's input, output and checkpoints. The same call with the same folder
            goes on from its last checkpoint; more `steps` make the run longer.
        progress: whether to show a progress bar.

    Raises:
        ArgumentError: numbers that make no sense.
        StructureError: a structure that cannot be used, or a periodic one.
        MissingPackageError: i-PI is not installed.
        SimulationError: i-PI ended with an error, whose words are told; or the folder holds another
            run.
        OutputError: the folder cannot be written, or somebody else has it.

    Returns:
        Samples of all beads, without the first tenth.
    """
    arguments.count(beads=beads, steps=steps, interval=interval)
    arguments.seeds(seed=seed)
    arguments.positive(temperature=temperature, timestep=timestep, friction=friction)
    required("ipi", "path integrals")
    molecule = one_structure(atoms).copy()
    check_structure(molecule)
    arguments.masses_of(molecule)
    if molecule.pbc.any():
        raise StructureError(
            "path integrals are run for molecules: set atoms.pbc = False, or write an input of "
            "i-PI with its cell and answer it by im.drive"
        )
    how: dict[str, Any] = {
        "beads": beads,
        "temperature": temperature,
        "timestep": timestep,
        "interval": interval,
        "friction": friction,
        "seed": seed,
    }
    settings = {"made_by": "path integrals", **start(potential, molecule), **how}
    settings["masses"] = seal_of(molecule.get_masses().round(6).tobytes())[:16]
    with ExitStack() as stack:
        if out is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="interpmd-")))
        else:
            folder = Path(out)
        prepare_output(folder / "input.xml")
        stack.enter_context(locked(folder / "input.xml"))
        _check_folder(folder, settings)
        address = f"interpmd-{seal_of(str(folder.absolute()))[:16]}"
        first = _prepared(folder, molecule, address, steps, how)
        if first is not None:
            _run(folder, first, address, potential, molecule, beads, steps, progress)
        found = read_beads(folder, molecule, timestep)
    kept = found[len(found) // 10 :]
    bias = None
    if isinstance(potential, Biased):
        bias = potential.bias([a for sample in kept.frames for a in sample])
        bias = bias.reshape(len(kept), beads).mean(1)
    return kept.told(temperature, settings | {"steps": steps}, bias)


def _check_folder(folder: Path, settings: dict[str, Any]) -> None:
    asked = folder / "asked.json"
    if not asked.exists():
        if (folder / "input.xml").exists():
            raise SimulationError(
                f"{folder} holds an input of i-PI that is not of this call; choose another folder"
            )
        replace_file(asked, canonical(settings) + "\n")
        return
    try:
        known = json.loads(asked.read_text())
        other = [k for k in known | settings if known.get(k) != json.loads(canonical(settings))[k]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SimulationError(f"{asked} is damaged; choose another folder") from error
    if other:
        raise SimulationError(
            f"{folder} holds path integrals with other settings ({', '.join(other)}); choose "
            "another folder, or delete it"
        )


def _prepared(
    folder: Path, molecule: Atoms, address: str, steps: int, how: dict[str, Any]
) -> str | None:
    """The input to begin with: a new one, or the last whole checkpoint; None if all is done."""
    found = _checkpoints(folder)
    for path in found:
        again = ElementTree.fromstring(path.read_text())
        if int(again.findtext("step", "0")) >= steps:
            return None
        for tag, words in (("total_steps", str(steps)), ("address", address)):
            for node in again.iter(tag):
                node.text = words
        replace_file(folder / "again.xml", ElementTree.tostring(again, encoding="unicode"))
        return "again.xml"
    for stale in folder.glob("run.*"):
        stale.unlink()
    bare = Atoms(molecule.numbers, molecule.positions - molecule.get_center_of_mass())
    write(folder / "start.xyz", bare, format="extxyz")
    words = INPUT.format(
        steps=steps,
        address=address,
        box=BOX,
        masses=[round(float(mass), 6) for mass in molecule.get_masses()],
        checkpoint=how["interval"] * max(1, min(100, steps // how["interval"] // 10)),
        **how,
    )
    replace_file(folder / "input.xml", words)
    return "input.xml"


def _checkpoints(folder: Path) -> list[Path]:
    """Whole checkpoints of i-PI, the newest first; one that was cut off is passed over."""
    found = []
    for path in [folder / "RESTART", *folder.glob("run.checkpoint*")]:
        with contextlib.suppress(ElementTree.ParseError, OSError, AttributeError, ValueError):
            step = ElementTree.fromstring(path.read_text()).find("step")
            found.append((int(step.text), path))  # type: ignore[union-attr, arg-type]
    return [path for _, path in sorted(found, reverse=True)]


def _run(
    folder: Path,
    first: str,
    address: str,
    potential: Potential | Calculator | str,
    molecule: Atoms,
    beads: int,
    steps: int,
    progress: bool,
) -> None:
    socket = Path(f"/tmp/ipi_{address}")
    socket.unlink(missing_ok=True)  # of a run that was killed: the folder is locked
    program = Path(sys.executable).parent / "i-pi"
    command = [str(program), first] if program.exists() else ["i-pi", first]
    with (folder / "said.txt").open("ab") as said:
        server = subprocess.Popen(
            [sys.executable, *command] if program.exists() else command,
            cwd=folder,
            stdout=said,
            stderr=said,
        )
        try:
            _answer(potential, molecule, address, server, progress)
            if server.wait(PATIENCE):
                raise SimulationError(_why(folder, "i-PI ended with an error"))
        except subprocess.TimeoutExpired as error:
            raise SimulationError(_why(folder, "i-PI did not end")) from error
        except KeyboardInterrupt:
            if not (folder / "run.energies").exists():
                raise
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)
            server.kill()
            server.wait()
            socket.unlink(missing_ok=True)


def _answer(
    potential: Potential | Calculator | str,
    molecule: Atoms,
    address: str,
    server: subprocess.Popen,
    progress: bool,
) -> None:
    """Forces for i-PI until it says goodbye, or has ended with an error of its own."""

    def runs() -> bool:
        return server.poll() is None

    asked = answers(potential, molecule, unix=address, wait=PATIENCE, comes=runs)
    try:
        with tqdm(desc="path integrals", unit="force", disable=not progress) as bar:
            for _ in asked:
                bar.update()
    except SimulationError:
        if not server.poll():
            raise


def _why(folder: Path, what: str) -> str:
    lines = (folder / "said.txt").read_text(errors="replace").strip().splitlines()
    return f"{what}: {lines[-1] if lines else 'it said nothing'} (all of it in {folder}/said.txt)"


def read_beads(folder: Path, molecule: Atoms, timestep: float) -> PathIntegrals:
    """The samples that i-PI has written; those that were written twice, before and after a run was
    broken off, count once.

    Raises:
        SimulationError: there are none.
    """
    energies: dict[int, tuple[float, float]] = {}
    for line in (folder / "run.energies").read_text().splitlines():
        words = line.split()
        if not line.lstrip().startswith("#") and len(words) == 3:
            energies[int(float(words[0]))] = (float(words[1]), float(words[2]))
    each = [_positions(path, len(molecule)) for path in sorted(folder.glob("run.beads_*.xyz"))]
    steps = sorted(set(energies).intersection(*each))
    if not steps:
        raise SimulationError(f"i-PI has written no sample into {folder}; see its said.txt")
    bare = Atoms(molecule.numbers)
    bare.set_masses(molecule.get_masses())
    return PathIntegrals(
        bare,
        timestep * np.array(steps, dtype=float),
        np.array([[bead[step] for bead in each] for step in steps]),
        np.array([energies[step][0] for step in steps]),
        np.array([energies[step][1] for step in steps]),
    )


def _positions(path: Path, atoms: int) -> dict[int, np.ndarray]:
    """Positions in Å by step; a last frame that was cut off is passed over."""
    lines, found = path.read_text().splitlines(keepends=True), {}
    for head, line in enumerate(lines):
        step = re.search(r"Step:\s*(\d+)", line)
        rows = [row.split() for row in lines[head + 1 : head + 1 + atoms] if row.endswith("\n")]
        if step and len(rows) == atoms and all(len(row) == 4 for row in rows):
            found[int(step.group(1))] = np.array([row[1:] for row in rows], dtype=float)
    return found
