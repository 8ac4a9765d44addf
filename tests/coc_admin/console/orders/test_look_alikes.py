"""Older orders with look-alike numbers work like any other, and are shown unchanged."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.test import Client

from orders.models import Order
from tests.coc_admin.api.conftest import api_for
from tests.coc_admin.console import scene

pytestmark = pytest.mark.django_db

NUMBER = "A-1\u202e"


def test_an_old_order_is_told_from_the_one_it_looks_like(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    site = scene.make_shop()
    with monkeypatch.context() as before:
        before.setattr("orders.payload.name_refusal", lambda text: "")
        old = scene.place(site, NUMBER)
    twin = scene.place(site, "A-1")
    user = scene.make_user("mia", *scene.MERCHANDISER)
    client.force_login(user)
    pages = ["/orders/", f"/orders/{old.pk}/", f"/orders/{old.pk}/cancel/"]
    for path in pages:
        page = client.get(path).content.decode()
        assert "A-1⟨U+202E⟩" in page, path
        assert "\u202e" not in page, path
    assert "⟨" not in client.get(f"/orders/{twin.pk}/").content.decode()

    api = api_for(site)
    answer = api.get(f"sites/NorthShop/orders/{quote(NUMBER)}")
    assert (answer.status_code, answer.json()["orderNo"]) == (200, NUMBER)
    answer = client.post(f"/orders/{old.pk}/cancel/", {"reason": "twice"}, follow=True)
    assert Order.objects.get(pk=old.pk).status == "cancelled"
    assert Order.objects.get(pk=twin.pk).status == "new"
    assert "\u202e" not in answer.content.decode()
