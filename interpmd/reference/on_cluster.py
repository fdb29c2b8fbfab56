"""Jobs on a cluster of Dask, in order; what a worker that is lost had is done again by another."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

from interpmd.errors import ArgumentError, CalculationError
from interpmd.extras import required
from interpmd.reference.remote import Killed, remotely, with_warnings

#: What a client raises whose scheduler does not answer any more, where the job itself did not.
GONE = (CancelledError, ConnectionError)

#: Seconds that a job waits while the cluster has no worker at all.
PATIENCE = 300.0

#: Jobs under way for each thread of the cluster: one in work, others at hand.
AHEAD = 3


def workers_of(client: Any) -> int:
    """Threads of the workers that a client has.

    Raises:
        ArgumentError: it is no client of Dask, or has no workers.
        MissingPackageError: Dask is not installed.
    """
    distributed = required("distributed", "a cluster")
    if not isinstance(client, distributed.Client):
        raise ArgumentError(
            f"client is a dask.distributed.Client, not {type(client).__name__}: "
            'Client() for this machine, Client("tcp://...") for a cluster'
        )
    threads = sum(client.nthreads().values())
    if not threads:
        raise ArgumentError(
            f"{client} has no workers: wait for them (client.wait_for_workers(1)), or start some"
        )
    return threads


def on_cluster(
    client: Any, function: Callable[..., Any], jobs: Sequence[tuple], names: Sequence[str]
) -> Iterator[Any]:
    """Results of a function for the arguments of each job, in the order of the jobs.

    When a worker is lost, Dask gives to another what it had under way and what it had finished and
    not yet handed over. A job that loses worker after worker (three, unless the cluster says
    otherwise), and again when nothing else is under way, gives `Killed`. When the block ends early,
    what is under way is cancelled.

    Args:
        client: of Dask.
        function: of the top level of a module that the workers have.
        jobs: arguments of each call.
        names: of the jobs, for messages.

    Raises:
        ArgumentError, MissingPackageError: see `workers_of`.
        CalculationError: the cluster is gone, or has had no worker for `PATIENCE` seconds.
    """
    distributed = required("distributed", "a cluster")
    most = AHEAD * workers_of(client)
    waiting: deque[tuple[int, Any]] = deque()
    rest = iter(range(len(jobs)))
    index = 0
    try:
        while True:
            try:
                while len(waiting) < most and (following := next(rest, None)) is not None:
                    future = client.submit(remotely, function, jobs[following], pure=False)
                    waiting.append((following, future))
                if not waiting:
                    return
                index, future = waiting[0]
                outcome = _awaited(client, future, names[index])
                waiting.popleft()
            except distributed.scheduler.KilledWorker:
                # perhaps it only waited where another killed the worker: asked again, alone
                waiting.popleft()
                for number, future in waiting:
                    _await(client, future, names[number])
                alone = client.submit(remotely, function, jobs[index], pure=False)
                try:
                    outcome = _awaited(client, alone, names[index])
                except distributed.scheduler.KilledWorker:
                    yield Killed()
                    continue
                except GONE as error:
                    raise _lost(names[index], error) from error
            except CalculationError:
                raise
            except Exception as error:
                if client.status == "running" and not isinstance(error, GONE):
                    raise  # of the job itself
                index = waiting[0][0] if waiting else index
                raise _lost(names[index], error) from error
            yield with_warnings(outcome)
    finally:
        if client.status == "running":
            client.cancel([future for _, future in waiting])


def _awaited(client: Any, future: Any, name: str) -> Any:
    """The result of a job."""
    _await(client, future, name)
    return future.result()


def _await(client: Any, future: Any, name: str) -> None:
    """Wait until a job is done, or without a worker for too long."""
    distributed = required("distributed", "a cluster")
    seen = time.monotonic()
    while not future.done():
        with suppress(distributed.TimeoutError):
            distributed.wait(future, timeout=min(PATIENCE, 10.0))
        if client.nthreads():
            seen = time.monotonic()
        elif time.monotonic() - seen > PATIENCE:
            raise CalculationError(
                f"the cluster has had no worker for {PATIENCE:.0f} s at {name}; start workers, and "
                "with out= the same call goes on where it was broken off"
            )


def _lost(name: str, error: Exception) -> CalculationError:
    return CalculationError(
        f"the cluster was lost at {name} ({type(error).__name__}); with out= the same call goes on "
        "where it was broken off"
    )
