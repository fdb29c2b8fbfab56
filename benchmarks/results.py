"""Figures measured by the benchmarks: stored as JSON, shown as a table in the README.

python benchmarks/results.py    write the table into README.md
"""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
STORE = Path(__file__).with_suffix(".json")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def record(figures: dict[str, str], command: str) -> None:
    """Print figures and store them with the command that makes them."""
    stored = json.loads(STORE.read_text()) if STORE.exists() else {}
    for name, value in figures.items():
        print(f"{name}: {value}")
        stored[name] = {"value": value, "command": command}
    STORE.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n")


def table() -> str:
    """The figures as a table in Markdown."""
    lines = ["| figure | measured | command |", "|---|---|---|"]
    for name, entry in json.loads(STORE.read_text()).items():
        lines.append(f"| {name} | {entry['value']} | `{entry['command']}` |")
    return "\n".join(lines)


def main() -> None:
    readme = ROOT / "README.md"
    before, rest = readme.read_text().split(BEGIN)
    after = rest.split(END)[1] if END in rest else rest
    readme.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}")


if __name__ == "__main__":
    main()
