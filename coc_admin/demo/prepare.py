"""The demo's folder, users, sites, tokens and first stock."""

from __future__ import annotations

import fcntl
import io
import json
import secrets
import shutil
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.utils import timezone

from coc_admin.demo.plan import DemoSite, Plan
from coc_admin.models import TokenScope
from coc_admin.processes.preflight import NotReady
from orders import ledger
from orders.ledger import Figure
from orders.models import InventoryList, ListType, MessageRoute, MovementReason, Site

STOCK_FILE = "stock.json"
_MARK = ".coc-demo"
# A migration creates the roles as groups; see coc_admin.accounts.roles.
ROLES = ("viewer", "merchandiser", "operator", "administrator")


@dataclass(frozen=True, slots=True)
class Login:
    """A user of the demo, and the password to print."""

    name: str
    password: str
    role: str


def take_folder(folder: Path, *, keep: bool) -> TextIO:
    """Reserve the folder for this demo and, unless `keep`, empty it. Raises NotReady.

    The returned file holds the lock on the folder; keep it open while the demo runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder.parent / f"{folder.name}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise NotReady(f"Another demo runs in {folder}. Stop it first.") from None
    if any(folder.iterdir()) and not (folder / _MARK).exists():
        lock.close()
        raise NotReady(f"{folder} holds something that no demo has made; choose another folder.")
    if not keep:
        for entry in folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    (folder / _MARK).touch()
    return lock


def write_stock(plan: Plan, folder: Path) -> Path:
    """Write the simulator's stock file and return its path."""
    path = folder / STOCK_FILE
    path.write_text(json.dumps(plan.stock_file()), encoding="utf-8")
    return path


def make_users() -> list[Login]:
    """Create one user per role with a new password; return the logins to print."""
    logins = []
    for role in ROLES:
        name = "admin" if role == "administrator" else role
        user, _ = User.objects.get_or_create(username=name)
        password = f"{name}-{secrets.token_hex(3)}"
        user.set_password(password)
        user.is_superuser = role == "administrator"
        user.save()
        user.groups.set(Group.objects.filter(name__iexact=role))
        logins.append(Login(name, password, role))
    return logins


def make_sites(plan: Plan) -> None:
    """Create the sites of the plan with their lists and OCI's initial stock."""
    for site in plan.sites:
        stock, _ = InventoryList.objects.get_or_create(
            id=site.list_id,
            defaults={
                "name": f"Stock of {site.name}",
                "list_type": ListType.GROUP if site.members else ListType.LOCATION,
            },
        )
        Site.objects.get_or_create(
            id=site.id,
            defaults={
                "name": site.name,
                "inventory_list": stock,
                "time_zone": site.time_zone,
                "currency": site.currency,
            },
        )
        MessageRoute.objects.get_or_create(site_id=site.id, defaults={"language": site.language})
        _learn_stock(plan, site)


def _learn_stock(plan: Plan, site: DemoSite) -> None:
    now = timezone.now()
    figures = [
        Figure(list_id, sku, Decimal(units), product_name=plan.names.get(sku, ""))
        for (list_id, sku), units in sorted(plan.ato().items())
        if list_id == site.list_id
    ]
    ledger.apply_snapshot(
        figures=figures,
        taken_at=now,
        lag=timedelta(seconds=settings.COC_OCI_READ_LAG),
        now=now,
        reason=MovementReason.IMPORTED,
    )


def make_tokens(plan: Plan) -> dict[str, str]:
    """Create an API token with every scope for each site; return them by site."""
    tokens = {}
    for site in plan.sites:
        output = io.StringIO()
        name = f"storefront {timezone.now():%Y-%m-%d %H:%M:%S}"
        call_command(
            "create_api_token",
            name,
            f"--site={site.id}",
            "--scope",
            *TokenScope.values,
            stdout=output,
        )
        tokens[site.id] = output.getvalue().strip()
    return tokens
