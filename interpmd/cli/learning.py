"""Fit a potential and judge it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interpmd.cli.application import app
from interpmd.cli.options import EnergyKey, ForcesKey, Frames, PotentialName, StressKey
from interpmd.errors import ArgumentError


@app.command()
def fit(
    train: Frames,
    valid: Annotated[Path | None, typer.Option(help="Frames that choose the ridge.")] = None,
    test: Annotated[Path | None, typer.Option(help="Frames for the report.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("potential"),
    cutoff: Annotated[float, typer.Option(help="Cutoff in Å.")] = 5.0,
    lmax: Annotated[
        int | None, typer.Option(help="Largest degree of the harmonics, for all body orders.")
    ] = None,
    weights: Annotated[
        int | None, typer.Option(help="Most weights of the read-out; by element if not given.")
    ] = None,
    term: Annotated[
        list[str] | None, typer.Option(help="Physics term to add, e.g. repulsion; repeatable.")
    ] = None,
    energy_weight: Annotated[float, typer.Option(help="Energies against forces, 1/Å.")] = 40.0,
    weight: Annotated[
        list[str] | None, typer.Option(help="Factor of a subset, e.g. dimer=5; repeatable.")
    ] = None,
    members: Annotated[
        int | None, typer.Option(help="So many times the channels: errs less, and is slower.")
    ] = None,
    memory: Annotated[float, typer.Option(help="Limit in GiB.")] = 5.0,
    device: Annotated[str, typer.Option(help="Where to solve: cpu, cuda.")] = "cpu",
    refine: Annotated[int, typer.Option(help="Rounds of refinement.")] = 0,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
) -> None:
    """Fit a potential to energies and forces; go on with an interrupted fit."""
    import interpmd as im

    report = im.fit(
        train,
        valid=valid,
        test=test,
        spec={
            "cutoff": cutoff,
            **({} if lmax is None else {"lmax": lmax}),
            "weights": weights,
            "terms": {name: {} for name in term or ()},
        },
        energy_weight=energy_weight,
        subset_weights=dict(_factor(given) for given in weight or ()),
        members=members,
        memory=memory,
        device=device,
        refine=refine,
        energy_key=energy_key,
        forces_key=forces_key,
        stress_key=stress_key,
        seed=seed,
        out=out,
    )
    typer.echo(str(report))
    typer.echo(f"written to {out}")


def _factor(given: str) -> tuple[str, float]:
    """Name and factor of a subset, from "name=factor"."""
    name, _, factor = given.rpartition("=")
    try:
        return name, float(factor)
    except ValueError:
        raise ArgumentError(f"--weight is a subset and a factor, dimer=5, not {given!r}") from None


@app.command()
def evaluate(
    potential: PotentialName,
    frames: Frames,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
) -> None:
    """Errors of a potential on labelled frames, by subset and by element."""
    import interpmd as im

    keys = {"energy_key": energy_key, "forces_key": forces_key, "stress_key": stress_key}
    evaluation = im.evaluate(im.load(potential), frames, progress=True, **keys)
    typer.echo(repr(evaluation))
