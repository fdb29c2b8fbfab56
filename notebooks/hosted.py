"""Badges that open the course on hosted services, for the address that this clone came from:

    python notebooks/hosted.py [address [branch]]

Binder and Colab need no account of the authors; they fetch a public repository by its address. The
branch is for Colab, main if it is not given.
Prints Markdown for a README or a course page, and the first cell that Colab needs.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

START = "notebooks/start.ipynb"
FIRST = "notebooks/01_which_interaction_pushes_this_proton.ipynb"
ADDRESS = re.compile(
    r"(?:https://|ssh://git@|git@)([\w.-]+)[/:]([\w./-]+?)(?:\.git)?/?$"
)


def split(address: str) -> tuple[str, str]:
    """Host and path of a repository's address.

    Raises:
        ValueError: it is no https or ssh address.
    """
    if (found := ADDRESS.match(address)) is None:
        raise ValueError(
            f"{address!r} is no public address: give one, such as https://host/owner/name"
        )
    return found[1], found[2]


def binder(address: str) -> str:
    """Address that builds `.binder/` on mybinder.org and opens the start page."""
    host, path = split(address)
    if host == "github.com":
        where = f"gh/{path}"
    elif host == "gitlab.com":
        where = f"gl/{quote(path, safe='')}"
    else:
        where = f"git/{quote(f'https://{host}/{path}', safe='')}"
    return f"https://mybinder.org/v2/{where}/HEAD?urlpath={quote(f'lab/tree/{START}', safe='')}"


def colab(address: str, branch: str = "main") -> str | None:
    """Address that opens notebook 1 in Colab, which reads from GitHub only."""
    host, path = split(address)
    if host != "github.com":
        return None
    return f"https://colab.research.google.com/github/{path}/blob/{branch}/{FIRST}"


def first_cell(address: str) -> str:
    """What to run first in Colab, which does not install by itself; then restart its kernel."""
    host, path = split(address)
    folder = path.rsplit("/", 1)[-1]
    return (
        f"!git clone --depth 1 https://{host}/{path}\n"
        f"!pip install -q -e './{folder}[physics,reference,explain,notebooks]'"
    )


def badges(address: str, branch: str = "main") -> str:
    """Both badges in Markdown."""
    found = [
        f"[![Binder](https://mybinder.org/badge_logo.svg)]({binder(address)})"
    ]
    if where := colab(address, branch):
        badge = "https://colab.research.google.com/assets/colab-badge.svg"
        found.append(f"[![Colab]({badge})]({where})")
    return "\n".join(found)


def main() -> None:
    """For the address that is given, or that of `origin`."""
    if len(sys.argv) > 1:
        address = sys.argv[1]
    else:
        command = [
            "git",
            "-C",
            str(Path(__file__).parent),
            "remote",
            "get-url",
            "origin",
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False
        )
        address = done.stdout.strip()
    try:
        found = [
            badges(address, *sys.argv[2:3]),
            "first cell in Colab:",
            first_cell(address),
        ]
        print(*found, sep="\n\n")
    except ValueError as error:
        sys.exit(f"hosted.py: {error}")


if __name__ == "__main__":
    main()
