"""When short orders are handed over, refused orders, and who accepted the risk of overselling.

The columns of orders are null, so that neither database writes the table anew, and a version that
does not know them goes on. Sites that are there hand over as they did.
"""

import django.db.models.deletion
import orders.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0026_drop_repeated_indexes'),
    ]

    operations = [
        migrations.CreateModel(
            name='RefusedOrder',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('order_no', models.CharField(max_length=50)),
                ('at', models.DateTimeField()),
                ('last_at', models.DateTimeField()),
                ('attempts', models.PositiveIntegerField(default=1)),
                ('why', models.CharField(max_length=40)),
                ('cap', models.CharField(blank=True, max_length=20)),
                ('is_offline', models.BooleanField()),
                ('units', orders.fields.QuantityField()),
                ('value', orders.fields.MoneyField()),
                ('currency', models.CharField(max_length=3)),
                ('skus', models.JSONField(default=list)),
                ('sku_count', models.PositiveIntegerField()),
            ],
            options={
                'ordering': ['-at', '-id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='RiskAcceptance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('accepted_by', models.CharField(max_length=150)),
                ('text', models.TextField()),
            ],
            options={
                'ordering': ['id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.AddField(
            model_name='order',
            name='export_due_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='exported_version',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='order',
            name='resolution_reference',
            field=models.CharField(blank=True, max_length=100, null=True),
        ),
        migrations.AddField(
            model_name='site',
            name='handover_minutes',
            field=models.PositiveIntegerField(db_default=30, default=30, help_text='Minutes from the reservation attempt until a short order is handed over.'),
        ),
        migrations.AddField(
            model_name='site',
            name='short_handover',
            field=models.CharField(choices=[('at_once', 'At once'), ('after_minutes', 'After some minutes'), ('when_decided', 'When somebody has decided')], db_default='at_once', default='at_once', help_text='When order management may take a short order that nobody has decided.', max_length=13),
        ),
        migrations.AddConstraint(
            model_name='site',
            constraint=models.CheckConstraint(condition=models.Q(('short_handover__in', ['at_once', 'after_minutes', 'when_decided'])), name='site_short_handover_known'),
        ),
        migrations.AddField(
            model_name='refusedorder',
            name='site',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='orders.site'),
        ),
        migrations.AddField(
            model_name='riskacceptance',
            name='site',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='risk_acceptances', to='orders.site'),
        ),
        migrations.AddIndex(
            model_name='refusedorder',
            index=models.Index(fields=['at', 'id'], name='refused_by_time'),
        ),
        migrations.AddIndex(
            model_name='refusedorder',
            index=models.Index(fields=['site', 'at'], name='refused_of_site'),
        ),
        migrations.AddConstraint(
            model_name='refusedorder',
            constraint=models.UniqueConstraint(fields=('site', 'order_no'), name='refused_once_per_number'),
        ),
    ]
