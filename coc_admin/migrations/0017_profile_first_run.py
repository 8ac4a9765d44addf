from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("coc_admin", "0016_form_of_downloads"),
    ]

    operations = [
        migrations.AddField(
            model_name="profile",
            name="first_run_hidden_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
