"""What people changed of an interval gets the name that everybody uses; its table stays."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("reconciliation", "0009_vanished_orders"),
    ]

    operations = [
        # To the table that it has: renaming the model leaves it alone then.
        migrations.AlterModelTable(name="rhythm", table="reconciliation_rhythm"),
        migrations.RenameModel(old_name="Rhythm", new_name="IntervalSetting"),
    ]
