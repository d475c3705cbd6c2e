"""`python -m gatedrnn.experiments list | run NAME | show NAME`."""

import sys

from gatedrnn.experiments.cli import main

if __name__ == "__main__":
    sys.exit(main())
