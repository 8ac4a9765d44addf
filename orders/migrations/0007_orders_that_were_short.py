"""Mark the orders that were short before the mark was kept."""

from django.db import migrations
from django.db.models import F, Q

SHORT = Q(reservation_state="PARTIALLY_RESERVED") | Q(reservation_state="NOTHING_RESERVED")
AGAIN = Q(resolution="reserved_again")


def mark(apps, schema_editor):
    orders = apps.get_model("orders", "Order").objects.using(schema_editor.connection.alias)
    # The first shortage of an order that was tried again is not known; the last attempt is.
    orders.filter(SHORT | AGAIN, short_at=None).update(short_at=F("reconciled_at"))


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0006_remedies_of_items'),
    ]

    operations = [migrations.RunPython(mark, migrations.RunPython.noop)]
