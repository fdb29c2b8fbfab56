"""LAMMPS in this process: its integrators, with forces of any potential by `fix external`.

The box of LAMMPS has no periodic directions here, whatever the structure has: the potential knows
the cell, and positions come back as they are. For large systems on several ranks, which evaluate
their own atoms each, see `interpmd.dynamics.lammps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
from ase import Atoms, units

from interpmd.dynamics.engines.base import Evaluator, OneByOne
from interpmd.dynamics.engines.constraints import held
from interpmd.dynamics.engines.lammps_library import QUIET, lammps_library
from interpmd.dynamics.engines.plan import Plan

#: LAMMPS without units of its own: Å, u, eV, and so the unit of time of ASE.
SETUP = """
units lj
atom_style atomic
atom_modify map yes sort 0 0
boundary s s s
region box block -1 1 -1 1 -1 1
create_box {types} box
neigh_modify every 1000000 delay 1000000 check no
comm_modify cutoff 1
thermo_modify lost ignore
timestep {timestep!r}
"""


#: That LAMMPS takes.
LARGEST_SEED = 900_000_000


class LAMMPSEngine(OneByOne):
    """Velocity Verlet (`fix nve`), or Langevin dynamics by `fix gle` without additional momenta,
    the splitting OBABO (Bussi and Parrinello, Phys. Rev. E 75, 056707, 2007).

    Constraint: `FixAtoms` of ASE.

    Raises:
        ArgumentError: another constraint.
        MissingPackageError: LAMMPS is not installed.
    """

    name: ClassVar[str] = "lammps"

    def __init__(self, structures: Sequence[Atoms], plan: Plan) -> None:
        super().__init__(structures, plan)
        atoms = self.atoms
        self._failed: BaseException | None = None
        self._evaluator = Evaluator(atoms)
        fixed, _ = held(atoms, self.name, lengths_too=False)
        self._masses = atoms.get_masses()
        masses, types = np.unique(self._masses, return_inverse=True)
        self._lammps = lammps = lammps_library().lammps(cmdargs=QUIET)
        lammps.commands_string(SETUP.format(types=len(masses), timestep=plan.timestep * units.fs))
        for kind, mass in enumerate(masses.tolist(), 1):
            lammps.command(f"mass {kind} {mass!r}")
        ids = list(range(1, len(atoms) + 1))
        places = atoms.positions.ravel().tolist()
        lammps.create_atoms(len(atoms), ids, (types + 1).tolist(), places, None, None, True)
        lammps.command("group held empty")
        if fixed:
            lammps.command(f"group held id {' '.join(str(i + 1) for i in sorted(set(fixed)))}")
        lammps.command("group free subtract all held")
        lammps.command("fix forces all external pf/callback 1 1")
        lammps.set_fix_external_callback("forces", self._forces)
        self._folder = TemporaryDirectory()
        self._friction = Path(self._folder.name) / "friction"
        self._friction.write_text(f"{plan.friction / units.fs!r}\n")
        if not plan.langevin:
            lammps.command("fix steps free nve")
        self._begun = False

    def move_one(self, steps: int, rng: np.random.Generator) -> None:
        atoms, lammps, count = self.atoms, self._lammps, len(self.atoms)
        self._evaluator.begin(atoms)
        if self.plan.langevin:
            self._reseed(int(rng.integers(1, LARGEST_SEED)))
        lammps.numpy.extract_atom("x", nelem=count)[:] = atoms.positions
        velocities = atoms.get_momenta() / self._masses[:, None]
        lammps.numpy.extract_atom("v", nelem=count)[:] = velocities
        lammps.command(f"run {steps} post no")
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed
        velocities = lammps.numpy.extract_atom("v", nelem=count) * self._masses[:, None]
        atoms.set_positions(lammps.numpy.extract_atom("x", nelem=count), apply_constraint=False)
        atoms.set_momenta(velocities, apply_constraint=False)
        self._evaluator.end(atoms)

    def _reseed(self, seed: int) -> None:
        temperature = self.plan.thermal_energy
        if self._begun:
            self._lammps.command("unfix steps")
        self._lammps.command(
            f"fix steps free gle 0 {temperature!r} {temperature!r} {seed} {self._friction}"
        )
        self._begun = True

    def _forces(
        self, caller: Any, step: int, count: int, ids: np.ndarray, x: np.ndarray, f: np.ndarray
    ) -> None:
        """Called by LAMMPS, which takes no errors of Python: it is told to stop instead."""
        if self._failed is None:
            try:
                f[:] = self._evaluator.at(x)[1]
                return
            except BaseException as error:
                self._failed = error
                self._lammps.lib.lammps_force_timeout(self._lammps.lmp)
        f[:] = 0.0
