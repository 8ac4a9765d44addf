"""API tokens: seen once, kept as a hash, refused when revoked."""

from __future__ import annotations

import hashlib
import io
import logging
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from coc_admin.accounts import tokens
from coc_admin.models import ApiToken
from orders.models import InventoryList, Site

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 2, 12, tzinfo=UTC)


@pytest.fixture
def site() -> Site:
    return Site.objects.create(id="shop", inventory_list=InventoryList.objects.create(id="stock"))


def test_a_token_is_kept_as_its_hash_alone(site: Site) -> None:
    token = tokens.make(name="storefront", site=site, scopes=["orders:write", "orders:read"])

    assert token.startswith("coc_")
    assert len(token) == 47
    row = ApiToken.objects.values().get()
    assert row["token_hash"] == hashlib.sha256(token.encode()).hexdigest()
    assert row["scopes"] == ["orders:read", "orders:write"]
    assert row["last_used_at"] is None
    assert token not in str(row)


def test_tokens_differ(site: Site) -> None:
    made = {tokens.make(name=str(n), site=site, scopes=["orders:read"]) for n in range(20)}
    assert len(made) == 20


@pytest.mark.parametrize(
    ("name", "scopes", "why"),
    [
        ("x", [], "at least one scope"),
        ("x", ["orders:delete"], "Unknown scope: orders:delete"),
        ("", ["orders:read"], "1 to 100"),
        ("x" * 101, ["orders:read"], "1 to 100"),
        ("a\nb", ["orders:read"], "1 to 100"),
        ("taken", ["orders:read"], "already"),
    ],
)
def test_a_token_that_makes_no_sense_is_not_made(
    site: Site, name: str, scopes: list[str], why: str
) -> None:
    tokens.make(name="taken", site=site, scopes=["orders:read"])
    with pytest.raises(tokens.TokenRefused, match=why):
        tokens.make(name=name, site=site, scopes=scopes)
    assert ApiToken.objects.count() == 1


def test_the_right_header_finds_its_token_and_site(site: Site) -> None:
    token = tokens.make(name="a", site=site, scopes=["orders:read"])
    tokens.make(name="b", site=site, scopes=["orders:read"])

    for header in (f"Bearer {token}", f"bearer {token}", f"BEARER  {token} "):
        found = tokens.authenticate(header, now=NOW)
        assert found is not None
        assert (found.name, found.site) == ("a", site)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "{token}",
        "Basic {token}",
        "Bearer {token}x",
        "Bearer {token} {token}",
        "Bearer {upper}",
        "Bearer {token}\n",
        "Bearer coc_\x00" + "a" * 42,
        "Bearer coc_" + "\xe9" * 43,
        "Bearer coc_" + "a" * 43,
        "Bearer " + "a" * 100_000,
        "Bearer {hash}",
    ],
)
def test_any_other_header_finds_none(site: Site, header: str | None) -> None:
    token = tokens.make(name="a", site=site, scopes=["orders:read"])
    digest = ApiToken.objects.get().token_hash
    if header is not None:
        header = header.replace("{token}", token).replace("{upper}", token.upper())
        header = header.replace("{hash}", digest)

    assert tokens.authenticate(header, now=NOW) is None
    assert ApiToken.objects.get().last_used_at is None


def test_a_revoked_token_opens_nothing(site: Site) -> None:
    token = tokens.make(name="a", site=site, scopes=["orders:read"])
    row = ApiToken.objects.get()

    assert tokens.revoke([row.pk], now=NOW) == 1
    assert tokens.revoke([row.pk], now=NOW + timedelta(days=1)) == 0

    assert tokens.authenticate(f"Bearer {token}", now=NOW) is None
    row.refresh_from_db()
    assert (row.revoked_at, row.last_used_at) == (NOW, None)


def test_use_is_noted_once_a_minute(site: Site) -> None:
    header = f"Bearer {tokens.make(name='a', site=site, scopes=['orders:read'])}"
    for seconds, noted in ((0, 0), (1, 0), (59, 0), (60, 60), (61, 60), (7200, 7200)):
        assert tokens.authenticate(header, now=NOW + timedelta(seconds=seconds)) is not None
        assert ApiToken.objects.get().last_used_at == NOW + timedelta(seconds=noted)

    with CaptureQueriesContext(connection) as queries:
        tokens.authenticate(header, now=NOW + timedelta(seconds=7201))
    assert len(queries) == 1


def test_the_command_prints_the_token_alone(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    out, err = io.StringIO(), io.StringIO()
    with caplog.at_level(logging.DEBUG):
        call_command(
            "create_api_token",
            "storefront",
            "--site=shop",
            "--scope",
            "orders:write",
            "orders:read",
            stdout=out,
            stderr=err,
        )

    token = out.getvalue().removesuffix("\n")
    found = tokens.authenticate(f"Bearer {token}", now=NOW)
    assert found is not None
    assert found.scopes == ["orders:read", "orders:write"]
    assert err.getvalue() == ""
    assert token not in caplog.text


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("a", "--site=nowhere", "--scope=orders:read"), "There is no site 'nowhere'"),
        (("taken", "--site=shop", "--scope=orders:read"), "already has a token named 'taken'"),
        (("a", "--site=shop", "--scope=everything"), "invalid choice"),
        (("a", "--site=shop"), "--scope"),
    ],
)
def test_the_command_refuses_in_one_line(site: Site, args: tuple[str, ...], why: str) -> None:
    tokens.make(name="taken", site=site, scopes=["orders:read"])
    out = io.StringIO()
    with pytest.raises(CommandError, match=why) as caught:
        call_command("create_api_token", *args, stdout=out)
    assert "\n" not in str(caught.value)
    assert out.getvalue() == ""
    assert ApiToken.objects.count() == 1


class TestSites:
    @pytest.fixture
    def sites(self, site: Site) -> list[Site]:
        more = [
            Site.objects.create(id=name, inventory_list=site.inventory_list)
            for name in ("second", "third")
        ]
        return [site, *more]

    def used(self, token: str) -> ApiToken:
        found = tokens.authenticate(f"Bearer {token}", now=NOW)
        assert found is not None
        return found

    def test_of_several_sites(self, sites: list[Site]) -> None:
        made = tokens.make(name="oms", sites=sites[:2], scopes=["orders:read"])
        token = self.used(made)
        assert tokens.site_ids_of(token) == ["second", "shop"]
        assert tokens.site_for(token, "shop") == sites[0]
        assert tokens.site_for(token, "third") is None
        assert token.site is None

    def test_of_all_sites_and_of_those_to_come(self, sites: list[Site]) -> None:
        token = self.used(tokens.make(name="oms", every_site=True, scopes=["orders:read"]))
        Site.objects.create(id="later", inventory_list=sites[0].inventory_list)
        assert tokens.site_ids_of(token) == ["later", "second", "shop", "third"]
        assert tokens.site_for(token, "later") is not None
        assert tokens.site_for(token, "nowhere") is None

    def test_of_one_site_is_kept_as_before(self, sites: list[Site]) -> None:
        token = self.used(tokens.make(name="oms", sites=sites[:1], scopes=["orders:read"]))
        assert (token.site_id, token.sites.count(), token.every_site) == ("shop", 0, False)

    def test_neither_none_nor_both(self, sites: list[Site]) -> None:
        for arguments in ({}, {"sites": sites, "every_site": True}):
            with pytest.raises(tokens.TokenRefused, match="Name the sites"):
                tokens.make(name="oms", scopes=["orders:read"], **arguments)
        assert not ApiToken.objects.exists()

    def test_names_are_unique_among_them(self, sites: list[Site]) -> None:
        tokens.make(name="oms", every_site=True, scopes=["orders:read"])
        with pytest.raises(tokens.TokenRefused, match="another name"):
            tokens.make(name="oms", sites=sites, scopes=["orders:read"])

    def test_by_command(self, sites: list[Site]) -> None:
        out = io.StringIO()
        scope = ["--scope", "orders:read"]
        call_command(
            "create_api_token", "two", "--site", "shop", "--site", "third", *scope, stdout=out
        )
        call_command("create_api_token", "all", "--all-sites", *scope, stdout=out)
        two, every = (self.used(line) for line in out.getvalue().split())
        assert tokens.site_ids_of(two) == ["shop", "third"]
        assert every.every_site
        with pytest.raises(CommandError, match="not allowed with"):
            call_command("create_api_token", "x", "--all-sites", "--site", "shop", *scope)
