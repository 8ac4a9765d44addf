"""Secrets that are planted in a product, and where they turn up again."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

# What the database holds by design is looked for in a database file by name only.
_DATABASE = (".sqlite3", ".sqlite3-wal", ".sqlite3-shm")


def spellings(value: str) -> list[bytes]:
    """Return the ways in which `value` may be written: plain, in an address, as JSON, base64."""
    plain = value.encode()
    found = {plain, quote(value, safe="").encode(), value.replace("/", "\\/").encode()}
    # base64 of it, wherever it begins within something longer; the ends depend on neighbours.
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + plain + b"\0\0")
        found.add(encoded[4 if shift else 0 : -6])
    return sorted(found)


@dataclass
class Planted:
    """Names of secrets with their values, and every text in which none of them may stand."""

    secrets: dict[str, str]
    texts: dict[str, bytes] = field(default_factory=dict)

    def add(self, where: str, text: str | bytes) -> None:
        """Keep a text that somebody was given, or that was printed."""
        raw = text.encode() if isinstance(text, str) else text
        self.texts[where] = self.texts.get(where, b"") + raw + b"\n"

    def found(self, allowed: Mapping[str, set[str]] | None = None) -> list[str]:
        """Return `secret in text` for each that was found; `allowed` ones by text are left out."""
        return sorted(
            f"{name} in {where}"
            for where, text in self.texts.items()
            for name, value in self.secrets.items()
            if name not in (allowed or {}).get(where, set())
            and any(spelling in text for spelling in spellings(value))
        )


def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Return each file below `folder` but those of the database, with its bytes."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith(_DATABASE):
            yield path, path.read_bytes()


def database_files(folder: Path) -> bytes:
    """Return the bytes of the database's files in `folder`."""
    return b"".join(p.read_bytes() for p in sorted(folder.glob("*")) if p.name.endswith(_DATABASE))
