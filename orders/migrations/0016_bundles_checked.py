from django.db import migrations, models

from orders.online import AddConstraintOnline, AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("orders", "0015_bundles_and_options"),
    ]

    operations = [
        AddIndexOnline(
            model_name="orderitem",
            index=models.Index(
                condition=models.Q(("parent__isnull", False)),
                fields=["parent"],
                name="items_by_parent",
            ),
        ),
        AddConstraintOnline(
            model_name="orderitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("quantity__gt", 0), ("stockless_quantity", 0)),
                    models.Q(("quantity", 0), ("stockless_quantity__gt", 0)),
                    _connector="OR",
                ),
                name="item_takes_stock_or_not",
            ),
        ),
        AddConstraintOnline(
            model_name="orderitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "product"), ("parent__isnull", True)),
                    models.Q(
                        ("kind__in", ["bundled", "option"]), ("parent__isnull", False)
                    ),
                    _connector="OR",
                ),
                name="item_kind_by_parent",
            ),
        ),
    ]
