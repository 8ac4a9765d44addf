"""Which remedy of an order is open, as a column of it.

Null, so that neither database writes the table anew, and a version that does not know it goes on.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("orders", "0037_desk_entries"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="open_remedy",
            field=models.CharField(max_length=11, null=True),
        ),
    ]
