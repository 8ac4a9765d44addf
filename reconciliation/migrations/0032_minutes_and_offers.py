import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0046_messages_left_and_errors_as_codes'),
        ('reconciliation', '0031_errors_as_codes'),
    ]

    operations = [
        migrations.CreateModel(
            name='MinuteFigures',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.DateTimeField()),
                ('captured', models.PositiveIntegerField()),
                ('waiting', models.PositiveIntegerField()),
                ('short', models.PositiveIntegerField()),
                ('site', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, to='orders.site')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('minute', 'site'), name='one_row_a_minute_and_site')],
            },
        ),
        migrations.AddField(
            model_name='bulkline',
            name='offer',
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AlterField(
            model_name='bulkremedy',
            name='kind',
            field=models.CharField(choices=[('cancel', 'Cancel orders'), ('cancel_short', 'Cancel short items'), ('replace', 'Replace what is short'), ('ask', 'Ask the customers first'), ('settle_outside', 'Record as settled outside'), ('reopen', 'Open again')], max_length=14),
        ),
    ]
