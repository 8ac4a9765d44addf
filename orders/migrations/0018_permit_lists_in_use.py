"""Let each site go on selling from the lists that its orders have named, but from nobody else's.

A list that is another site's own is not permitted: such orders may have taken stock that was not
theirs. `coc_admin` writes both down in the audit log.
"""

from typing import Any

from django.db import migrations
from django.db.models import F


def permit(apps: Any, schema_editor: Any) -> None:
    """Permit what is in use and is no other site's own list."""
    alias = schema_editor.connection.alias
    site, item, permitted = (
        apps.get_model("orders", name) for name in ("Site", "OrderItem", "PermittedList")
    )
    own = set(site.objects.using(alias).values_list("inventory_list_id", flat=True))
    used = (
        item.objects.using(alias)
        .order_by()
        .exclude(inventory_list=F("order__site__inventory_list"))
        .values_list("order__site_id", "inventory_list_id")
        .distinct()
    )
    permitted.objects.using(alias).bulk_create(
        (
            permitted(site_id=site_id, inventory_list_id=list_id)
            for site_id, list_id in sorted(used)
            if list_id not in own
        ),
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [("orders", "0017_permitted_lists")]

    operations = [migrations.RunPython(permit, migrations.RunPython.noop, elidable=True)]
