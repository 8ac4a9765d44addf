"""`python -m coc_admin.web_server FD CONSOLE`: one web process.

FD is the bound socket, CONSOLE the end of `handover.pair` for requests of the console process; both
are inherited.
"""

from __future__ import annotations

import socket
import sys

from django.conf import settings

from coc_admin.processes.programs import console_threads, web_threads
from coc_admin.web_server import handover, process
from coc_admin.web_server.contact import contact
from coc_admin.web_server.limits import ForwardingLimits, Limits
from coc_admin.web_server.server import Server
from coc_admin.wsgi import order_application

# After the application has set up Django.
from coc_admin.accounts import tokens  # isort: skip
from reconciliation.connection import state  # isort: skip

# Longer than the console process's own limit, so that it can report the error itself.
_LONGER_SECONDS = 15.0


def main(listener: socket.socket, console: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    contact.is_kept = True
    tokens.recent.seconds = tokens.REMEMBERED_SECONDS
    state.recent.seconds = state.REMEMBERED_SECONDS
    server = Server(
        order_application(),
        listener,
        threads=web_threads(),
        limits=Limits(request_seconds=settings.COC_WEB_REQUEST_SECONDS),
        forward_to=console,
        forwarding=ForwardingLimits(
            working=console_threads(),
            answer_seconds=settings.COC_CONSOLE_SECONDS + _LONGER_SECONDS,
        ),
    )
    process.run(server)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), handover.inherited(int(sys.argv[2])))
