from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reconciliation', '0033_codes_of_import_refusals_and_reports'),
    ]

    operations = [
        migrations.AddField(
            model_name='callhealth',
            name='slow_calls',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='callhealth',
            name='slow_of',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name='alertevent',
            name='kind',
            field=models.CharField(choices=[('raised', 'Raised'), ('worse', 'Became more urgent'), ('relapsed', 'Recurred'), ('resolved', 'Resolved'), ('acknowledged', 'Acknowledged'), ('snoozed', 'Snoozed'), ('opened', 'Reopened'), ('assigned', 'Assigned')], max_length=12),
        ),
    ]
