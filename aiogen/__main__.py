"""`python -m aiogen`: the command line."""

import sys

from aiogen.cli import main

if __name__ == "__main__":
    sys.exit(main())
