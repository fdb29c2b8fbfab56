"""Cards of molecules: a drawing by RDKit, the value, why not to believe it, and 3D on click.

The same JavaScript serves the widget in a notebook and pages that open from disk.
"""

from __future__ import annotations

import base64
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import traitlets as t
from ase import Atoms
from ase.data.colors import jmol_colors

from interpmd import arguments
from interpmd.design.exploration import Exploration
from interpmd.design.groups import FOR_DESIGN
from interpmd.design.scaffold import Design
from interpmd.extras import required
from interpmd.markup import Markup, in_script, markup
from interpmd.plots.molecule import plane_of, radii_of
from interpmd.storage import replace_file
from interpmd.structures.chemistry import bonds
from interpmd.structures.files import prepare_output
from interpmd.units import number_sign, unit_sign
from interpmd.views.toolkit import anywidget

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 1.5rem auto; max-width: 76rem; padding: 0 1rem;
       font-family: system-ui, sans-serif; }}
{style}</style>
</head>
<body>
<h1>{title}</h1>
<p>{note}</p>
<div id="gallery"></div>
<script type="module">
{code}
gallery({scene}, document.getElementById("gallery"));
</script>
</body>
</html>
"""


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


class DesignGallery(anywidget.AnyWidget):
    """The best molecules of an exploration as cards; a click shows the relaxed structures.

    Suspects are framed in dashes and say why they are not believed.

    Args:
        exploration: what was found.
        count: the best molecules that are shown.
        suspects: of the suspects, the best so many.
        unit: of energies; that of the objective if None.

    Raises:
        DesignError: no molecule is sound.
    """

    _esm = _read("gallery.js") + _read("widget.js")
    _css = _read("gallery.css")

    scene = t.Dict().tag(sync=True)

    def __init__(
        self,
        exploration: Exploration,
        count: int = 8,
        suspects: int = 2,
        unit: str | None = None,
    ) -> None:
        arguments.count(count=count)
        arguments.count(0, suspects=suspects)
        self.exploration, self.unit = exploration, unit
        table = exploration.table(unit)
        doubted = table["suspect"] != ""
        believed = table[~doubted].head(count)
        chosen = [*believed.to_dict("records"), *table[doubted].head(suspects).to_dict("records")]
        super().__init__(scene={"items": [self._item(row) for row in chosen]})

    def _item(self, row: dict[str, Any]) -> dict[str, Any]:
        space = self.exploration.space
        names = [row[f"site {site}"] for site in space.sites]
        one = next(e for e in self.exploration.evaluated if space.names(e.design) == tuple(names))
        unit = unit_sign(self.unit or self.exploration.unit)
        value = "no value"
        if np.isfinite(row["value"]):
            value = f"{number_sign(row['value'], '.2f')} {unit}".strip()
        return {
            "name": " | ".join(names),
            "value": value,
            "smiles": one.smiles,
            "suspect": row["suspect"],
            "drawing": drawing(self.exploration, one.design),
            "structures": [{"name": n, **_plain(a)} for n, a in one.structures.items()][:3],
        }

    @property
    def title(self) -> str:
        """Of pages."""
        return f"{self.exploration.objective}: {len(self.scene['items'])} molecules"

    def export_html(self, path: str | Path) -> Path:
        """Write a page that opens from disk, without Python and without a network.

        Raises:
            OutputError: it cannot be written.
        """
        path = Path(path)
        prepare_output(path)
        note = repr(self.exploration) + ". Click a drawing for the structure; drag to turn it."
        page = markup(
            PAGE,
            title=self.title,
            note=note,
            style=Markup(_read("gallery.css")),
            code=Markup(_read("gallery.js")),
            scene=in_script(self.scene),
        )
        replace_file(path, page)
        return path

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and for saved notebooks a picture and a line of text."""
        bundle: Any = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        data["image/png"] = base64.b64encode(self._picture()).decode()
        data["text/plain"] = repr(self)
        return data, metadata

    def _picture(self) -> bytes:
        """All drawings in one picture, as PNG."""
        Draw, Chem = (required(f"rdkit.Chem{part}", FOR_DESIGN) for part in (".Draw", ""))
        molecules = [Chem.MolFromSmiles(item["smiles"]) for item in self.scene["items"]]
        words = [
            f"{item['name']}: {item['value']}" + (" (not believed)" if item["suspect"] else "")
            for item in self.scene["items"]
        ]
        picture = Draw.MolsToGridImage(
            molecules, molsPerRow=4, subImgSize=(230, 180), legends=words, returnPNG=True
        )
        return getattr(picture, "data", picture)  # of IPython's Image where a notebook runs

    def __repr__(self) -> str:
        return f"DesignGallery: {self.title}"


def drawing(exploration: Exploration, design: Design) -> str:
    """A molecule as SVG in a data address, the scaffold lying the same way in all."""
    Chem, Draw, Coords = (
        required(f"rdkit.Chem{part}", FOR_DESIGN)
        for part in ("", ".Draw.rdMolDraw2D", ".rdDepictor")
    )
    space = exploration.space
    molecule = Chem.MolFromSmiles(exploration.space.smiles(design))
    bare = Chem.MolFromSmiles(space.smiles((0,) * len(space.sites)))
    Coords.Compute2DCoords(bare)
    try:
        Coords.GenerateDepictionMatching2DStructure(molecule, bare)
    except ValueError:
        Coords.Compute2DCoords(molecule)
    pen = Draw.MolDraw2DSVG(232, 180)
    pen.drawOptions().clearBackground = False
    Draw.PrepareAndDrawMolecule(pen, molecule)
    pen.FinishDrawing()
    coded = base64.b64encode(pen.GetDrawingText().encode()).decode()
    return f"data:image/svg+xml;base64,{coded}"


def _plain(atoms: Atoms) -> dict[str, Any]:
    """A structure as the browser draws it."""
    places = (atoms.positions - atoms.positions.mean(0)) @ plane_of(atoms).T
    channels = (255 * jmol_colors[atoms.numbers]).round().astype(int)
    return {
        "positions": np.round(places, 3).tolist(),
        "bonds": bonds(atoms).pairs.tolist(),
        "radii": np.round(radii_of(atoms), 3).tolist(),
        "colours": ["#" + "".join(f"{c:02x}" for c in rgb) for rgb in channels.tolist()],
        "symbols": list(atoms.symbols),
        "reach": round(float(np.linalg.norm(places, axis=1).max()) + 0.6, 3),
    }
