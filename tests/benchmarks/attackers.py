"""Many connections that send one kind of request as fast as they are answered.

A process of its own, with the lowest priority: attackers do not use the shop's processors.
`python -m tests.benchmarks.attackers PORT KIND CONNECTIONS SECONDS [COOKIE]` prints, as JSON, how
many answers of each status came.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from contextlib import suppress
from itertools import count
from pathlib import Path
from urllib.parse import urlencode

KINDS = ("login", "export", "search", "nothing")
_TOKEN = "c" * 32
_NUMBERS = count(1)


def request(kind: str, cookie: str) -> bytes:
    """Return the bytes of the next request."""
    number = next(_NUMBERS)
    if kind == "login":
        form = {"username": f"u{number}", "password": "wrong", "csrfmiddlewaretoken": _TOKEN}
        body = urlencode(form)
        return (
            f"POST /login/ HTTP/1.1\r\nHost: localhost\r\nCookie: coc_csrf={_TOKEN}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
    path = "/orders/export.xlsx" if kind == "export" else f"/orders/?q=nobody{number}@example"
    if kind == "nothing":
        path = f"/api/v1/nothing{number}"
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode()


async def attack(port: int, kind: str, cookie: str, until: float, answers: Counter[str]) -> None:
    """Send one request after the other on one connection, and open another when it is closed."""
    while time.monotonic() < until:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                while time.monotonic() < until:
                    writer.write(request(kind, cookie))
                    answers[await _answer(reader)] += 1
            finally:
                writer.close()
        await asyncio.sleep(0.01)


async def _answer(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = head.partition("content-length: ")[2].partition("\r\n")[0]
    left = int(length or 0)
    while left > 0:
        left -= len(await reader.readexactly(min(left, 65536)))
    if "connection: close" in head:
        answered = head[9:12]
        reader.feed_eof()
        return answered
    return head[9:12]


async def main(port: int, kind: str, connections: int, seconds: float, cookie: str) -> None:
    """Attack and print."""
    answers: Counter[str] = Counter()
    until = time.monotonic() + seconds
    attacks = [attack(port, kind, cookie, until, answers) for _ in range(connections)]
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*attacks), seconds + 1)
    print(json.dumps(answers))


if __name__ == "__main__":
    os.nice(19)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")
    asyncio.run(
        main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
    )
