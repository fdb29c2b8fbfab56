"""Jobs in several processes, in order; a process that is killed is replaced, and its job named.

`spread` chooses: a cluster of Dask where there is a client, so many processes as are asked for, and
where nothing is said this process alone, until it is seen that all cores would end much earlier.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from itertools import starmap
from multiprocessing import connection
from types import ModuleType
from typing import Any

from interpmd.errors import ArgumentError, CalculationError
from interpmd.levels.calculation import one_openmp_thread
from interpmd.reference.on_cluster import on_cluster
from interpmd.reference.remote import Killed, remotely, with_warnings

#: Seconds that must be left on one core before others are called: they take a few to start.
PAYS = 20.0


def spread(
    function: Callable[..., Any],
    jobs: Sequence[tuple],
    names: Sequence[str],
    workers: int | None = None,
    client: Any = None,
) -> Iterator[Any]:
    """Results of a function for the arguments of each job, in the order of the jobs.

    Args:
        function: of the top level of a module.
        jobs: arguments of each call.
        names: of the jobs, for messages.
        workers: number of processes; if None one, and all cores where more than `PAYS` seconds
            remain for it.
        client: of Dask, whose workers do the jobs instead.

    Raises:
        ArgumentError: workers and a client; see also `on_cluster`.
        CalculationError: see `in_order` and `on_cluster`.
    """
    if client is not None:
        if workers is not None:
            raise ArgumentError("give workers (processes here) or client (a cluster), not both")
        yield from on_cluster(client, function, jobs, names)
    elif workers is None:
        yield from _as_it_pays(function, jobs, names)
    elif workers == 1 or len(jobs) < 2:
        yield from starmap(function, jobs)
    else:
        yield from in_order(function, jobs, workers, names)


def workers_with(client: Any, workers: int | None) -> int | None:
    """Number of processes beside a client: none where only one was asked for, which is this one."""
    return None if client is not None and workers == 1 else workers


def cores() -> int:
    """Cores that this process may use."""
    known = getattr(os, "sched_getaffinity", None)
    return len(known(0)) if known is not None else os.cpu_count() or 1


def _as_it_pays(
    function: Callable[..., Any], jobs: Sequence[tuple], names: Sequence[str]
) -> Iterator[Any]:
    """One by one, and by all cores from where the rest would take long."""
    fastest = 0.0
    for index, job in enumerate(jobs):
        left = len(jobs) - index
        if left > 1 and fastest * left > PAYS and cores() > 1 and _portable(job):
            yield from in_order(function, jobs[index:], cores(), names[index:], bare=True)
            return
        began = time.perf_counter()
        result = function(*job)
        taken = time.perf_counter() - began
        fastest = min(fastest, taken) if index else taken
        yield result


def _portable(job: tuple) -> bool:
    """Whether a process that knows nothing of the user's script can do a job."""
    try:
        return b"__main__" not in pickle.dumps(job)
    except Exception:  # whatever an object that cannot be pickled raises
        return False


def in_order(
    function: Callable[..., Any],
    jobs: Sequence[tuple],
    workers: int,
    names: Sequence[str],
    bare: bool = False,
) -> Iterator[Any]:
    """Results of a function for the arguments of each job, in the order of the jobs.

    When a process is killed, those jobs that were under way are done again, one by one in a process
    of their own; one that is killed again gives `Killed`. When this process ends, however it ends,
    the others do.

    Raises:
        CalculationError: no process can be started.

    Args:
        function: of the top level of a module.
        jobs: arguments of each call.
        workers: number of processes.
        names: of the jobs, for the warning.
        bare: whether processes start without the user's script, which then needs no guard.
    """
    waiting: deque[tuple[int, Future]] = deque()
    rest = iter(range(len(jobs)))
    pool = _pool(workers)
    try:
        while True:
            # a short queue, taken in order: a file does not depend on the workers' pace
            while len(waiting) < 2 * workers and (index := next(rest, None)) is not None:
                waiting.append((index, _submitted(pool, function, jobs[index], bare)))
            if not waiting:
                return
            index, future = waiting[0]
            try:
                result = with_warnings(future.result())
            except BrokenProcessPool:
                pool.shutdown(wait=True, cancel_futures=True)
                _check_start(bare)
                broken = ", ".join(names[i] for i, f in waiting if not _is_done(f))
                warnings.warn(
                    f"a process was killed (out of memory?) while it worked on one of {broken}; "
                    "they are tried again, one at a time",
                    stacklevel=2,
                )
                for i, f in waiting:
                    yield (
                        with_warnings(f.result())
                        if _is_done(f)
                        else _alone(function, jobs[i], bare)
                    )
                waiting.clear()
                pool = _pool(workers)
                continue
            waiting.popleft()
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)


def _submitted(
    pool: ProcessPoolExecutor, function: Callable[..., Any], job: tuple, bare: bool
) -> Future:
    """A job handed to a pool; processes start when they are needed, each with one thread."""
    try:
        with one_openmp_thread(), _without_script() if bare else nullcontext():
            return pool.submit(remotely, function, job)
    except BrokenProcessPool as error:  # since the last look at it
        failed: Future = Future()
        failed.set_exception(error)
        return failed


def _is_done(future: Future) -> bool:
    """Whether the pool finished it, with a result or an error of its own."""
    if not future.done() or future.cancelled():
        return False
    return not isinstance(future.exception(), BrokenProcessPool)


@contextmanager
def _without_script() -> Iterator[None]:
    """Processes started in this block do not run the user's script again."""
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def _alone(function: Callable[..., Any], job: tuple, bare: bool) -> Any:
    with _pool(1) as pool:
        try:
            return with_warnings(_submitted(pool, function, job, bare).result())
        except BrokenProcessPool:
            return Killed()


def _check_start(bare: bool) -> None:
    """Raise CalculationError if processes end as soon as they start."""
    if isinstance(_alone(os.getpid, (), bare), Killed):
        raise CalculationError(
            "processes end as soon as they are started; a script that uses workers must guard its "
            'calls by `if __name__ == "__main__":`'
        )


def _end_with_parent() -> None:
    """End this process when the one that started it has ended, even by a kill."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True, name="end with parent").start()
