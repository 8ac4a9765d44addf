"""Hand connections from the web processes over to the console process; none is opened.

The supervisor makes a pair of sockets; the web processes inherit one end, the console process the
other. For each request a web process makes its own pair and sends one end across (SCM_RIGHTS), with
the client's address. So the console process listens nowhere: no other program can reach it, and no
header can claim another client.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

# The console process sends this first on each connection: it is there, and takes a request.
GREETING = b"+"

# (address, port) of the client's socket
Address = tuple[str, int]

_MESSAGE_BYTES = 1024


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends for web processes and console process; message boundaries are kept."""
    # macOS has no SOCK_SEQPACKET for pairs; Linux queues only ten datagrams of the other type.
    kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
    return socket.socketpair(socket.AF_UNIX, kind)


def inherited(descriptor: int) -> socket.socket:
    """Return the inherited end with this descriptor, non-blocking."""
    end = socket.socket(fileno=descriptor)
    end.setblocking(False)
    return end


def open_connection(end: socket.socket, client: Any) -> socket.socket:
    """Return a new connection to the console process, on behalf of `client`.

    Maybe nothing accepts it. Raises OSError if the queue is full.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            message = json.dumps([str(client[0]), int(client[1])]).encode()
            socket.send_fds(end, [message], [theirs.fileno()])
        except BaseException:
            ours.close()
            raise
    return ours


def take_connection(end: socket.socket) -> tuple[socket.socket, Address] | None:
    """Return the next connection and its client's address; None if none waits."""
    try:
        message, descriptors, _, _ = socket.recv_fds(end, _MESSAGE_BYTES, 1)
    except (BlockingIOError, InterruptedError):
        return None
    if not descriptors:
        # The system ran out of descriptors; the other side gets no greeting and gives up.
        return None
    connection = socket.socket(fileno=descriptors[0])
    address, port = json.loads(message)
    return connection, (address, port)
