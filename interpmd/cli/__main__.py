"""`python -m interpmd.cli`."""

from interpmd.cli import main

main()
