from django.db import migrations
from django.db.models import Q

from orders.migrations._sentences import encode


def encode_all(apps, schema_editor):
    alias = schema_editor.connection.alias
    # The words of people are never taken for a sentence of ours.
    ours = ~Q(actor_kind="person") | Q(kind="export")
    encode(apps.get_model("orders", "OrderEvent"), "reason", alias=alias, only=ours)
    encode(apps.get_model("orders", "Order"), "needs_review_reason", alias=alias)
    encode(apps.get_model("orders", "Replacement"), "refusal", alias=alias)
    encode(apps.get_model("orders", "Adjustment"), "refusal", alias=alias)


class Migration(migrations.Migration):
    # Shoppers go on ordering: a transaction for each few thousand rows.
    atomic = False

    dependencies = [
        ("orders", "0024_reason_codes"),
    ]

    operations = [
        migrations.RunPython(encode_all, migrations.RunPython.noop, elidable=True),
    ]
