from django.db import migrations, models

KINDS = [
    ("captured", "Captured"),
    ("captured_offline", "Captured offline"),
    ("attempted", "Reservation attempted"),
    ("settled", "Reservation state cleared"),
    ("generation", "New reservation id"),
    ("needs_review", "Needs review"),
    ("reviewed", "Review ended"),
    ("cancel_requested", "Cancellation asked for"),
    ("cancelled", "Cancelled"),
    ("failed", "Failed"),
    ("export", "Export status changed"),
    ("resolved", "Resolved"),
    ("reopened", "Opened again"),
    ("items_cancelled", "Short items cancelled"),
    ("replacing", "Replacement asked for"),
    ("replaced", "Replaced"),
    ("not_replaced", "Not replaced"),
    ("adjusted", "Reservation given back by hand"),
    ("erased", "Customer erased"),
]


class Migration(migrations.Migration):

    dependencies = [
        ("orders", "0008_customer_messages"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="customer_erased_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="orderpayload",
            name="reduced_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="orderevent",
            name="kind",
            field=models.CharField(choices=KINDS, max_length=16),
        ),
    ]
