"""Show the connection to OCI, force it offline, or release it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders.actors import at_the_command_line
from reconciliation import connection
from reconciliation.alerts.phrases import at_stake, moment
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.models import CallHealth
from reconciliation.outages import planned
from reconciliation.runs.status import summary


class Command(BaseCommand):
    """Show the state of the connection, or force it offline and release it, with a reason."""

    help = (
        "Shows the state of the connection to OCI (status), takes it offline until it is released"
        " (force-offline), or releases it (release), which ends a planned outage: it is then"
        " probed and goes online when OCI answers and nothing waits any more."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the action and its reason."""
        parser.add_argument("action", choices=["status", "force-offline", "release"])
        parser.add_argument(
            "--reason", default="", help="Why; required to force and to release, shown to everyone."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it and print the state that results. Exit code 1 without a reason."""
        now = timezone.now()
        if options["action"] != "status":
            try:
                self._change(options["action"], options["reason"], now)
            except connection.ReasonRequired as error:
                raise CommandError(f"{error} Use --reason.") from None
            refresh_alerts(now)
        status = summary()
        reason = f" ({status.reason})" if status.reason else ""
        self.stdout.write(f"{status.connection} since {moment(status.since)}{reason}")
        for kind, calls in connection.healths().items():
            self.stdout.write(_fares(str(kind), calls, now))
        self.stdout.write(at_stake(status.waiting))

    def _change(self, action: str, reason: str, now: datetime) -> None:
        actor = at_the_command_line()
        if action == "release":
            ended = planned.release(actor=actor, reason=reason, now=now)
            changed = ended is not None
            for window in ended or ():
                self.stdout.write(f"Ended {window} ({window.owner}: {window.note}).")
        else:
            changed = connection.force_offline(actor=actor, reason=reason, now=now)
        if not changed:
            self.stdout.write("Nothing to change.")


def _fares(kind: str, calls: CallHealth, now: datetime) -> str:
    """Return a line about calls of one kind: reading figures, reserving, giving back."""
    good = f"; last good answer {moment(calls.last_good_at)}" if calls.last_good_at else ""
    if connection.is_lost(calls, now):
        return f"{kind}: no answer{good}"
    return f"{kind}: answers{good}" if good else f"{kind}: no call yet"
