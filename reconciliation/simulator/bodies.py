"""Read the body of a request from its connection: by length, or in chunks."""

from __future__ import annotations

import re
from email.message import Message
from io import BufferedIOBase

_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")
_LINE = 1000
_TOO_LARGE = "The body is too large"


class BodyRefused(Exception):
    """The body is not read; `status` and the text are the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def read(stream: BufferedIOBase, headers: Message, *, most: int) -> bytes | None:
    """Return a body of up to `most` bytes; None if the connection ends before it does."""
    coding = headers.get("Transfer-Encoding", "").strip().lower()
    length = headers.get("Content-Length", "" if coding else "0").strip()
    if coding:
        if coding != "chunked" or length:
            raise BodyRefused(400, "Send the body with a Content-Length or in chunks")
        return _chunks(stream, most)
    if not (length.isascii() and length.isdigit()):
        raise BodyRefused(400, "Content-Length is not a number")
    if len(length) > 12 or int(length) > most:
        raise BodyRefused(413, _TOO_LARGE)
    raw = stream.read(int(length))
    return raw if len(raw) == int(length) else None


def _chunks(stream: BufferedIOBase, most: int) -> bytes | None:
    raw = bytearray()
    while True:
        line = stream.readline(_LINE)
        if not line:
            return None
        size = line.partition(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(size):
            raise BodyRefused(400, "A chunk has no size")
        length = int(size, 16)
        if len(raw) + length > most:
            raise BodyRefused(413, _TOO_LARGE)
        if not length:
            break
        raw += stream.read(length)
        if stream.readline(_LINE).strip():
            raise BodyRefused(400, "A chunk is longer than its size")
    while stream.readline(_LINE).strip():
        pass  # headers after the last chunk
    return bytes(raw)
