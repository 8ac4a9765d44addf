"""Stock of a list that a site may not sell from is not taken, whichever way it is asked for."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from orders.errors import CannotAdjust, CannotReplace
from orders.models import InventoryList, OrderItem, Site
from orders.permitted_lists import lists_of
from reconciliation import remedies
from reconciliation.models import ReservationDocument
from tests import factories
from tests.engine import MIA, D, Engine, ato, set_connection
from tests.orders.imports import test_order_files
from tests.orders.payloads import order_document
from tests.reconciliation.remedies.adjustments import MOVED, adjust_reservation, everything, order

pytestmark = pytest.mark.django_db
__all__ = ["order"]


def test_an_adjustment_moves_to_permitted_lists_alone(engine: Engine, order: Any) -> None:
    factories.permit_lists(order.site)
    before = everything()
    with pytest.raises(CannotAdjust, match="Site shop may not sell from the inventory list outlet"):
        adjust_reservation(order, engine, *MOVED)
    document = ReservationDocument.objects.select_related("order").get()
    assert "may not sell" in remedies.preview_adjustment(document, MOVED).refusal
    assert everything() == before
    factories.permit_lists(order.site, "outlet")
    assert adjust_reservation(order, engine, *MOVED).done


def test_a_replacement_takes_from_permitted_lists_alone(engine: Engine) -> None:
    site = engine.site({"MUG": 3, "CUP": 5})
    short = engine.capture(site, "A1", [("MUG", 3)])
    engine.at_oci({"MUG": 1})
    engine.reconcile()
    # The site sells from another list by now.
    site.inventory_list = InventoryList.objects.create(pk="outlet")
    site.save()
    item = OrderItem.objects.select_related("order").get(order=short)
    before = everything()
    asked: dict[str, Any] = {"sku": "CUP", "units": D(2), "unit_price": None}
    message = "Site shop may not sell from the inventory list web"
    (preview,) = remedies.preview_replace([item], sku="CUP", unit_price=None, now=timezone.now())
    assert message in preview.refusal
    assert remedies.suggest(item=item) == []
    asked |= {"item_id": item.pk, "actor": MIA, "reason": ""}
    with pytest.raises(CannotReplace, match=message):
        remedies.replace_short(**asked, clock=engine.clock)
    with pytest.raises(CannotReplace, match=message):
        remedies.begin_replacement(**asked, now=engine.clock())
    assert everything() == before
    factories.permit_lists(site, "web")
    assert [one.sku for one in remedies.suggest(item=item)] == ["CUP"]
    assert remedies.replace_short(**asked, clock=engine.clock).quantity == 2


@pytest.mark.parametrize("kind", ["jsonl", "csv", "xml"])
def test_a_file_of_orders_takes_from_permitted_lists_alone(tmp_path: Path, kind: str) -> None:
    set_connection("OFFLINE")
    site = factories.make_site(stock={"MUG": 9})
    factories.make_site("other", list_id="east", stock={"MUG": 9})
    path = tmp_path / f"orders.{kind}"
    document = order_document("A1", items=[("MUG", 1)])
    document["productItems"][0]["inventoryId"] = "east"
    path.write_text(
        {
            "jsonl": json.dumps(document),
            "csv": "orderNo,sku,quantity,inventoryId,basePrice\nA1,MUG,1,east,2\n",
            "xml": test_order_files.export(
                test_order_files.order(
                    test_order_files.item(extra="<inventory-list-id>east</inventory-list-id>")
                )
            ).replace("2.0<", "1.0<"),
        }[kind]
    )

    def run() -> tuple[int, str]:
        err = io.StringIO()
        try:
            call_command("import_orders", str(path), "--site=shop", stdout=err, stderr=err)
        except CommandError as error:
            return error.returncode, err.getvalue() + str(error)
        except SystemExit as ended:
            return int(ended.code or 0), err.getvalue()
        return 0, err.getvalue()

    before = everything()
    code, said = run()
    assert (code, "is not an inventory list that the site may sell from" in said) == (1, True), said
    assert everything() == before
    factories.permit_lists(site, "east")
    assert run()[0] == 0
    assert ato("MUG", "east") == (D(8), D(1))


def test_create_site_permits_lists_of_a_new_site_alone() -> None:
    def run(*args: str) -> str:
        out = io.StringIO()
        call_command("create_site", *args, stdout=out)
        return out.getvalue()

    InventoryList.objects.create(pk="east")
    args = ("shop", "--inventory-list=web", "--permit-list=east", "--permit-list=web")
    with pytest.raises(CommandError, match="There is no inventory list 'west' to permit"):
        run("shop", "--inventory-list=web", "--permit-list=west")
    assert list(InventoryList.objects.values_list("pk", flat=True)) == ["east"]
    run(*args)
    run(*args)
    run(*args[:2])
    InventoryList.objects.create(pk="west")
    with pytest.raises(CommandError, match="may sell from east, not west"):
        run("shop", "--inventory-list=web", "--permit-list=west")
    assert lists_of(Site.objects.get()) == {"east", "web"}
