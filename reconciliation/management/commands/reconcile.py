"""`manage.py reconcile`: start a reconciliation, or print its forecast."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders.actors import job
from orders.models import Order
from reconciliation.models import Run, RunState, Scope, Trigger
from reconciliation.runs import lifecycle
from reconciliation.runs.dry_run import dry_run


class Command(BaseCommand):
    """Exit code 0: done, 3: done with shortages, 4: OCI was or went away, 1: not started."""

    help = (
        "Reconcile orders with OCI. The workers do it; this command starts it, shows its progress"
        " and ends with it. Exit code 0: completed, 3: with shortages, 4: OCI remains offline."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--scope", choices=Scope.values, default=Scope.MISSING)
        parser.add_argument("--site", help="only orders of this site")
        parser.add_argument("--sku", help="with --scope sku: the SKU")
        parser.add_argument("--list", help="with --scope sku: only this inventory list")
        parser.add_argument("--run", type=int, help="with --scope run_failures: the run's number")
        parser.add_argument(
            "--order", action="append", default=[], help="with --scope orders: SITE:ORDER_NO"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument("--no-wait", action="store_true", help="end once it is started")

    def handle(self, *args: Any, **options: Any) -> None:
        """Start the run, or preview it."""
        data = self._scope_data(options)
        if options["dry_run"]:
            self._preview(options["scope"], data)
            return
        try:
            run = lifecycle.start_run(
                trigger=Trigger.COMMAND,
                actor=job("command line"),
                scope=Scope(options["scope"]),
                scope_data=data,
                now=timezone.now(),
            )
        except lifecycle.RunRefused as refused:
            raise CommandError(refused.detail) from None
        self.stdout.write(f"Reconciliation {run.pk} is started.")
        if not options["no_wait"]:
            self._follow(run)

    def _scope_data(self, options: dict[str, Any]) -> dict[str, Any]:
        needed = {Scope.SKU: "sku", Scope.RUN_FAILURES: "run", Scope.ORDERS: "order"}
        option = needed.get(options["scope"])
        if option and not options[option]:
            raise CommandError(f"--scope {options['scope']} needs --{option}.")
        data = {name: options[name] for name in ("site", "sku", "list", "run") if options[name]}
        if options["order"]:
            data["orders"] = [self._order_id(name) for name in options["order"]]
        return data

    def _order_id(self, name: str) -> int:
        site, _, number = name.partition(":")
        order = Order.objects.filter(site=site, order_no=number).first()
        if order is None:
            raise CommandError(f"There is no order {name}; write SITE:ORDER_NO.")
        return order.pk

    def _preview(self, scope: str, data: dict[str, Any]) -> None:
        preview = dry_run(scope=scope, scope_data=data, now=timezone.now())
        self.stdout.write(f"{preview.orders} orders with {preview.units.normalize():f} units.")
        if not preview.stock_known:
            self.stdout.write("OCI does not report its stock at the moment.")
        for state, count in sorted(preview.by_outcome.items()):
            self.stdout.write(f"  {state.label}: {count}")

    def _follow(self, run: Run) -> None:
        shown = ""
        while run.is_active:
            counts = lifecycle.progress(run)
            line = (
                f"{counts.percent:3d} %: {counts.total - counts.pending} of {counts.total} orders"
            )
            if line != shown:
                self.stdout.write(line)
                shown = line
            time.sleep(0.5)
            run.refresh_from_db()
        counts = lifecycle.progress(run)
        self.stdout.write(
            f"{run.get_state_display()}: {counts.complete} completely, {counts.partial} partially,"
            f" {counts.nothing} nothing reserved; {counts.offline} still wait;"
            f" {counts.review} need review."
        )
        codes = {RunState.COMPLETED: 0, RunState.SHORTAGES: 3}
        code = codes.get(RunState(run.state), 4)
        if code:
            raise SystemExit(code)
