"""Install a Chromium for the browser tests where none is found and a package manager may do so.

Ends without an error in any case: without a browser those tests skip and say so.
"""

import os
import shutil
import subprocess
import sys

from chromium import find_chromium


def attempts() -> list[list[str]]:
    """Commands that may bring a Chromium, the first that works being enough."""
    found = []
    if shutil.which("apt-get") and os.geteuid() == 0:
        quiet = "apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium"
        found.append(["sh", "-c", f"{quiet} fonts-dejavu-core"])
    found.append([sys.executable, "-m", "playwright", "install", "chromium"])
    return found


def main() -> None:
    for command in attempts():
        if find_chromium():
            break
        print("installing a browser for the tests:", " ".join(command), flush=True)
        try:
            subprocess.run(
                command,
                check=False,
                timeout=600,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            print(error)
    print("browser:", find_chromium() or "none; the browser tests will skip")


if __name__ == "__main__":
    main()
