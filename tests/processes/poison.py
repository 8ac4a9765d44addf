"""Tasks that no product should have, for a real cluster; each notes that it began."""

from __future__ import annotations

import os
import time
from pathlib import Path


def _begin(name: str) -> None:
    with Path(os.environ["COC_VAR_DIR"], "poison.txt").open("a") as file:
        file.write(f"{name}\n")


def raises() -> None:
    """Fail each time."""
    _begin("raises")
    raise RuntimeError("poison")


def leaves() -> None:
    """End the worker's process without a word, like the kernel does when memory runs out."""
    _begin("leaves")
    os._exit(1)


def hangs() -> None:
    """Go on for ever."""
    _begin("hangs")
    time.sleep(3600)
