"""No event was ever written as `attempted`; the database changes nothing."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0022_adjustments'),
    ]

    operations = [
        migrations.AlterField(
            model_name='orderevent',
            name='kind',
            field=models.CharField(choices=[('captured', 'Captured'), ('captured_offline', 'Captured offline'), ('settled', 'Reservation state cleared'), ('generation', 'New reservation id'), ('needs_review', 'Needs review'), ('reviewed', 'Review ended'), ('cancel_requested', 'Cancellation asked for'), ('cancelled', 'Cancelled'), ('failed', 'Failed'), ('export', 'Export status changed'), ('resolved', 'Resolved'), ('reopened', 'Opened again'), ('items_cancelled', 'Short items cancelled'), ('replacing', 'Replacement asked for'), ('replaced', 'Replaced'), ('not_replaced', 'Not replaced'), ('adjusted', 'Reservation given back by hand'), ('rearranging', 'Adjustment asked for'), ('rearranged', 'Reservation adjusted by hand'), ('not_rearranged', 'Not adjusted'), ('erased', 'Customer erased'), ('repaired', 'Put right by a person (coc_repair)')], max_length=16),
        ),
    ]
