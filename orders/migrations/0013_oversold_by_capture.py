from django.db import migrations, models

from orders.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("orders", "0012_rearrangements"),
    ]

    operations = [
        AddIndexOnline(
            model_name="order",
            index=models.Index(
                condition=models.Q(
                    models.Q(
                        ("reservation_state", "PARTIALLY_RESERVED"),
                        ("reservation_state", "NOTHING_RESERVED"),
                        _connector="OR",
                    ),
                    ("resolution", ""),
                    ("status", "new"),
                ),
                fields=["captured_at", "id", "site", "currency"],
                name="oversold_by_capture",
            ),
        ),
    ]
