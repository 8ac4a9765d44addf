"""Files to import, plain or packed as .gz."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import IO, cast

# Reading a damaged .gz file raises one of these.
DAMAGED = (gzip.BadGzipFile, EOFError, zlib.error)


def open_file(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacked as it is read. Raises OSError."""
    return cast(IO[bytes], gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")
