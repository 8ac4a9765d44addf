from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("orders", "0033_units_of_orders"),
    ]

    operations = [
        migrations.AlterField(
            model_name="movement",
            name="reason",
            field=models.CharField(
                choices=[
                    ("captured", "Order captured"),
                    ("asked_again", "Asked of OCI again for an order that is short"),
                    ("released", "Hold given back"),
                    ("snapshot", "New figure from OCI"),
                    ("imported", "New figure from a file"),
                    ("folded", "Earlier figures, added up"),
                    ("hold_dropped", "Hold ended: OCI has given a newer figure"),
                    ("repaired", "Put right by a person (coc_repair)"),
                ],
                max_length=12,
            ),
        ),
    ]
