from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0047_messages_that_wait'),
    ]

    operations = [
        migrations.AlterField(
            model_name='site',
            name='unknown_sku_policy',
            field=models.CharField(choices=[('refuse', 'Refuse the order'), ('accept_untracked', 'Accept it as Default In-Stock: stock is not counted')], default='refuse', max_length=16),
        ),
    ]
