"""Bulk remedies and their lines, whose tables `coc_admin` made."""

import django.db.models.deletion
import orders.fields
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('coc_admin', '0018_leave_desk_and_bulk_remedies'),
        ('orders', '0037_desk_entries'),
        ('reconciliation', '0020_maintenance_jobs'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name='BulkRemedy',
                    fields=[
                        ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                        ('kind', models.CharField(choices=[('cancel', 'Cancel orders'), ('cancel_short', 'Cancel short items'), ('replace', 'Replace what is short'), ('settle_outside', 'Record as settled outside'), ('reopen', 'Open again')], max_length=14)),
                        ('created_at', models.DateTimeField()),
                        ('confirmed_at', models.DateTimeField(null=True)),
                        ('reason', models.CharField(blank=True, max_length=500)),
                        ('reference', models.CharField(blank=True, max_length=100)),
                        ('short_sku', models.CharField(blank=True, default='', max_length=250)),
                        ('currency', models.CharField(blank=True, default='', max_length=3)),
                        ('sku', models.CharField(blank=True, default='', max_length=250)),
                        ('unit_price', orders.fields.MoneyField(null=True)),
                        ('inventory_list', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orders.inventorylist')),
                        ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='bulk_remedies', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'db_table': 'coc_admin_bulkremedy',
                        'default_permissions': (),
                    },
                ),
                migrations.CreateModel(
                    name='BulkLine',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('state', models.CharField(choices=[('chosen', 'Chosen'), ('left_out', 'Left out'), ('pending', 'To do'), ('begun', 'Begun'), ('done', 'Done'), ('already', 'Already done'), ('refused', 'Refused')], default='chosen', max_length=8)),
                        ('units', models.JSONField(default=dict)),
                        ('detail', models.CharField(blank=True, max_length=500)),
                        ('order', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orders.order')),
                        ('replacement', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orders.replacement')),
                        ('bulk', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='reconciliation.bulkremedy')),
                    ],
                    options={
                        'db_table': 'coc_admin_bulkline',
                        'ordering': ['id'],
                        'default_permissions': (),
                        'constraints': [models.UniqueConstraint(fields=('bulk', 'order'), name='order_once_in_bulk_remedy')],
                    },
                ),
            ],
        ),
    ]
