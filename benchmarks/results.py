"""Figures measured by the benchmarks: stored as JSON, shown in the README and the documentation.

python benchmarks/results.py    write the tables into both

A table stands between two comments, of which the first says what it holds:

    <!-- figures: headline -->        those of HEADLINE, without their commands
    <!-- figures: ^learned truth -->  those whose names match
    <!-- figures: others -->          those that no other table of the page has
    <!-- end of figures -->
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
STORE = Path(__file__).with_suffix(".json")
PAGES = (ROOT / "README.md", ROOT / "docs" / "evidence.md")
PLACE = re.compile(r"(<!-- figures: (.+?) -->\n).*?(<!-- end of figures -->)", re.DOTALL)

#: What the README shows: accuracy, speed, stability, and how right and how determined rows are.
HEADLINE = (
    "acetylacetone: RMSE at 300 K",
    "malonaldehyde, 9 atoms: energy and forces",
    "learned truth, mw, clusters, expansion, with dimers, trimers",
    "quantum truth, water, test set: 2-, 3-, 4-body RMSE",
    "transfer, unseen molecules, fragments known: force RMSE",
    "events: malonaldehyde, 100 reactive events",
)

Figures = dict[str, dict[str, str]]


def record(figures: dict[str, str], command: str, whole: bool = False) -> None:
    """Print figures, store them with the command that makes them, and show them in the pages.

    Where these are the whole of what the command says, others that it once said are dropped.
    """
    stored = measured() if STORE.exists() else {}
    if whole:
        stored = {n: e for n, e in stored.items() if n in figures or e["command"] != command}
    for name, value in figures.items():
        print(f"{name}: {value}")
        stored[name] = {"value": value, "command": command}
    STORE.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    write_pages()


def measured() -> Figures:
    """All figures by name, in the order in which they were first recorded."""
    return json.loads(STORE.read_text())


def shown(value: str) -> str:
    """A value as it is printed: negative numbers with a minus sign, brackets that are no links."""
    return re.sub(r"(?<![\w.])-(?=[\d.])", "−", value).replace("[", "\\[")


def page(text: str, figures: Figures) -> str:
    """A page with its tables filled.

    Raises:
        LookupError: a headline or a pattern that no figure has.
    """
    patterns = [found[2] for found in PLACE.finditer(text)]

    def filled(found: re.Match) -> str:
        if found[2] == "headline":
            return found[1] + headline(figures) + found[3]
        if found[2] == "others":
            others = {
                n: e for n, e in figures.items() if not any(re.search(p, n) for p in patterns)
            }
            return found[1] + by_command(others) + found[3]
        chosen = {name: entry for name, entry in figures.items() if re.search(found[2], name)}
        if not chosen:
            raise LookupError(f"no figure matches {found[2]!r}")
        return found[1] + by_command(chosen) + found[3]

    return PLACE.sub(filled, text)


def headline(figures: Figures) -> str:
    """The table of the README."""
    if missing := [name for name in HEADLINE if name not in figures]:
        raise LookupError(f"not measured, but in HEADLINE: {missing}")
    return table({name: figures[name] for name in HEADLINE})


def by_command(figures: Figures) -> str:
    """One table for each command."""
    if not figures:
        return "Nothing beyond the above.\n"
    parts = []
    for command in dict.fromkeys(entry["command"] for entry in figures.values()):
        mine = {name: entry for name, entry in figures.items() if entry["command"] == command}
        parts.append(f"`{command}`:\n\n{table(mine)}")
    return "\n".join(parts)


def table(figures: Figures) -> str:
    """Names and values in Markdown."""
    rows = [f"| {name} | {shown(entry['value'])} |\n" for name, entry in figures.items()]
    return "| figure | measured |\n|---|---|\n" + "".join(rows)


def write_pages() -> None:
    """Fill the tables of all pages."""
    for path in PAGES:
        path.write_text(page(path.read_text(), measured()))


if __name__ == "__main__":
    write_pages()
