"""`python -m gatedrnn.bench [--quick] [--show]`."""

import sys

from gatedrnn.bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
