"""A token may be good for several sites or for all; those that are there stay as they are."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('coc_admin', '0014_alerts_of_any_rule'),
        ('orders', '0028_orders_to_hand_over'),
    ]

    operations = [
        migrations.AddField(
            model_name='apitoken',
            name='every_site',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='apitoken',
            name='sites',
            field=models.ManyToManyField(blank=True, related_name='+', to='orders.site'),
        ),
        migrations.AlterField(
            model_name='apitoken',
            name='site',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='orders.site'),
        ),
        migrations.AddConstraint(
            model_name='apitoken',
            constraint=models.UniqueConstraint(condition=models.Q(('site', None)), fields=('name',), name='token_name_unique_without_site'),
        ),
    ]
