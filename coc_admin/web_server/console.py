"""`python -m coc_admin.web_server.console CONSOLE`: the process that answers all but orders.

CONSOLE is the inherited end of `handover.pair` for connections from the web processes.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings

from coc_admin.processes.programs import console_threads, web_workers
from coc_admin.web_server import handover, process
from coc_admin.web_server.channel import Channel
from coc_admin.web_server.limits import Limits
from coc_admin.web_server.server import Application, Server
from coc_admin.web_server.time_limits import TimeLimits
from coc_admin.wsgi import application

# Orders come first: if processors are scarce, this process gets about a third as much.
_NICE = 5
# The web processes close idle connections; a connection that waits here has a slow reader there.
_NEVER = 10 * 365 * 86_400.0


class ConsoleChannel(Channel):
    """A connection from a web process, greeted when accepted."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        with suppress(OSError):
            self.socket.send(handover.GREETING)


class ConsoleServer(Server):
    """Serves connections that web processes hand over; clients' addresses come with them."""

    channel_class = ConsoleChannel

    def __init__(
        self, application: Application, end: socket.socket, *, threads: int, limits: Limits
    ) -> None:
        super().__init__(application, end, threads=threads, limits=limits)

    def getsockname(self) -> tuple[str, str]:
        """Return a placeholder address; a request without a host is refused."""
        return ("127.0.0.1", str(settings.PORT))

    def accept_connections(self) -> None:
        """Accept connections from now on; there is no listening socket."""
        self.accepting = True

    def set_socket_options(self, connection: socket.socket) -> None:
        """Do nothing: TCP options have no meaning here."""

    def accept(self) -> tuple[socket.socket, handover.Address] | None:
        """Return the next connection and its client's address; None if none waits."""
        return handover.take_connection(self.socket)


def main(end: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    give_way()
    usual = Limits(request_seconds=settings.COC_WEB_REQUEST_SECONDS)
    limits = Limits(
        request_seconds=usual.request_seconds,
        silent_seconds=_NEVER,
        connections=usual.connections * web_workers(),
    )
    bounded = TimeLimits(
        application,
        cpu_seconds=settings.COC_CONSOLE_CPU_SECONDS,
        seconds=settings.COC_CONSOLE_SECONDS,
    )
    process.run(ConsoleServer(bounded, end, threads=console_threads(), limits=limits))


def give_way() -> None:
    """Give processes of normal priority precedence on the processors."""
    os.nice(_NICE)
    # Linux may weigh sessions before processes, and a supervised program has its own session.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_NICE))


if __name__ == "__main__":
    main(handover.inherited(int(sys.argv[1])))
