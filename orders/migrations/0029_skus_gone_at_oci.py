"""Two columns that the version before leaves empty: SKUs gone at OCI, figures to ask for again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0028_orders_to_hand_over"),
    ]

    operations = [
        migrations.AddField(
            model_name="inventoryrecord",
            name="gone_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="inventoryrecord",
            name="recheck_at",
            field=models.DateTimeField(null=True),
        ),
    ]
