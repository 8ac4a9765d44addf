from django.db import migrations, models

CAUSES = [
    ("", "None"),
    ("unreachable", "OCI does not answer"),
    ("reservations", "OCI takes no reservations"),
    ("slow", "OCI answers too slowly"),
    ("throttled", "OCI asks us to slow down and takes nothing"),
    ("configuration", "OCI refuses our credentials"),
    ("not_set_up", "OCI has never answered with these settings"),
    ("forced", "An operator took it offline"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0017_runs_for_promises"),
    ]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="answered_settings",
            field=models.CharField(blank=True, db_default="", default="", max_length=16),
        ),
        migrations.AlterField(
            model_name="connection",
            name="cause",
            field=models.CharField(blank=True, choices=CAUSES, max_length=16),
        ),
        migrations.AlterField(
            model_name="outage",
            name="cause",
            field=models.CharField(choices=CAUSES, max_length=16),
        ),
    ]
