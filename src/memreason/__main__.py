"""`python -m memreason` is `memreason`."""

import sys

from memreason.cli.main import main

if __name__ == "__main__":  # engines start processes of their own, which import this again
    sys.exit(main())
