"""A worker killed while frames are explained on a cluster of Dask.

python benchmarks/cluster.py [frames]

Two workers of this machine explain the force on malonaldehyde's proton in 1,000 frames; when 300
are done one of the workers is killed. The dataset is compared with that of this process alone.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from distributed import Client, LocalCluster
from results import record

import interpmd as im
from interpmd.demo import MALONALDEHYDE

COMMAND = "python benchmarks/cluster.py"


def kill_at(path: Path, lines: int, process: int, killed: list[int]) -> None:
    """Kill a process once a file has so many lines."""
    while not path.exists() or path.read_bytes().count(b"\n") < lines:
        time.sleep(0.05)
    os.kill(process, signal.SIGKILL)
    killed.append(path.read_bytes().count(b"\n") - 1)


def main(count: int = 1000) -> None:
    rng = np.random.default_rng(0)
    frames = [MALONALDEHYDE.copy() for _ in range(count)]
    for atoms in frames:
        atoms.positions += rng.normal(0, 0.03, atoms.positions.shape)
    potential = im.load("malonaldehyde")
    ask = {"target": im.Force(8), "gauge": "internal", "error_bars": True, "progress": False}
    began = time.perf_counter()
    alone = im.explain_trajectory(potential, frames, workers=1, **ask)
    here = time.perf_counter() - began
    killed: list[int] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(2)
        out = Path(folder) / "explained.jsonl"
        first = next(iter(client.run(os.getpid).values()))
        watch = threading.Thread(
            target=kill_at, args=(out, 3 * count // 10, first, killed), daemon=True
        )
        watch.start()
        began = time.perf_counter()
        found = im.explain_trajectory(potential, frames, client=client, out=out, **ask)
        there = time.perf_counter() - began
        lines = out.read_bytes().count(b"\n") - 1
    same = found.set_index(interaction="label").sel(interaction=alone.label.values)
    off = float(np.abs(same.value.values - alone.value.values).max())
    lost = count - found.sizes["frame"]
    record(
        {
            f"a worker killed while {count:,} frames are explained through Dask": (
                f"killed after {killed[0]} frames; {lost} lost, {lines} in the file, values equal "
                f"to {off:.0e} eV/Å; {there:.0f} s (two workers, one of them killed), one process "
                f"{here:.0f} s (load {os.getloadavg()[0]:.0f})"
            )
        },
        COMMAND,
    )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
