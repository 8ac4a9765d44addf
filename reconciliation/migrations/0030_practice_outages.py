from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reconciliation', '0029_tell_customers_in_bulk'),
    ]

    operations = [
        migrations.AddField(
            model_name='plannedoutage',
            name='is_practice',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='outage',
            name='is_practice',
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
