"""API tokens: made and shown once, revoked after a question."""

from __future__ import annotations

import logging
import re

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from coc_admin.accounts import tokens
from coc_admin.models import ApiToken, AuditEntry
from orders.models import Site
from tests.coc_admin.console.settings.conftest import SignIn

LIST = "/settings/tokens/"
NEW = {"name": "storefront", "site": "NorthShop", "scopes": ["orders:read", "orders:write"]}


def test_token_is_shown_once_and_kept_nowhere(
    administrator: Client, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = administrator.post(f"{LIST}new/", NEW | {"reason": "launch"})
    found = re.search(r'value="(coc_[^"]+)"', made.content.decode())
    assert made.status_code == 200
    assert "no-store" in made["Cache-Control"]
    assert found is not None
    token = found[1]
    row = ApiToken.objects.get()
    assert (row.name, row.site_id, row.scopes) == ("storefront", "NorthShop", NEW["scopes"])

    for path in (LIST, "/settings/audit/", "/settings/audit.csv", "/"):
        content = b"".join(administrator.get(path))  # type: ignore[arg-type]
        assert token.encode() not in content
        assert row.token_hash.encode() not in content
    sessions = [session.get_decoded() for session in Session.objects.all()]
    assert token not in str(sessions) + str(list(AuditEntry.objects.values())) + caplog.text
    entry = AuditEntry.objects.get(action="token.made")
    assert (entry.target, entry.reason) == ("token:NorthShop/storefront", "launch")
    assert entry.detail == {"scopes": NEW["scopes"]}


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["orders:delete"]}, "scopes"),
        ({"site": "nowhere"}, "site"),
        ({"site": ""}, "site"),
        ({"name": ""}, "name"),
        ({"name": "taken"}, "name"),
    ],
)
def test_token_with_a_mistake_is_not_made(
    administrator: Client, site: Site, changes: dict[str, object], field: str
) -> None:
    tokens.make(name="taken", site=site, scopes=["orders:read"])
    answer = administrator.post(f"{LIST}new/", NEW | changes)
    assert list(answer.context["form"].errors) == [field]
    assert ApiToken.objects.count() == 1
    assert not AuditEntry.objects.exists()


def test_no_site_is_chosen_beforehand(administrator: Client, site: Site) -> None:
    page = administrator.get(f"{LIST}new/").content.decode()
    assert 'name="site" value="NorthShop"' in page
    assert page.count(" selected") + page.count(" checked") == 0


def test_revoking_asks_first_and_is_safe_twice(administrator: Client, site: Site) -> None:
    tokens.make(name="storefront", site=site, scopes=["orders:read"])
    row = ApiToken.objects.get()
    path = f"{LIST}{row.pk}/revoke/"
    assert b"refused at once" in administrator.get(path).content
    administrator.post(path, {})
    row.refresh_from_db()
    assert row.revoked_at is None

    administrator.post(path, {"reason": "lost"})
    row.refresh_from_db()
    first = row.revoked_at
    assert first is not None
    again = administrator.post(path, {"reason": "lost"}, follow=True)
    assert b"was already revoked" in again.content
    row.refresh_from_db()
    assert row.revoked_at == first
    assert AuditEntry.objects.filter(action="token.revoked", reason="lost").count() == 1
    assert [one.name for one, _ in again.context["revoked"]] == ["storefront"]


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_others_have_nothing_to_do_with_tokens(sign_in: SignIn, site: Site, role: str) -> None:
    tokens.make(name="storefront", site=site, scopes=["orders:read"])
    row = ApiToken.objects.get()
    client = sign_in(role)
    for path in (LIST, f"{LIST}new/", f"{LIST}{row.pk}/revoke/"):
        assert client.get(path).status_code == 403
        assert client.post(path, NEW | {"name": "mine", "reason": "x"}).status_code in (403, 405)
    row.refresh_from_db()
    assert (ApiToken.objects.count(), row.revoked_at) == (1, None)
