"""Erase a customer's personal data from orders, messages and report files."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders import privacy
from orders.actors import at_the_command_line
from orders.models import Order
from orders.models.orders import OrderQuerySet
from orders.texts import is_plain
from reconciliation.reports import publish

_SHOWN = 50


class Command(BaseCommand):
    """`manage.py erase_customer`."""

    help = (
        "Shows the orders of a customer and, with --apply, erases the customer from them: name,"
        " e-mail address and customer id, what else the storefront sent that is not about goods and"
        " amounts, and messages to the customer; report files that hold them are rewritten. The"
        " orders, their stock and the reports' counts stay. Free text that people typed (reasons,"
        " notes) stays too. Orders that are not finished are left alone unless --unfinished is"
        " given. May be run twice. Exit code 1 if something could not be erased or is left alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the customer to erase."""
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--email", help="the customer's e-mail address, in any case")
        who.add_argument("--customer-id", help="the storefront's id of the customer")
        who.add_argument("--order", metavar="SITE:ORDER_NO", help="the customer of this one order")
        parser.add_argument("--apply", action="store_true", help="erase; without it, only show")
        parser.add_argument("--unfinished", action="store_true", help="erase open orders as well")
        parser.add_argument(
            "--reason", default="The customer asked for it.", help="kept in the orders' history"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Show or erase."""
        found = _orders(options)
        chosen = found if options["unfinished"] else found & Order.objects.finished()
        ids = list(chosen.values_list("pk", flat=True))
        left = list(found.exclude(pk__in=ids))
        for order in list(chosen[:_SHOWN]):
            erased = " (erased already)" if order.customer_erased_at else ""
            self.stdout.write(f"{order.site_id}:{order.order_no}{erased}")
        if not ids and not left:
            self.stdout.write("No order names this customer.")
        if len(ids) > _SHOWN:
            self.stdout.write(f"... and {len(ids) - _SHOWN:,} more")
        if options["apply"]:
            self._erase(ids, options["reason"])
        else:
            self.stdout.write(f"{len(ids):,} orders would be erased; --apply does it.")
        if left:
            names = ", ".join(f"{order.site_id}:{order.order_no}" for order in left[:_SHOWN])
            raise CommandError(f"Not finished, and left alone without --unfinished: {names}.")

    def _erase(self, ids: list[int], reason: str) -> None:
        erased = privacy.erase(
            order_ids=ids, actor=at_the_command_line(), reason=reason, now=timezone.now()
        )
        self.stdout.write(f"{erased:,} orders are erased.")
        # Also when nothing was left to erase: the files may have failed the last time.
        done = publish.project_and_merge(now=timezone.now())
        self.stdout.write(f"{done.reports:,} daily reports are rewritten.")
        if done.failed or done.busy:
            raise CommandError(
                "Some reports could not be written yet and still hold the customer; they are"
                " written as soon as that is possible. See the alerts."
            )


def _orders(options: dict[str, Any]) -> OrderQuerySet:
    """Return the orders meant, oldest first. Raises CommandError without one."""
    given = options["email"] or options["customer_id"] or options["order"]
    if not is_plain(given):
        raise CommandError("Control characters are not allowed.")
    if options["email"]:
        found = privacy.orders_of_email(given)
    elif options["customer_id"]:
        found = privacy.orders_of_customer(given)
    else:
        site, _, number = given.partition(":")
        found = Order.objects.filter(site=site, order_no=number)
        if not found.exists():
            raise CommandError(f"There is no order {given}; write SITE:ORDER_NO.")
    return found.order_by("captured_at", "id")
