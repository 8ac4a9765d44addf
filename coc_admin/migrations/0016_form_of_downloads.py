from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a column with a default in the database: the version before inserts without it."""

    dependencies = [("coc_admin", "0015_tokens_of_several_sites")]

    operations = [
        migrations.AddField(
            model_name="profile",
            name="table_form",
            field=models.CharField(blank=True, db_default="", default="", max_length=10),
        ),
    ]
