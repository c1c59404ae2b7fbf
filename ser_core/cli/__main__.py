"""Run the shell command as ``python -m ser_core.cli``."""

from ser_core.cli import main

if __name__ == "__main__":
    main()
