"""Roles: groups of permissions. Each role includes the permissions of the roles before it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management import create_permissions

VIEWER = "viewer"
MERCHANDISER = "merchandiser"
OPERATOR = "operator"
ADMINISTRATOR = "administrator"

_GAINS = {
    VIEWER: (
        "orders.view_order",
        "orders.view_inventoryrecord",
        "reconciliation.view_run",
        "reconciliation.view_alert",
        "reconciliation.download_report",
    ),
    MERCHANDISER: (
        "reconciliation.start_run",
        "orders.change_order",
        "reconciliation.change_alert",
    ),
    OPERATOR: (
        "reconciliation.force_offline",
        "reconciliation.adjust_reservation",
        "orders.view_site",
        "orders.change_site",
        "orders.view_inventorylist",
        "orders.change_inventorylist",
        "orders.change_messagetemplate",
        "reconciliation.change_channel",
        "coc_admin.view_auditentry",
        "orders.view_orderpayload",
    ),
    ADMINISTRATOR: (
        "auth.add_user",
        "auth.change_user",
        "auth.view_user",
        "orders.add_site",
        "orders.add_inventorylist",
        "coc_admin.add_apitoken",
        "coc_admin.change_apitoken",
        "coc_admin.view_apitoken",
    ),
}
_APPS = ("auth", "orders", "reconciliation", "coc_admin")


def permissions_of_roles() -> dict[str, frozenset[str]]:
    """Return the permissions of each role, as `app.codename`, the weakest role first."""
    roles: dict[str, frozenset[str]] = {}
    so_far: frozenset[str] = frozenset()
    for role, gained in _GAINS.items():
        so_far |= frozenset(gained)
        roles[role] = so_far
    return roles


def make_roles(apps: Any, *, alias: str = "default") -> None:
    """Create the groups and give them their permissions. Idempotent; removes nothing.

    `apps` is the registry of a migration or the real one. Django creates permissions only after all
    migrations, so missing ones are created first. Permissions of models that do not exist yet are
    left out; the migration that adds the model calls this again.
    """
    _make_permissions(apps, alias)
    permission = apps.get_model("auth", "Permission")
    known = {
        f"{one.content_type.app_label}.{one.codename}": one
        for one in permission.objects.using(alias).select_related("content_type")
    }
    groups = apps.get_model("auth", "Group").objects.using(alias)
    for role, wanted in permissions_of_roles().items():
        group, _ = groups.get_or_create(name=role)
        group.permissions.add(*(known[name] for name in sorted(wanted) if name in known))


def _make_permissions(apps: Any, alias: str) -> None:
    for label in _APPS:
        config = apps.get_app_config(label)
        # An app of a migration has no models module, and Django would skip it.
        module = getattr(config, "models_module", None)
        config.models_module = module or True
        try:
            create_permissions(config, apps=apps, verbosity=0, using=alias)
        finally:
            config.models_module = module
