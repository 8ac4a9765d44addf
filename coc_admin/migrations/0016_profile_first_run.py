from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("coc_admin", "0015_tokens_of_several_sites"),
    ]

    operations = [
        migrations.AddField(
            model_name="profile",
            name="first_run_hidden_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
