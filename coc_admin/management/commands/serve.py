"""`manage.py serve`: what `make run` starts."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from coc_admin.processes import preflight, programs, worker_progress
from coc_admin.processes.console import Console
from coc_admin.processes.shim import ask_death_signal
from coc_admin.processes.supervise import Supervisor
from coc_admin.processes.watchdog import Watchdog

NOT_READY = 2
# Between two looks at the progress of the worker.
_WATCH_SECONDS = 2.5


class Command(BaseCommand):
    """Prepare, start and supervise web, worker and monitor."""

    help = (
        "Starts web, worker and monitor and keeps them running. Applies migrations and collects "
        "static files first. Exit codes: 0 stopped by a signal, 2 something is missing (one line "
        "says what)."
    )
    # The checks are run here, so that each fault is one line.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default=settings.COC_BIND, help="address to listen on")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port to listen on")
        parser.add_argument(
            "--only",
            nargs="+",
            choices=programs.NAMES,
            default=list(programs.NAMES),
            help="start only these, to spread the product over hosts; web includes console",
        )
        parser.add_argument(
            "--with-parent",
            action="store_true",
            help="stop when the process that started this one ends (make uses it)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGINT, SIGTERM or SIGHUP."""
        stop = stop_on_signals(with_parent=options["with_parent"])
        console = Console()
        host, port, names = options["host"], options["port"], options["only"]
        try:
            preflight.check_settings()
            preflight.check_folder("COC_VAR_DIR", settings.VAR_DIR)
            listener = preflight.take_port(host, port) if "web" in names else None
            preflight.prepare_database()
            if listener is not None:
                preflight.prepare_static_files()
                preflight.listen(listener)
        except preflight.NotReady as error:
            self.stderr.write(str(error))
            raise SystemExit(NOT_READY) from None
        supervisor = Supervisor(
            programs.chosen(names=names, listener=listener.fileno() if listener else None),
            sink=console.line,
            say=console.say,
            listener=listener,
            silent_seconds=settings.COC_SILENT_SECONDS,
            lock_watch=programs.lock_watch(console.say),
            hold_seconds=settings.COC_WATCHDOG_SECONDS,
        )
        console.say(f"starting {', '.join(names)}; stop with Ctrl-C")
        if "web" in names:
            console.say(where(host, port))
        run(supervisor, stop=stop, watch_worker="worker" in names)
        console.say("stopped")


def where(host: str, port: int) -> str:
    """Say at which address the console can be opened."""
    everywhere = host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    address = f"{'127.0.0.1' if everywhere else host}:{port}"
    if not settings.COC_HTTPS:
        return f"the console is at http://{address}/"
    return (
        f"listening on {address}; open the console with https, through your proxy"
        " (COC_HTTPS=false: plain http, on your own machine only)"
    )


def stop_on_signals(*, with_parent: bool) -> threading.Event:
    """Return an event that SIGINT, SIGTERM and SIGHUP set, and with it the end of the parent."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Started with nohup, it is to outlive its terminal.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    if with_parent:
        parent = os.getppid()
        ask_death_signal(signal.SIGTERM)
        if os.getppid() != parent:
            stop.set()
    return stop


def run(supervisor: Supervisor, *, stop: threading.Event, watch_worker: bool) -> None:
    """Keep the programs running until `stop`, and replace a worker that has come to a halt."""
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(supervisor, done), name="watchdog", daemon=True)
    if watch_worker:
        watcher.start()
    try:
        supervisor.run(stop)
    finally:
        done.set()


def _watch(supervisor: Supervisor, done: threading.Event) -> None:
    patience = settings.COC_WATCHDOG_SECONDS
    watchdog = Watchdog(
        patience=patience,
        progress=worker_progress.read,
        nudge=worker_progress.nudge,
        clock=time.monotonic,
    )
    while not done.wait(min(_WATCH_SECONDS, patience / 4)):
        if is_worker_wedged(supervisor, watchdog):
            supervisor.restart("worker", f"no sign of work for {patience:g} s")


def is_worker_wedged(supervisor: Supervisor, watchdog: Watchdog) -> bool:
    """Ask the watchdog, unless another process keeps the database locked.

    No worker could note a beat then, and a new one would do no better.
    """
    if supervisor.is_locked_out("worker"):
        watchdog.excuse()
        return False
    return worker_progress.is_wedged(watchdog)
