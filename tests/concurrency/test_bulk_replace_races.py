"""Replacing in bulk against itself and against shoppers, on PostgreSQL; the guard has a control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from coc_admin.console.bulk.confirmation import confirm_as_shown
from coc_admin.models import AuditEntry
from orders.actors import person
from orders.capture import Claim
from orders.errors import ShortOnAto
from orders.models import InventoryRecord, Order, OrderItem, Replacement
from reconciliation import connection, remedies
from reconciliation.maintenance import integrity_check
from reconciliation.models import BulkKind, BulkLine, BulkRemedy
from reconciliation.remedies.bulk import execution
from reconciliation.remedies.bulk.plans import plan
from reconciliation.remedies.bulk.replace_plans import ReplaceChoice
from tests.coc_admin.console import scene
from tests.concurrency.test_desk_races import request_of
from tests.concurrency.test_remedy_races import short_orders
from tests.concurrency.together import at_once, barrier
from tests.engine import MIA, D, Engine
from tests.engine import engine as engine
from tests.engine import simulator as simulator
from tests.factories import capture

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

CHOICE = ReplaceChoice("web", "USD", "MUG", "CUP", Decimal("7.50"))


@pytest.fixture
def oci(settings: Any) -> None:
    """An OCI that is set up and never called here."""
    for name in ("TENANT_GROUP_ID", "CLIENT_ID", "CLIENT_SECRET", "SCOPE"):
        setattr(settings, f"COC_OCI_{name}", "x")
    for name in ("BASE_URL", "TOKEN_URL"):
        setattr(settings, f"COC_OCI_{name}", "http://127.0.0.1:9/x")
    connection.current()


def drafted(user: User, orders: Sequence[Order]) -> tuple[BulkRemedy, dict[int, str]]:
    """Return a draft, and the marks of the orders as its preview shows them."""
    made = execution.draft(
        user=user,
        kind=BulkKind.REPLACE,
        order_ids=[order.pk for order in orders],
        now=timezone.now(),
    )
    planned = plan(CHOICE.put_into(made), now=timezone.now())
    return made, {one.order.pk: one.mark for one in planned}


def confirm(user: User, made: BulkRemedy, marks: dict[int, str]) -> None:
    confirm_as_shown(request_of(user), made, seen=marks, reason="As good.", choice=CHOICE)


def click(user: User, made: BulkRemedy, marks: dict[int, str]) -> str:
    """Confirm a draft and carry it out."""
    try:
        confirm(user, made, marks)
    except execution.PlanChanged:
        return "has moved on"
    return resume(user, made)


def resume(user: User, made: BulkRemedy) -> str:
    fresh = BulkRemedy.objects.get(pk=made.pk)
    left = execution.resume(bulk=fresh, actor=person(user.username), now=timezone.now())
    return f"{left} left"


def states() -> Counter[str]:
    return Counter(BulkLine.objects.values_list("state", flat=True))


def ato(sku: str) -> Decimal:
    return InventoryRecord.objects.get(sku=sku).ato


def test_clicking_at_once_replaces_each_order_once(oci: None) -> None:
    orders, mia = short_orders(6), scene.make_user("mia", *scene.MERCHANDISER)
    made, marks = drafted(mia, orders)
    assert at_once(4, lambda _: click(mia, made, marks)) == ["0 left"] * 4
    assert states() == {"begun": 6}
    assert Replacement.objects.count() == 6
    assert ato("CUP") == 1000 - 12
    assert AuditEntry.objects.filter(action="desk.bulk").count() == 1
    assert not Order.objects.exclude(claim="").exists()
    assert list(integrity_check.check()) == []


def test_of_people_who_confirm_at_once_one_replaces_each_order(oci: None) -> None:
    orders = short_orders(6)
    people = [scene.make_user(f"p{number}", *scene.MERCHANDISER) for number in range(4)]
    drafts = [drafted(one, orders) for one in people]
    results = at_once(4, lambda n: click(people[n], *drafts[n]))
    assert set(results) <= {"0 left", "has moved on"}
    assert "0 left" in results
    assert Replacement.objects.count() == 6
    # Who was confirmed and came second to an order is told so; the others saw that it had moved on.
    assert states()["begun"] == 6
    assert set(states()) <= {"begun", "already", "chosen"}
    assert ato("CUP") == 1000 - 12
    assert list(integrity_check.check()) == []


def test_the_last_units_are_never_promised_twice(oci: None) -> None:
    orders = short_orders(8, cups=9)
    people = [scene.make_user(f"p{number}", *scene.MERCHANDISER) for number in range(2)]
    drafts = [drafted(one, orders[n::2]) for n, one in enumerate(people)]
    site = orders[0].site
    # There was enough for each of the two when they confirmed.
    for one, draft in zip(people, drafts, strict=True):
        confirm(one, *draft)

    def act(number: int) -> str:
        if number < 2:
            return resume(people[number], drafts[number][0])
        now = timezone.now()
        claim = Claim(holder=f"live:{number}", until=now + timedelta(minutes=1))
        try:
            capture(site, f"S{number}", [("CUP", 1)], at=now, claim=claim)
        except ShortOnAto:
            return "sold out"
        return "bought"

    results = Counter(at_once(6, act))
    begun = Replacement.objects.count()
    assert ato("CUP") == 9 - 2 * begun - results["bought"]
    # Whoever was refused or sold out came when less was left than they needed.
    assert ato("CUP") in (0, 1)
    assert states()["begun"] == begun
    refused = BulkLine.objects.filter(state="refused").values_list("detail", flat=True)
    assert all("are available to order, and 2 are needed." in words for words in refused)
    assert list(integrity_check.check()) == []


def test_control_deciding_by_what_was_read_promises_them_twice(oci: None) -> None:
    orders = short_orders(8, cups=9)
    looked = barrier(8)

    def unguarded(number: int) -> str:
        record = InventoryRecord.objects.get(sku="CUP")
        item = OrderItem.objects.get(order=orders[number])
        looked.wait()
        if record.ato < item.open_quantity:
            return "refused"
        InventoryRecord.objects.filter(pk=record.pk).update(
            ato=record.ato - item.open_quantity, held=record.held + item.open_quantity
        )
        return "begun"

    # 16 units of 9.
    assert at_once(8, unguarded) == ["begun"] * 8
    assert ato("CUP") == 7


def test_workers_share_what_is_under_way_and_double_no_call(engine: Engine) -> None:
    site = engine.site({"MUG": 50, "CUP": 50})
    orders = [engine.capture(site, f"A{number}", [("MUG", 2)]) for number in range(12)]
    engine.at_oci({"MUG": 0})
    engine.reconcile()
    for item in OrderItem.objects.order_by("order"):
        remedies.begin_replacement(
            item_id=item.pk,
            sku="CUP",
            units=D(2),
            unit_price=None,
            actor=MIA,
            reason="race",
            now=engine.clock(),
        )
    before = len(engine.oci.requests())
    results = at_once(4, lambda _: str(remedies.finish_replacements(clock=engine.clock)))
    assert sum(int(number) for number in results) == len(orders)
    assert set(Replacement.objects.values_list("state", flat=True)) == {"done"}
    asked = [call["operation"] for call in engine.oci.requests()[before:]]
    assert Counter(asked)["put"] == len(orders)
    assert set(asked) <= {"put", "token"}
    assert engine.held() == {"CUP": D(24)}
