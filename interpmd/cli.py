"""The command `interpmd`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from interpmd.errors import ArgumentError, InterpmdError
from interpmd.structures.files import prepare_output

app = typer.Typer(
    help="Interpretable neural potentials: learn from quantum labels, explain every force.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

T = TypeVar("T")

Frames = Annotated[
    Path,
    typer.Argument(
        help='Structures: any file that ASE reads (also .gz), a part of it ("run.xyz@:10"), a '
        'pattern in quotes ("runs/*.xyz"), or a database of ASE.'
    ),
]
EnergyKey = Annotated[
    str | None, typer.Option(help='Name of the energy where it is another, e.g. "REF_energy".')
]
ForcesKey = Annotated[str | None, typer.Option(help="Name of the forces.")]
StressKey = Annotated[str | None, typer.Option(help="Name of the stress or virial.")]
PotentialName = Annotated[str, typer.Argument(help="Shipped potential (see `shipped`) or folder.")]


def _former(old: str, given: T | None, new: str, value: T) -> T:
    """What was given under the former name of an option, else the value of the option."""
    if given is None:
        return value
    typer.echo(f"--{old} is now --{new}; the old name will go with the next release", err=True)
    return given


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Report to write.")] = Path(
        "interpmd-demo.html"
    ),
    potential: Annotated[str, typer.Option(help="Shipped potential or folder.")] = "malonaldehyde",
    seed: Annotated[int, typer.Option(help="Seed of the velocities.")] = 0,
) -> None:
    """Watch a proton jump in malonaldehyde, and see which interactions push it."""
    from interpmd.demo import run_demo

    run_demo(out=out, potential=potential, seed=seed)


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


@app.command()
def label(
    frames: Frames,
    out: Annotated[Path, typer.Option("--out", "-o", help="Extended XYZ to write.")],
    level: Annotated[str, typer.Option(help='"gfn2-xtb", or "functional/basis".')] = "gfn2-xtb",
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    charge: Annotated[int, typer.Option(help="Where a frame does not say, in e.")] = 0,
    multiplicity: Annotated[int, typer.Option(help="2S + 1, where a frame does not say.")] = 1,
    method: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Label structures at a level of theory; resumes where it stopped."""
    import interpmd as im

    level = _former("method", method, "level", level)
    labelled = im.label(
        frames, level, out, workers=workers, charge=charge, multiplicity=multiplicity
    )
    typer.echo(f"{len(labelled)} labelled frames in {out}")


@app.command()
def sample(
    structures: Frames,
    out: Annotated[Path, typer.Option("--out", "-o", help="Extended XYZ to write.")],
    how: Annotated[
        str,
        typer.Option(help='"md", "normal_modes", "rattle", "dimers", "trimers", "fragments", ...'),
    ] = "md",
    level: Annotated[str, typer.Option(help="Level of theory that moves the atoms.")] = "gfn2-xtb",
    potential: Annotated[
        str | None, typer.Option(help="Shipped potential or folder that moves them instead.")
    ] = None,
    n: Annotated[int, typer.Option("--number", "-n", help="Number of geometries.")] = 100,
    temperature: Annotated[
        list[float] | None, typer.Option(help="K; repeatable; 300 if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
) -> None:
    """Geometries worth labelling, made from one structure or several."""
    import interpmd as im
    from interpmd.structures.files import write_new

    write_new(out)
    mover = level if potential is None else im.load(potential).calculator()
    frames = im.sample(
        structures, how, mover, n=n, temperatures=tuple(temperature or (300.0,)), seed=seed
    )
    write_new(out, frames)
    typer.echo(f"{len(frames)} structures to label in {out}")


@app.command()
def md(
    potential: PotentialName,
    structure: Frames,
    out: Annotated[Path, typer.Option("--out", "-o", help="A .traj, .xyz or .extxyz.")],
    ensemble: Annotated[str, typer.Option(help='"nve" or "nvt".')] = "nve",
    temperature: Annotated[float, typer.Option(help="K.")] = 300.0,
    steps: Annotated[int, typer.Option(help="Number of steps.")] = 2000,
    timestep: Annotated[float, typer.Option(help="fs.")] = 0.5,
    interval: Annotated[int, typer.Option(help="Steps between frames.")] = 10,
    equilibration: Annotated[
        int, typer.Option(help="Steps with a thermostat before the first frame.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    time_step: Annotated[float | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run molecular dynamics with a potential."""
    import interpmd as im
    from interpmd.dynamics.as_text import simulate_into
    from interpmd.structures.files import read_frames

    trajectory = simulate_into(
        out,
        im.load(potential),
        read_frames(structure)[-1],
        ensemble=ensemble,
        temperature=temperature,
        steps=steps,
        timestep=_former("time-step", time_step, "timestep", timestep),
        interval=interval,
        equilibration=equilibration,
        seed=seed,
    )
    typer.echo(str(trajectory))


@app.command()
def explain(
    potential: PotentialName,
    structure: Frames,
    atom: Annotated[
        str | None,
        typer.Option(help="Explain the force on this atom (8 or H8); the energy if left out."),
    ] = None,
    along: Annotated[
        str | None, typer.Option(help="Its component towards this atom (0 or O0).")
    ] = None,
    order: Annotated[
        int | None, typer.Option(help="Largest number of players in a row; rows of atoms.")
    ] = None,
    gauge: Annotated[
        str | None,
        typer.Option(help="internal, groups, molecules or atoms; what suits if left out."),
    ] = None,
    by: Annotated[str, typer.Option(help="order, term, kind, pair, atom or fragment.")] = "kind",
    components: Annotated[
        bool, typer.Option("--components", help="x, y and z, instead of along the force.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="File for all rows.")] = None,
) -> None:
    """Which interactions make the energy, or push an atom."""
    import interpmd as im
    from interpmd.structures.files import read_frames

    if csv is not None:
        prepare_output(csv)
    target = im.Energy()
    if atom is not None:
        target = im.Force(_atom(atom), None if along is None else _atom(along))
    elif along is not None:
        raise ArgumentError("--along is the direction of a force; say on which --atom")
    atoms = read_frames(structure)[-1]
    asked = {"order": order} if order is not None else {}
    explanation = im.explain(im.load(potential), atoms, target, gauge=gauge, **asked)
    typer.echo(repr(explanation))
    typer.echo(explanation.by(by, std=True, components=components).round(4).to_string())
    typer.echo(f"{explanation.certificate().verdict}; residual {explanation.residual:.1g}")
    if csv is not None:
        explanation.to_frame().to_csv(csv, index=False)
        typer.echo(f"all rows in {csv}")


def _atom(given: str) -> int | str:
    """An atom by its index or name."""
    return int(given) if given.strip().isdigit() else given


@app.command()
def benchmark(
    what: Annotated[
        str,
        typer.Argument(
            help='"explainers": every method against known truth; "learned": potentials fitted to '
            'known terms; "quantum": a potential against the many-body expansion by GFN2-xTB.'
        ),
    ],
    frames: Annotated[
        Path | None, typer.Option(help='Clusters of molecules, for "quantum".')
    ] = None,
    potential: Annotated[str, typer.Option(help='Potential, for "quantum".')] = "water",
    csv: Annotated[Path | None, typer.Option(help="File for the table.")] = None,
    atoms: Annotated[int, typer.Option(help="Atoms in the random cluster.")] = 8,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
) -> None:
    """Compare methods of explanation, and explanations of fitted potentials, with known truth."""
    import pandas as pd

    import interpmd as im
    from interpmd.structures.files import read_frames
    from interpmd.trust.benchmark import benchmark_explainers

    if csv is not None:
        prepare_output(csv)
    if what == "explainers":
        table = benchmark_explainers(atoms=atoms, seed=seed)
    elif what == "learned":
        table = im.learned_truth(seeds=(seed, seed + 1, seed + 2))
    elif what == "quantum":
        if frames is None:
            raise InterpmdError("the quantum benchmark needs --frames: clusters of molecules")
        table = im.quantum_truth(im.load(potential), read_frames(frames)).errors()
    else:
        raise InterpmdError(f"there is no benchmark {what!r}; known: explainers, learned, quantum")
    with pd.option_context("display.max_colwidth", 40):
        typer.echo(table.to_string(float_format=lambda v: f"{v:.2g}"))
    if csv is not None:
        table.to_csv(csv)
        typer.echo(f"table in {csv}")


@app.command()
def doctor(
    potential: PotentialName,
    train: Annotated[
        Path | None, typer.Option(help="Frames it was fitted to: what occurs in them comes first.")
    ] = None,
    propose: Annotated[
        Path | None, typer.Option(help="File for structures to label (.extxyz).")
    ] = None,
    most: Annotated[int, typer.Option(help="Most structures to propose.")] = 200,
    parts: Annotated[
        str, typer.Option(help="closed: parts that are molecules; radicals: pairs of atoms; all.")
    ] = "closed",
    threshold: Annotated[float, typer.Option(help="Determined below this, in eV.")] = 0.05,
    plot: Annotated[Path | None, typer.Option(help="Picture to write (.png, .pdf).")] = None,
) -> None:
    """Which pairs and triplets of elements the training data leave open, and where."""
    import interpmd as im
    from interpmd.structures.files import write_new

    if propose is not None:
        write_new(propose)
    if plot is not None:
        prepare_output(plot)
    diagnosis = im.doctor(potential, train=train, threshold=threshold)
    typer.echo(str(diagnosis))
    if propose is not None:
        frames = diagnosis.proposal(most, parts)
        write_new(propose, frames)
        typer.echo(f"{len(frames)} structures to label in {propose}")
    if plot is not None:
        diagnosis.plot()[0].get_figure(root=True).savefig(plot, dpi=130)
        typer.echo(f"picture in {plot}")


@app.command()
def shipped() -> None:
    """List the potentials that come with interpmd."""
    import interpmd as im

    typer.echo(im.shipped().to_string())


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(
    options: typer.Context,
    notebook: Annotated[
        str, typer.Argument(help="Name or number of a notebook, e.g. 04; options of Jupyter.")
    ] = "start.ipynb",
    voila: Annotated[
        bool, typer.Option("--voila", help="The explorer as a page without code.")
    ] = False,
) -> None:
    """Open the course in JupyterLab; further options go to Jupyter, e.g. --no-browser."""
    from interpmd.lab import START, open_lab

    extra = list(options.args)
    if notebook.startswith("-"):
        notebook, extra = START, [notebook, *extra]
    open_lab(notebook, voila, tuple(extra))


def main() -> None:
    """Entry point: errors of interpmd and of files become one line and exit code 2."""
    try:
        app(standalone_mode=True)
    except (InterpmdError, OSError) as error:
        typer.echo(f"interpmd: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interpmd: interrupted", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
