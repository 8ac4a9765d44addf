"""A stand-in for OCI that answers after a fixed time: for measuring, not for judging.

`python -m tests.benchmarks.stand_in DELAY_MS` prints its port and serves until it is ended. It has
plenty of everything. `GET /seen` tells how many reservations came, and how many were under way at
once at most.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

_HEAD = "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Seen:
    """What has come so far."""

    def __init__(self) -> None:
        self.puts = self.under_way = self.most = 0
        self.orders: list[str] = []


class Conversation(asyncio.Protocol):
    """One kept connection: requests one after the other, each answered after the delay."""

    def __init__(self, delay: float, seen: Seen) -> None:
        self._delay, self._seen = delay, seen
        self._read = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, rest = self._read.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines[1:])}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._read = rest[length:]
        method, path, _ = lines[0].split(" ")
        self._take(method, path, rest[:length])

    def _take(self, method: str, path: str, body: bytes) -> None:
        seen = self._seen
        if method == "PUT":
            asked = json.loads(body)
            seen.puts += 1
            seen.under_way += 1
            seen.most = max(seen.most, seen.under_way)
            seen.orders.append(asked["externalRefId"])
            answer = _reserved(asked)
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._answer_put, answer)
            else:
                self._answer_put(answer)
        elif path.endswith("/get-availability"):
            self._answer(_available(json.loads(body)))
        elif path == "/seen":
            told = {"puts": seen.puts, "most": seen.most, "orders": seen.orders}
            self._answer(told)
        else:
            self._answer({"access_token": "t", "token_type": "Bearer", "expires_in": 1800})

    def _answer_put(self, answer: object) -> None:
        self._seen.under_way -= 1
        self._answer(answer)

    def _answer(self, answer: object) -> None:
        body = json.dumps(answer)
        self._transport.write((_HEAD % ("200 OK", len(body)) + body).encode())


def _reserved(asked: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"reservationTime": "2026-11-28T12:00:00Z", "success": True}
    for kind in ("groups", "locations"):
        places = asked.get(kind, [])
        if places:
            answer[kind] = [{"id": p["id"], "details": p["reservations"]} for p in places]
    return answer


def _available(asked: dict[str, Any]) -> dict[str, Any]:
    counts = ("ato", "atf", "onHand")
    return {
        kind: [
            {
                "id": place,
                "records": [
                    {
                        "sku": sku,
                        **dict.fromkeys(counts, 1_000_000),
                        "reserved": 0,
                        "safetyStockCount": 0,
                    }
                    for sku in asked["skus"]
                ],
            }
            for place in asked.get(kind, [])
        ]
        for kind in ("groups", "locations")
        if asked.get(kind)
    }


async def _serve(delay: float) -> None:
    seen = Seen()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(delay, seen), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) / 1000))
