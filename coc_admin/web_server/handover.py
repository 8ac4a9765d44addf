"""How web processes reach the console process: connections are handed over, none is opened.

The supervisor makes a pair of sockets and lets the web processes inherit one end, the console
process the other. For each request a web process makes a pair of its own and sends one end across
(SCM_RIGHTS), with the address of the client. So the console process listens nowhere: no other
program can reach it, and no header can name another client.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

# What the console process sends first on each connection: it is there, and takes a request.
GREETING = b"+"

# (address, port), as the client's socket has them.
Address = tuple[str, int]

_MESSAGE_BYTES = 1024


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends that web processes and console process inherit; messages stay whole."""
    # macOS has no SOCK_SEQPACKET for pairs; Linux keeps only ten datagrams of the other kind.
    kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
    return socket.socketpair(socket.AF_UNIX, kind)


def inherited(descriptor: int) -> socket.socket:
    """Return the inherited end with this descriptor; nothing waits for it."""
    end = socket.socket(fileno=descriptor)
    end.setblocking(False)
    return end


def open_connection(end: socket.socket, client: Any) -> socket.socket:
    """Return a new connection to the console process, on behalf of `client`.

    Nobody may be there to take it. Raises OSError when no more can wait.
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
    """Return the next connection and its client's address; None when none waits."""
    try:
        message, descriptors, _, _ = socket.recv_fds(end, _MESSAGE_BYTES, 1)
    except (BlockingIOError, InterruptedError):
        return None
    if not descriptors:
        # The system was out of descriptors; the other side hears nothing and gives up.
        return None
    connection = socket.socket(fileno=descriptors[0])
    address, port = json.loads(message)
    return connection, (address, port)
