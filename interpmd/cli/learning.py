"""Fit a potential and judge it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from interpmd.cli.application import app
from interpmd.cli.options import EnergyKey, ForcesKey, Frames, PotentialName, StressKey
from interpmd.errors import ArgumentError

#: What is given to options that take names and numbers.
EXAMPLES = {"weight": "dimer=5", "isolated": "H=-13.6", "channels-by-element": "H=0.25"}


@app.command()
def fit(
    train: Frames,
    valid: Annotated[Path | None, typer.Option(help="Frames that choose the ridge.")] = None,
    test: Annotated[Path | None, typer.Option(help="Frames for the report.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("potential"),
    baseline: Annotated[
        str | None, typer.Option(help="Cheap level that is corrected, such as gfn2-xtb.")
    ] = None,
    isolated: Annotated[
        list[str] | None,
        typer.Option(
            help='Energy of an isolated atom, e.g. H=-13.6 (eV), repeatable; or "average" of all.'
        ),
    ] = None,
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
    channels_by_element: Annotated[
        list[str] | None,
        typer.Option(
            help="Part of the channels of an element, e.g. H=0.25, repeatable. Default: by bonds."
        ),
    ] = None,
    members: Annotated[
        int | None, typer.Option(help="So many times the channels: errs less, and is slower.")
    ] = None,
    memory: Annotated[float, typer.Option(help="Limit in GiB.")] = 5.0,
    device: Annotated[str, typer.Option(help="Where to solve: cpu, cuda.")] = "cpu",
    refine: Annotated[
        int | None, typer.Option(help="Rounds that refine channels. Default: 3 or 0, by labels.")
    ] = None,
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
            "lmax": lmax,
            "weights": weights,
            "channels_by_element": _by_name(channels_by_element, "bonds", "channels-by-element")
            or None,
            "terms": {name: {} for name in term or ()},
        },
        baseline=baseline,
        isolated_energies=_by_name(isolated, "average", "isolated") or None,
        energy_weight=energy_weight,
        subset_weights=_by_name(weight, None, "weight"),
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


def _by_name(given: list[str] | None, word: str | None, option: str) -> Any:
    """Numbers by name, from "name=number" each; or a word that stands for all."""
    if word is not None and given == [word]:
        return word
    found = {}
    for each in given or ():
        name, _, number = each.rpartition("=")
        try:
            found[name] = float(number)
        except ValueError:
            other = "" if word is None else f", or {word}"
            raise ArgumentError(
                f"--{option} is a name and a number, as in {EXAMPLES[option]}{other}, not {each!r}"
            ) from None
    return found


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
