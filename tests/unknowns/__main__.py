"""The long form: `python -m tests.unknowns --minutes 3` (see `make unknowns`)."""

from __future__ import annotations

import sys

from tests.soak.plays import arguments, play_on_each
from tests.unknowns.unknowns import Unknowns


def main() -> int:
    """Play on each requested database; 0 if everything healed and agreed, else 1, or 2."""
    return play_on_each(
        Unknowns, arguments(__doc__, minutes=3.0, seed="what shoppers and people do")
    )


if __name__ == "__main__":
    sys.exit(main())
