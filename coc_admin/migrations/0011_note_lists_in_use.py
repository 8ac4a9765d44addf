"""Write down which lists of other orders a site may go on selling from, and which it may not."""

from typing import Any

from django.db import migrations
from django.db.models import Count, F
from django.utils import timezone

_KEPT = "Orders of the site have named this list; it is no other site's own list."
_NOT = (
    "Orders of the site have named this list, which is another site's own. From now on such orders"
    " are refused, unless an administrator permits the list in the settings of the site."
)


def note(apps: Any, schema_editor: Any) -> None:
    """Append an entry of the audit log for each list that orders named beside their site's own."""
    alias = schema_editor.connection.alias
    item, permitted = (apps.get_model("orders", name) for name in ("OrderItem", "PermittedList"))
    entry = apps.get_model("coc_admin", "AuditEntry")
    may = set(permitted.objects.using(alias).values_list("site_id", "inventory_list_id"))
    used = (
        item.objects.using(alias)
        .order_by()
        .exclude(inventory_list=F("order__site__inventory_list"))
        .values_list("order__site_id", "inventory_list_id")
        .annotate(orders=Count("order", distinct=True))
    )
    numbers = {(site_id, list_id): orders for site_id, list_id, orders in used}
    for (site_id, list_id), orders in sorted(numbers.items()):
        kept = (site_id, list_id) in may
        entry.objects.using(alias).create(
            at=timezone.now(),
            action="site.list_permitted" if kept else "site.list_not_permitted",
            target=f"site:{site_id}",
            detail={"inventoryListId": list_id, "orders": orders},
            reason=_KEPT if kept else _NOT,
        )
        if not kept:
            print(f"\n  Site {site_id} may not sell from list {list_id}. {_NOT}")


class Migration(migrations.Migration):
    dependencies = [
        ("coc_admin", "0010_sign_in_counts"),
        ("orders", "0018_permit_lists_in_use"),
    ]

    operations = [migrations.RunPython(note, migrations.RunPython.noop, elidable=True)]
