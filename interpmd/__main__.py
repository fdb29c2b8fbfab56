"""`python -m interpmd`."""

from interpmd.cli import main

if __name__ == "__main__":  # a walk through all modules imports this one too
    main()
