"""Short orders for tests of the desk, and people who see them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from coc_admin.models import Profile
from orders.models import Order
from reconciliation.models import AttemptOutcome
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import Scene


def numbers(answer: Any) -> list[str]:
    """Return the order numbers of the list, in its order."""
    return [row.order.order_no for row in answer.context["rows"]]


def make_short(outage: Scene, order_no: str, items: list[tuple[str, float]], **more: Any) -> Order:
    """Capture an order of which OCI then has nothing."""
    order = scene.place(outage.site, order_no, items=items, **more)
    nothing = [0] * len(items)
    scene.answer(outage.run, order, *nothing, outcome=AttemptOutcome.NOTHING)
    order.refresh_from_db()
    return order


def user(name: str) -> User:
    return User.objects.get(username=name)


def limit(name: str, *sites: str) -> None:
    """Let a person see these sites only."""
    Profile.objects.create(user=user(name), every_site=False).sites.set(sites)
