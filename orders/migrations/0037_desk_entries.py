"""The entries of the desk, whose table `coc_admin` made."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('coc_admin', '0018_leave_desk_and_bulk_remedies'),
        ('orders', '0036_search_texts_of_existing_orders'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name='DeskEntry',
                    fields=[
                        ('order', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='desk_entry', serialize=False, to='orders.order')),
                        ('assigned_at', models.DateTimeField(null=True)),
                        ('assigned_by', models.CharField(blank=True, max_length=150)),
                        ('note', models.CharField(blank=True, max_length=1000)),
                        ('noted_at', models.DateTimeField(null=True)),
                        ('noted_by', models.CharField(blank=True, max_length=150)),
                        ('assignee', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='desk_entries', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'db_table': 'coc_admin_deskentry',
                        'default_permissions': (),
                    },
                ),
            ],
        ),
    ]
