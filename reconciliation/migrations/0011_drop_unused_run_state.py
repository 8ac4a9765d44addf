"""No run has ever ended as `stopped`; the database changes nothing."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reconciliation', '0010_interval_settings'),
    ]

    operations = [
        migrations.AlterField(
            model_name='run',
            name='state',
            field=models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('completed', 'Completed'), ('completed_with_shortages', 'Completed with shortages'), ('oci_offline', 'Omnichannel Inventory remains offline'), ('configuration_fault', 'Stopped: OCI refuses our credentials')], default='queued', max_length=24),
        ),
    ]
