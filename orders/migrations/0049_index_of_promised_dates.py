from django.db import migrations, models

from orders.online import AddIndexOnline


class Migration(migrations.Migration):
    # Shoppers go on ordering: an index that keeps nobody from writing.
    atomic = False

    dependencies = [
        ("orders", "0048_words_of_unknown_skus"),
    ]

    operations = [
        AddIndexOnline(
            model_name="order",
            index=models.Index(
                condition=models.Q(("promised_until__isnull", False)),
                fields=["promised_until"],
                name="orders_by_promised_date",
            ),
        ),
    ]
