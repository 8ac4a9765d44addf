"""Run the monitor."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import uuid
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from reconciliation.connection.clients import client_for_feeds, client_for_probe
from reconciliation.monitor import Monitor, Prober
from reconciliation.stock_mirror import StockMirror

logger = logging.getLogger(__name__)

# Seconds in which the mirror of stock ends its step when the monitor ends.
LAST_STEP = 5.0


def _start_mirror(holder: str, stop: threading.Event) -> threading.Thread | None:
    """Follow OCI's stock beside the monitor, in a thread that keeps it from nothing."""
    if not settings.COC_STOCK_FEED:
        return None
    mirror = StockMirror(holder=holder, client=client_for_feeds(), clock=timezone.now)
    thread = threading.Thread(target=mirror.run, args=(stop,), name="stock-mirror", daemon=True)
    thread.start()
    return thread


class Command(BaseCommand):
    """Watch OCI until stopped."""

    help = (
        "Probes OCI (once in COC_PROBE_SECONDS, unless people have changed that), notices loss and"
        " recovery of the connection, starts reconciliation, follows OCI's stock, and keeps alerts"
        " up to date. Any number may run: one leads, the others stand by and take over within 5"
        " seconds. Ends on SIGTERM or Ctrl-C."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal comes; exit code 1 if the settings do not name OCI."""
        try:
            client = client_for_probe()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        stop = threading.Event()

        def end(_number: int, _frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        holder = f"{socket.gethostname()[:50]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        logger.info("The monitor %s has started.", holder)
        mirror = _start_mirror(holder, stop)
        Monitor(
            holder=holder, prober=Prober(client=client, clock=timezone.now), clock=timezone.now
        ).run(stop)
        if mirror is not None:
            mirror.join(LAST_STEP)
        logger.info("The monitor %s has ended.", holder)
