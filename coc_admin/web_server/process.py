"""Common parts of the web processes and the console process."""

from __future__ import annotations

import os
import resource
import signal
import sys

from django.conf import settings

from coc_admin.web_server.server import Server

# Files per connection besides its socket: a body and an answer too large for memory, and a
# connection to the other process. The rest is for everything else.
_FILES_OF_A_CONNECTION = 4
_OTHER_FILES = 200
_SWITCH_SECONDS = 0.0005


def run(server: Server) -> None:
    """Serve until SIGTERM or SIGINT, then end the process."""
    _allow_files(server.limits.connections * _FILES_OF_A_CONNECTION + _OTHER_FILES)
    server.show_progress(loop_seconds=settings.COC_SILENT_SECONDS)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    # The loop needs the interpreter often and briefly; busy threads would delay it by five
    # milliseconds each time.
    sys.setswitchinterval(_SWITCH_SECONDS)
    server.run()
    # A thread may still work for a client that has gone; nothing waits for it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _allow_files(number: int) -> None:
    """Raise the limit of open files to `number`, as far as this user may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
