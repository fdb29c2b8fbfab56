"""Spaces of molecules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interpmd.cli.application import app


@app.command()
def explore(
    scaffold: Annotated[
        str,
        typer.Argument(
            help='SMILES with sites, "c1ccc([*:1])cc1[*:2]"; atoms with numbers [O:11].'
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File that grows, .jsonl.")],
    objective: Annotated[
        str,
        typer.Option(
            help="hydrogen_bond, rotation_barrier, conformer_gap, proton_affinity, interaction, "
            "ring_strain, dipole or gap."
        ),
    ] = "gap",
    atom: Annotated[
        list[int] | None,
        typer.Option(help="Number of an atom that the objective names; repeatable, in order."),
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="Group to try, name or SMILES; repeatable.")
    ] = None,
    level: Annotated[str, typer.Option(help="Level of theory that relaxes.")] = "gfn2-xtb",
    potential: Annotated[
        str | None, typer.Option(help="Shipped potential or folder that relaxes instead.")
    ] = None,
    budget: Annotated[int, typer.Option(help="Molecules evaluated in all.")] = 100,
    batch: Annotated[int, typer.Option(help="Between two looks at the model.")] = 10,
    minimize: Annotated[bool, typer.Option("--minimize", help="Seek the smallest value.")] = False,
    acquisition: Annotated[
        str, typer.Option(help="expected_improvement, thompson or rows.")
    ] = "expected_improvement",
    parts: Annotated[
        int, typer.Option(help="Best molecules whose parts are evaluated at the end.")
    ] = 1,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    unit: Annotated[str | None, typer.Option(help="eV, meV, kcal/mol, kJ/mol.")] = None,
    gallery: Annotated[
        Path | None, typer.Option(help="Page (.html) with drawings of the best.")
    ] = None,
) -> None:
    """Search for the best groups at the sites of a scaffold; resumes where it stopped."""
    import interpmd as im
    from interpmd.design.exploration import factor_of
    from interpmd.design.objectives import objective_of
    from interpmd.structures.files import prepare_output

    sought = objective_of(objective, atom or ())
    factor = factor_of(sought.unit, unit)
    if gallery is not None:
        prepare_output(gallery)
    found = im.explore(
        scaffold,
        groups=group or None,
        objective=sought,
        model=level if potential is None else im.load(potential),
        budget=budget,
        batch=batch,
        maximize=not minimize,
        acquisition=acquisition,
        parts=parts,
        workers=workers,
        out=out,
        seed=seed,
    )
    typer.echo(repr(found))
    columns = [name for name in found.table().columns if name != "smiles"]
    typer.echo(found.best(10, unit)[columns].round(3).to_string())
    sites = found.explain().by_site()
    sites[["value", "std"]] *= factor
    if len(sites):
        typer.echo("why the best is best (Shapley values of its groups):")
        typer.echo(sites.round(3).to_string(index=False))
    else:
        typer.echo("the bare scaffold is the best of these")
    typer.echo("what to change next:")
    typer.echo(found.next_swaps(count=5, unit=unit).round(3).to_string(index=False))
    if len(suspects := found.suspects(unit)):
        typer.echo(f"do not believe ({len(suspects)}):")
        typer.echo(suspects[columns].round(3).to_string(index=False))
    if gallery is not None:
        typer.echo(f"gallery in {im.DesignGallery(found).export_html(gallery)}")
