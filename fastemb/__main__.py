"""``python -m fastemb``: the command line."""

import sys

from fastemb.cli import main

if __name__ == "__main__":
    sys.exit(main())
