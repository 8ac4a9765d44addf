"""Make a site and the inventory list that it sells from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import models, transaction
from django.utils import timezone

from orders import risk
from orders.actors import at_the_command_line
from orders.models import InventoryList, ListType, ShortHandover, Site
from orders.models.sites import HANDOVER_MINUTES
from orders.permitted_lists import lists_of, permit_only
from orders.texts import is_plain

_HANDOVER = ("short_handover", "handover_minutes")


class Command(BaseCommand):
    """Create them, or confirm that they exist as given."""

    help = (
        "Makes a site, and its inventory list unless it is there already. Running it again with"
        " the same values changes nothing (exit code 0); with other values it says what differs"
        " and changes nothing (exit code 1): sites and lists are changed in the console."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the site and its values."""
        parser.add_argument("site", metavar="SITE", help="The siteId, 1 to 32 characters.")
        parser.add_argument(
            "--inventory-list",
            required=True,
            metavar="LIST",
            help="The list it sells from: the id of an OCI location or location group.",
        )
        parser.add_argument(
            "--list-type",
            choices=ListType.values,
            help="Which of the two it is; a new list is a group unless this says location.",
        )
        parser.add_argument(
            "--permit-list",
            action="append",
            default=[],
            metavar="LIST",
            help="Another list that orders of the site may name for an item; it must be there."
            " May be given several times. Without it the site sells from its own list alone.",
        )
        parser.add_argument(
            "--time-zone", default="UTC", help="Whose days the reports follow, as Europe/Berlin."
        )
        parser.add_argument("--currency", default="USD", help="Three capital letters.")
        parser.add_argument(
            "--no-offline-capture",
            action="store_true",
            help="Refuse orders while OCI is away, instead of risking to oversell.",
        )
        parser.add_argument(
            "--no-promises",
            action="store_true",
            help="Let new orders take arriving stock before undecided short orders.",
        )
        parser.add_argument(
            "--short-handover",
            choices=ShortHandover.values,
            help="When order management may take a short order that nobody has decided; a new site"
            f" gives {HANDOVER_MINUTES} minutes to decide unless this says otherwise.",
        )
        parser.add_argument(
            "--handover-minutes", type=int, help="The minutes, for --short-handover after_minutes."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Create the missing parts, in one transaction."""
        with transaction.atomic():
            wanted_list = {"list_type": options["list_type"]} if options["list_type"] else {}
            stock, new_list = _get_or_make(
                InventoryList, options["inventory_list"], "inventory list", wanted_list
            )
            wanted_site = {
                "inventory_list_id": stock.pk,
                "time_zone": options["time_zone"],
                "currency": options["currency"],
                "offline_capture": not options["no_offline_capture"],
            }
            site, new_site = _get_or_make(
                Site,
                options["site"],
                "site",
                wanted_site
                | {n: options[n] for n in _HANDOVER if options[n] is not None}
                | ({"keeps_promises": False} if options["no_promises"] else {}),
                new={"short_handover": ShortHandover.AFTER_MINUTES},
            )
            if new_site and site.offline_capture:
                risk.accept(
                    site=site,
                    text=risk.risk_text(),
                    actor=at_the_command_line(),
                    now=timezone.now(),
                )
            _permit(site, set(options["permit_list"]) - {stock.pk}, new=new_site)
        if new_list:
            self.stdout.write(f"Inventory list {stock.pk} ({stock.list_type}) is made.")
        self.stdout.write(f"Site {site.pk} {'is made' if new_site else 'is there already'}.")
        if new_site and site.offline_capture:
            self.stderr.write(f"Recorded as accepted by you: {risk.risk_text()}")


def _get_or_make(
    model: type[models.Model],
    pk: str,
    what: str,
    wanted: dict[str, Any],
    *,
    new: Mapping[str, Any] | None = None,
) -> tuple[Any, bool]:
    """Return the row with that key, and whether it was made; raises CommandError if it differs.

    `new` are values of a row that is made, unless others are `wanted`.
    """
    row: Any = model._default_manager.filter(pk=pk).first() if is_plain(pk) else None
    if row is None:
        row = model(pk=pk, **{**(new or {}), **wanted})
        try:
            row.full_clean()
        except ValidationError as error:
            raise CommandError(f"The {what} cannot be made: {_in_one_line(error)}") from None
        row.save(force_insert=True)
        return row, True
    differing = [
        f"{name.removesuffix('_id').replace('_', ' ')} is {getattr(row, name)!s}, not {value!s}"
        for name, value in wanted.items()
        if getattr(row, name) != value
    ]
    if differing:
        raise CommandError(
            f"The {what} {pk} is there already, and it differs: {'; '.join(differing)}."
            " Nothing was changed."
        )
    return row, False


def _permit(site: Site, wanted: set[str], *, new: bool) -> None:
    """Let a new site sell from other lists; raises CommandError for a site that has others."""
    named = lists_of(site) - {site.inventory_list_id}
    if not new and wanted and named != wanted:
        raise CommandError(
            f"The site {site.pk} is there already, and it differs: it may sell from"
            f" {', '.join(sorted(named)) or 'no other lists'}, not {', '.join(sorted(wanted))}."
            " Nothing was changed. Change it in the settings of the console, where it is noted."
        )
    known = InventoryList.objects.filter(pk__in=[pk for pk in wanted if is_plain(pk)])
    missing = wanted - {list_.pk for list_ in known}
    if missing:
        raise CommandError(
            f"There is no inventory list {min(missing)!r} to permit. Nothing was changed."
        )
    if new:
        permit_only(site, known)


def _in_one_line(error: ValidationError) -> str:
    return " ".join(
        f"{name.replace('_', ' ')}: {message}"
        for name, messages in error.message_dict.items()
        for message in messages
    )
