"""Jobs in several processes, in order; a process that is killed is replaced, and its job named."""

from __future__ import annotations

import multiprocessing
import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any

from interpmd.errors import CalculationError
from interpmd.potentials.levels.calculation import one_openmp_thread


class Killed:
    """What stands for the result of a job whose process was killed twice."""

    def __str__(self) -> str:
        return "its process was killed twice, the second time alone (out of memory?)"


def in_order(
    function: Callable[..., Any], jobs: Sequence[tuple], workers: int, names: Sequence[str]
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
    """
    waiting: deque[tuple[int, Future]] = deque()
    rest = iter(range(len(jobs)))
    pool = _pool(workers)
    try:
        while True:
            # a short queue, taken in order: a file does not depend on the workers' pace
            while len(waiting) < 2 * workers and (index := next(rest, None)) is not None:
                waiting.append((index, _submitted(pool, function, jobs[index])))
            if not waiting:
                return
            index, future = waiting[0]
            try:
                result = future.result()
            except BrokenProcessPool:
                pool.shutdown(wait=True, cancel_futures=True)
                _check_start()
                broken = ", ".join(names[i] for i, f in waiting if not _is_done(f))
                warnings.warn(
                    f"a process was killed (out of memory?) while it worked on one of {broken}; "
                    "they are tried again, one at a time",
                    stacklevel=2,
                )
                for i, f in waiting:
                    yield f.result() if _is_done(f) else _alone(function, jobs[i])
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


def _submitted(pool: ProcessPoolExecutor, function: Callable[..., Any], job: tuple) -> Future:
    """A job handed to a pool; processes start when they are needed, each with one thread."""
    try:
        with one_openmp_thread():
            return pool.submit(function, *job)
    except BrokenProcessPool as error:  # since the last look at it
        failed: Future = Future()
        failed.set_exception(error)
        return failed


def _is_done(future: Future) -> bool:
    """Whether the pool finished it, with a result or an error of its own."""
    if not future.done() or future.cancelled():
        return False
    return not isinstance(future.exception(), BrokenProcessPool)


def _alone(function: Callable[..., Any], job: tuple) -> Any:
    with _pool(1) as pool:
        try:
            return _submitted(pool, function, job).result()
        except BrokenProcessPool:
            return Killed()


def _check_start() -> None:
    """Raise CalculationError if processes end as soon as they start."""
    if isinstance(_alone(os.getpid, ()), Killed):
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
