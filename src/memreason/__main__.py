"""Makes `python -m memreason` the same as the command `memreason`."""

import sys

from memreason.cli.main import main

if __name__ == "__main__":  # some engines start processes of their own, and these import this file again
    sys.exit(main())
