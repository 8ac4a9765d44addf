"""An order as the storefront sent it: for operators, as text, and noted."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from coc_admin.accounts.roles import permissions_of_roles
from coc_admin.console.orders import payload_views
from coc_admin.models import AuditEntry, Profile
from orders.models import OrderPayload
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import Scene
from tests.factories import browser_of


@pytest.fixture
def reader(db: None) -> Client:
    """Return a browser of a person who may read payloads."""
    return browser_of(scene.make_user("rob", *scene.VIEWER, "orders.view_orderpayload"))


def test_payload_is_shown_as_text_and_noted(reader: Client, outage: Scene) -> None:
    order = outage.partial
    sent = '{"orderNo":"x","c_note":"<script>alert(1)</script>","price":1.10}'
    OrderPayload.objects.filter(order=order).update(body=sent)
    assert (
        f'href="/orders/{order.pk}/payload/"' in reader.get(f"/orders/{order.pk}/").content.decode()
    )
    assert not AuditEntry.objects.exists()
    answer = reader.get(f"/orders/{order.pk}/payload/")
    assert answer.context["pretty"] == (
        '{\n  "orderNo": "x",\n  "c_note": "<script>alert(1)</script>",\n  "price": 1.1\n}'
    )
    assert answer.context["body"] == sent
    page = answer.content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert list(AuditEntry.objects.values_list("actor", "action", "target")) == [
        ("rob", "order.payload_seen", f"order:{order.pk}")
    ]


def test_what_is_no_json_is_shown_as_it_is(
    reader: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload_views, "MOST_CHARACTERS", 5)
    OrderPayload.objects.filter(order=outage.partial).update(body="[" * 10_000)
    answer = reader.get(f"/orders/{outage.partial.pk}/payload/")
    assert (answer.context["pretty"], answer.context["body"]) == ("[[[[[", "[[[[[")
    assert "Only the first 5 characters are shown." in answer.content.decode()


def test_order_without_a_payload(reader: Client, outage: Scene) -> None:
    OrderPayload.objects.filter(order=outage.partial).delete()
    page = reader.get(f"/orders/{outage.partial.pk}/payload/").content.decode()
    assert "The payload of this order is no longer kept." in page


def test_only_those_allowed_read_it(merchandiser: Client, reader: Client, outage: Scene) -> None:
    path = f"/orders/{outage.partial.pk}/payload/"
    assert merchandiser.get(path).status_code == 403
    assert path not in merchandiser.get(f"/orders/{outage.partial.pk}/").content.decode()
    profile = Profile.objects.create(user=User.objects.get(username="rob"), every_site=False)
    assert reader.get(path).status_code == 404
    profile.sites.set([outage.site])
    assert reader.get(path).status_code == 200
    assert AuditEntry.objects.count() == 1


def test_operators_may_and_merchandisers_may_not() -> None:
    roles = permissions_of_roles()
    may = {name for name, held in roles.items() if "orders.view_orderpayload" in held}
    assert may == {"operator", "administrator"}
