"""`python -m coc_admin.web_server FD`: one web process on the bound socket FD, inherited."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys

from django.conf import settings

from coc_admin.supervisor.programs import web_threads
from coc_admin.web_server.limits import Limits
from coc_admin.web_server.server import Server
from coc_admin.wsgi import application

# Files that a connection may hold beside its socket: a body and an answer that are too large for
# memory. Some are for everything else.
_FILES_OF_A_CONNECTION = 3
_OTHER_FILES = 200
_SWITCH_SECONDS = 0.0005


def main(listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    limits = Limits(request_seconds=settings.COC_WEB_REQUEST_SECONDS)
    _allow_files(limits.connections * _FILES_OF_A_CONNECTION + _OTHER_FILES)
    server = Server(application, listener, threads=web_threads(), limits=limits)
    server.show_progress(loop_seconds=settings.COC_SILENT_SECONDS)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    # The loop needs the interpreter often and for moments; threads at work would keep it waiting
    # for five milliseconds each time.
    sys.setswitchinterval(_SWITCH_SECONDS)
    server.run()
    # A thread may still be at work for somebody who has gone; nothing waits for it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _allow_files(number: int) -> None:
    """Raise the limit of open files to `number`, as far as this user may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
