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

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from reconciliation.connection.clients import client_for_probe
from reconciliation.monitor import Monitor, Prober

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Watch OCI until told to stop."""

    help = (
        "Probes OCI (once in COC_PROBE_SECONDS, unless people have changed that), notices loss and"
        " recovery of the connection, starts reconciliation, and keeps figures and alerts up to"
        " date. Any number may run: one leads, the others stand by and take over within 5 seconds."
        " Ends on SIGTERM or Ctrl-C."
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
        Monitor(
            holder=holder, prober=Prober(client=client, clock=timezone.now), clock=timezone.now
        ).run(stop)
        logger.info("The monitor %s has ended.", holder)
