"""A TCP proxy that can fall silent: what a failover without a reset, or a stuck pooler, looks like.

with BlackHole("127.0.0.1", 5432) as hole:
    connect(hole.port)
    hole.swallow()   # connections are accepted and acknowledged; nothing is ever answered
    hole.drop()      # what is connected falls silent for good; new connections pass
    hole.refuse()    # nobody can connect, and what is connected is reset
    hole.pass_on()   # new connections pass; what fell silent stays so
    hole.lose_answer(after=b"INSERT", to=b"COMMIT")   # the next such answer of one connection
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
import threading
from dataclasses import dataclass, field

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Mode(enum.Enum):
    """What happens to bytes that come."""

    PASS = "pass"
    SWALLOW = "swallow"
    SWALLOW_ANSWERS = "swallow answers"
    REFUSE = "refuse"


@dataclass(eq=False, slots=True)
class _Link:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    # A connection that has lost a byte never speaks again, in either direction or only back.
    is_deaf: bool = False
    is_mute: bool = False
    heard: bytearray = field(default_factory=bytearray)


class BlackHole:
    """Listens on `port` of 127.0.0.1 in a thread of its own; its methods may be called anywhere."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._mode = Mode.PASS
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lose: tuple[bytes, bytes] | None = None
        self.lost = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> BlackHole:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def pass_on(self) -> None:
        """Pass bytes of new connections, and of old ones that have lost none."""
        self._mode = Mode.PASS

    def swallow(self) -> None:
        """Take every byte and pass none on."""
        self._mode = Mode.SWALLOW

    def swallow_answers(self) -> None:
        """Pass on what clients send, and nothing that the server answers."""
        self._mode = Mode.SWALLOW_ANSWERS

    def refuse(self) -> None:
        """Reset every connection, old and new."""
        self._mode = Mode.REFUSE
        self._loop.call_soon_threadsafe(self._reset_all)

    def drop(self) -> None:
        """Let what is connected now fall silent for good."""
        for link in list(self._links):
            link.is_deaf = link.is_mute = True

    def lose_answer(self, *, after: bytes, to: bytes) -> None:
        """Lose the answer to the next `to` of a connection that has sent `after` before it.

        `lost` is set when it has happened.
        """
        self.lost.clear()
        self._lose = (after, to)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, sock=self._listener)
        )
        self._loop.run_forever()
        server.close()
        self._reset_all()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    def _reset_all(self) -> None:
        for link in list(self._links):
            for writer in (link.client, link.server):
                if writer is not None:
                    _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode is Mode.REFUSE:
            _reset(writer)
            return
        link = _Link(writer)
        self._links.add(link)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            answers, link.server = await asyncio.open_connection(*self._target)
            await asyncio.gather(self._forward(link, reader), self._return(link, answers))
        for end in (link.client, link.server):
            if end is not None:
                end.close()
        self._links.discard(link)
        self._tasks.discard(task)

    async def _forward(self, link: _Link, reader: asyncio.StreamReader) -> None:
        assert link.server is not None
        while data := await _read(reader):
            if self._mode is Mode.SWALLOW:
                link.is_deaf = link.is_mute = True
            self._listen(link, data)
            if not link.is_deaf:
                link.server.write(data)
                await link.server.drain()
        # The other side of a broken line never hears that this one has gone.
        if not (link.is_deaf or link.is_mute):
            link.server.close()

    async def _return(self, link: _Link, answers: asyncio.StreamReader) -> None:
        while data := await _read(answers):
            if self._mode in {Mode.SWALLOW, Mode.SWALLOW_ANSWERS}:
                link.is_mute = True
            if not link.is_mute:
                link.client.write(data)
                await link.client.drain()
        if not link.is_mute:
            link.client.close()

    def _listen(self, link: _Link, data: bytes) -> None:
        if self._lose is None:
            return
        after, to = self._lose
        link.heard += data
        found = link.heard.find(after)
        if found >= 0 and link.heard.find(to, found) >= 0:
            self._lose = None
            link.is_mute = True
            self.lost.set()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except OSError:
        return b""


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
