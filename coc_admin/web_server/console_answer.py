"""Parse an answer of the console process: status, headers, and the body in pieces."""

from __future__ import annotations

from waitress.buffers import OverflowableBuffer
from waitress.receiver import ChunkedReceiver

_MOST_HEAD_BYTES = 256 * 1024
# Never reached, because data is removed at once.
_CHUNK_MEMORY_BYTES = 8 * 1024 * 1024
# They concern the connection between the two processes, not the answer.
_HOP_BY_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "trailer", "upgrade"))


class BrokenAnswer(Exception):
    """The data is not a valid HTTP answer, or ended too early."""


class AnswerReader:
    """One answer. `status` and `headers` are set once `has_head` is true."""

    def __init__(self, *, method: str) -> None:
        self._method = method
        self._head = b""
        self._left: int | None = None
        self._chunks: ChunkedReceiver | None = None
        self.has_head = False
        self.is_complete = False
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.length: int | None = None

    def feed(self, data: bytes) -> bytes:
        """Parse received data; return the part that belongs to the body. Raises BrokenAnswer."""
        if not self.has_head:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                if len(self._head) > _MOST_HEAD_BYTES:
                    raise BrokenAnswer("a head without end")
                return b""
            data = self._head[end + 4 :]
            self._read_head(self._head[:end])
            self._head = b""
        return self._body(data)

    def end(self) -> None:
        """Mark the end of the data. Raises BrokenAnswer if some is missing."""
        if not self.is_complete:
            if not self.has_head or self._left or self._chunks is not None:
                raise BrokenAnswer("the answer is cut off")
            self.is_complete = True

    def _read_head(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, self.status = first.partition(" ")
        code = self.status[:3]
        if not version.startswith("HTTP/1.") or not code.isdigit():
            raise BrokenAnswer("no HTTP")
        chunked = False
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise BrokenAnswer("a header without a colon")
            name, value = name.strip(), value.strip()
            if name.lower() == "transfer-encoding":
                chunked = value.lower() == "chunked"
            elif name.lower() == "content-length":
                self.length = self._left = int(value)
            if name.lower() not in _HOP_BY_HOP:
                self.headers.append((name, value))
        self.has_head = True
        if self._method == "HEAD" or code in ("204", "304"):
            self.is_complete = True
        elif chunked:
            self._chunks = ChunkedReceiver(OverflowableBuffer(_CHUNK_MEMORY_BYTES))
        elif self._left == 0:
            self.is_complete = True

    def _body(self, data: bytes) -> bytes:
        if self.is_complete or not data:
            return b""
        if self._chunks is not None:
            self._chunks.received(data)
            if self._chunks.error:
                raise BrokenAnswer("broken chunks")
            self.is_complete = self._chunks.completed
            buffer = self._chunks.buf
            found: bytes = buffer.get(len(buffer), skip=True)
            return found
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
            self.is_complete = not self._left
        return data
