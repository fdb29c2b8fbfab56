"""Forces for i-PI and other programs that ask for them over a socket."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from ase.calculators.calculator import Calculator
from ase.calculators.socketio import SocketClient, SocketClosed

from interpmd import arguments
from interpmd.dynamics.asked import mover
from interpmd.errors import SimulationError
from interpmd.potentials.potential import Potential
from interpmd.structures.charges import tell_calculators
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.systems import check_structure
from interpmd.structures.threads import one_thread


@one_thread()
def drive(
    potential: Potential | Calculator | str,
    atoms: Structures,
    host: str = "localhost",
    port: int = 31415,
    unix: str | None = None,
    wait: float = 0.0,
) -> int:
    """Answer a server of i-PI's protocol with energies, forces and stresses, until it says goodbye.

    So that i-PI's path integrals, thermostats, replica exchange and the like move the atoms, while
    the potential says what pulls at them. Several drivers may serve one server.

    Args:
        potential: a potential of interpmd, a level of theory by name, or any ASE calculator.
        atoms: which elements there are, in the order of the server's file, and whether the cell
            is periodic; positions and cell come from the server.
        host, port: of a server that listens at a port.
        unix: name of a socket in the file system instead (``<address>`` of i-PI, which puts it at
            /tmp/ipi_NAME).
        wait: s to go on knocking where nobody listens yet, as for a server that is only starting.

    Raises:
        ArgumentError: no port, or a time to wait below zero.
        ModelError: the potential gives no energies and forces.
        SimulationError: nobody listens there, or what is asked for cannot be computed.

    Returns:
        Number of structures that were evaluated.
    """
    return sum(1 for _ in answers(potential, atoms, host, port, unix, wait))


def answers(
    potential: Potential | Calculator | str,
    atoms: Structures,
    host: str = "localhost",
    port: int = 31415,
    unix: str | None = None,
    wait: float = 0.0,
    comes: Callable[[], bool] = lambda: True,
) -> Iterator[None]:
    """The same, yielding after each structure; see `drive`.

    Args:
        comes: whether the server that is waited for may still come.
    """
    arguments.count(port=port)
    arguments.not_negative(wait=wait)
    potential = mover(potential)
    here = one_structure(atoms).copy()
    check_structure(here)
    here.set_constraint()
    here.calc = potential.calculator() if isinstance(potential, Potential) else potential
    tell_calculators(here)
    client = _connected(host, port, unix, time.monotonic() + wait, comes)
    try:
        for _ in client.irun(here, use_stress=bool(here.pbc.all())):
            yield
    except (ConnectionError, SocketClosed):
        pass  # the server is gone: it has what it wanted


def _connected(
    host: str, port: int, unix: str | None, until: float, comes: Callable[[], bool]
) -> SocketClient:
    while True:
        try:
            return SocketClient(host, None if unix else port, unixsocket=unix)
        except OSError as error:
            if time.monotonic() < until and comes():
                time.sleep(0.02)
                continue
            place = f"/tmp/ipi_{unix}" if unix else f"{host}:{port}"
            raise SimulationError(
                f"nobody listens at {place} ({error.strerror or error}); start the server first, "
                "and give its --port, or the --unix address of its ffsocket"
            ) from error
