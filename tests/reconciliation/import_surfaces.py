"""Import a file in tests by the command and, after undoing that, in the console."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client

from coc_admin.accounts.roles import make_roles
from orders.models import InventoryRecord, OrderItem
from reconciliation import tasks
from reconciliation.models import MaintenanceJob
from tests.reconciliation.import_command import run

Outcome = tuple[Any, str]  # what is there afterwards, and what was said


def operator() -> Client:
    """Return a browser in which an administrator is signed in."""
    make_roles(apps)
    user = User.objects.create_user("olga", password="a long password", is_superuser=True)
    user.groups.set(Group.objects.all())
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def placed() -> dict[str, dict[str, Any]]:
    """Return the units of each order by SKU."""
    found: dict[str, dict[str, Any]] = {}
    for item in OrderItem.objects.select_related("order"):
        units = found.setdefault(item.order.order_no, {})
        units[item.sku] = units.get(item.sku, 0) + item.quantity
    return found


def figures(list_id: str) -> dict[str, Any]:
    """Return the figures of a list."""
    records = InventoryRecord.objects.filter(inventory_list_id=list_id)
    return dict(records.values_list("sku", "snapshot_ato"))


def orders_both_ways(path: Path, client: Client) -> tuple[Outcome, Outcome]:
    """Import an order file into the site shop by the command, then in the console."""

    def command() -> Outcome:
        _code, out, err = run(path)
        return placed(), out + err

    def console() -> Outcome:
        sent = SimpleUploadedFile(path.name, path.read_bytes())
        answer = client.post("/settings/maintenance/import/", {"site": "shop", "file": sent})
        if answer.status_code != 302:
            return placed(), _text(answer)
        preview = _text(client.get(answer["Location"]))
        client.post(answer["Location"])
        job = MaintenanceJob.objects.last()
        if job is None:
            return placed(), preview
        tasks.maintenance_job(job.pk)
        return placed(), preview + _text(client.get(answer["Location"]))

    return _undone(command), console()


def stock_both_ways(path: Path, client: Client, list_id: str) -> tuple[Outcome, Outcome]:
    """Import a stock file into a list by the command, then in the console."""

    def command() -> Outcome:
        out = io.StringIO()
        try:
            call_command(
                "import_inventory", str(path), inventory_list=list_id, stdout=out, stderr=out
            )
        except CommandError as error:
            out.write(str(error))
        return figures(list_id), out.getvalue()

    def console() -> Outcome:
        sent = SimpleUploadedFile(path.name, path.read_bytes())
        answer = client.post("/inventory/import/", {"list": list_id, "file": sent})
        if answer.status_code != 302:
            return figures(list_id), _text(answer)
        client.post(answer["Location"])
        return figures(list_id), _text(client.get("/inventory/"))

    return _undone(command), console()


class _Undo(Exception):
    """Rolls a transaction back."""


def _undone(act: Callable[[], Outcome]) -> Outcome:
    found: Outcome = ({}, "")
    try:
        with transaction.atomic():
            found = act()
            raise _Undo
    except _Undo:
        return found


def _text(answer: Any) -> str:
    words = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", html.unescape(words))
