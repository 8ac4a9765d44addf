"""Files that are complete before their first byte is sent, so a download never stops half-way."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO


@contextmanager
def filled() -> Iterator[IO[bytes]]:
    """Yield a temporary file to fill, which then stands at its beginning; an error closes it."""
    file = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        yield file
    except BaseException:
        file.close()
        raise
    file.seek(0)
