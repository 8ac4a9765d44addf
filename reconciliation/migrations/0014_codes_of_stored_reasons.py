from django.db import migrations
from django.db.models import Q

from orders.migrations._sentences import encode


def encode_all(apps, schema_editor):
    alias = schema_editor.connection.alias

    def model(name):
        return apps.get_model("reconciliation", name)

    # A person forces the connection and releases it, starts runs, and gives the reason; what OCI
    # said of a refused call is OCI's.
    forced = Q(new_state="FORCED_OFFLINE") | Q(old_state="FORCED_OFFLINE")
    jobs = Q(trigger__in=["recovery", "schedule"])
    ours = Q(outcome__in=["OCI_OFFLINE", "COMPLETELY_RESERVED", "PARTIALLY_RESERVED"]) | Q(
        outcome="NOTHING_RESERVED"
    )
    encode(model("Attempt"), "message", alias=alias, only=ours)
    encode(model("Run"), "reason", alias=alias, only=jobs)
    encode(model("ConnectionChange"), "reason", alias=alias, only=~forced)
    encode(model("Outage"), "reason", alias=alias, only=~Q(cause="forced"))
    encode(model("Connection"), "reason", alias=alias, only=~Q(cause="forced"))
    encode(model("Connection"), "last_error", alias=alias)


class Migration(migrations.Migration):
    # Orders are captured and reconciled meanwhile: a transaction for each few thousand rows.
    atomic = False

    dependencies = [
        ("orders", "0024_reason_codes"),
        ("reconciliation", "0013_reason_codes"),
    ]

    operations = [
        migrations.RunPython(encode_all, migrations.RunPython.noop, elidable=True),
    ]
