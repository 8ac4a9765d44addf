"""The long form: `python -m tests.soak --minutes 5` (see `make soak`)."""

from __future__ import annotations

import sys

from tests.soak.plays import arguments, play_on_each
from tests.soak.soak import Soak


def main() -> int:
    """Play one soak on each database asked for; 0 when everything agreed afterwards."""
    chosen = arguments(__doc__, minutes=5.0, seed="what goes wrong, and when")
    return play_on_each(Soak, chosen)


if __name__ == "__main__":
    sys.exit(main())
