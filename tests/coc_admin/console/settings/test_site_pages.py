"""Sites: looked at, changed, made; refused with nothing changed."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from django.test import Client

from coc_admin.models import AuditEntry
from orders.models import InventoryList, PermittedList, RiskAcceptance, Site
from orders.permitted_lists import lists_of
from reconciliation.models import ConnectionState, OfflineCause, Outage
from tests import factories
from tests.coc_admin.console import scene
from tests.coc_admin.console.settings.conftest import SignIn
from tests.coc_admin.console.settings.inputs import inputs_of

PAGE = "/settings/sites/edit/NorthShop/"


def stored() -> dict[str, object]:
    return Site.objects.filter(pk="NorthShop").values().get()


def test_list_shows_each_site_with_what_waits(operator: Client, site: Site) -> None:
    scene.place(site, "A-1")
    answer = operator.get("/settings/sites/")
    assert answer.context["rows"] == [(site, 1)]
    assert answer.context["may_add"] is False
    assert [section.label for section in answer.context["sections"]][:2] == [
        "Sites",
        "Inventory lists",
    ]


def test_settings_are_a_list_that_a_word_filters(operator: Client) -> None:
    def shown(**query: str) -> dict[str, list[str]]:
        entries = operator.get("/settings/", query).context["entries"]
        return {entry.label: [page.label for page in pages] for entry, pages in entries}

    everything = shown()
    assert list(everything)[:2] == ["Sites", "Inventory lists"]
    assert "API tokens" not in everything  # of administrators
    assert everything["Sites"] == []
    assert "Import orders" in everything["Maintenance"]
    assert shown(q="erase CUSTOMER") == {"Maintenance": ["Erase a customer"]}
    assert shown(q="time zone") == {"Sites": []}
    assert shown(q="<nothing>") == {}
    assert "&lt;nothing&gt;" in operator.get("/settings/", {"q": "<nothing>"}).content.decode()


@pytest.mark.parametrize("role", ["viewer", "merchandiser"])
def test_others_see_no_settings(sign_in: SignIn, site: Site, role: str) -> None:
    client = sign_in(role)
    before = stored()
    for path in ("/settings/", "/settings/sites/", PAGE, "/settings/sites/new/"):
        assert client.get(path).status_code == 403
        assert client.post(path, {"name": "mine"}).status_code in (403, 405)
    assert "/settings/" not in client.get("/").content.decode()
    assert stored() == before
    assert Site.objects.count() == 1


def test_change_is_stored_with_a_line_of_the_log(operator: Client, site: Site) -> None:
    sent = inputs_of(operator.get(PAGE)) | {
        "name": "The north",
        "cap_total_value": "1200.50",
        "reason": "sale",
    }
    sent.pop("offline_capture")

    answer = operator.post(PAGE, sent)

    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    site.refresh_from_db()
    assert (site.name, site.cap_total_value, site.offline_capture) == (
        "The north",
        Decimal("1200.50"),
        False,
    )
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target, entry.reason) == (
        "operator",
        "site.changed",
        "site:NorthShop",
        "sale",
    )
    assert entry.detail == {
        "name": {"before": "", "after": "The north"},
        "offline_capture": {"before": "yes", "after": ""},
        "cap_total_value": {"before": "", "after": "1200.5"},
    }
    assert entry.request_id == answer["X-Request-Id"]


def test_saving_what_is_there_changes_nothing(operator: Client, site: Site) -> None:
    before = stored()
    answer = operator.post(PAGE, inputs_of(operator.get(PAGE)), follow=True)
    assert b"You made no changes" in answer.content
    assert stored() == before
    assert not AuditEntry.objects.exists()


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("currency", "euro"),
        ("currency", "E1R"),
        ("time_zone", "Mars/Base"),
        ("inventory_list", "nothing"),
        ("cap_units_per_order", "0"),
        ("cap_units_per_order", "1.0001"),
        ("cap_total_value", "-1"),
        ("cap_total_value", "NaN"),
        ("cap_offline_minutes", "0"),
        ("unknown_sku_policy", "guess"),
    ],
)
def test_mistake_is_marked_and_nothing_changes(
    operator: Client, site: Site, name: str, value: str
) -> None:
    before = stored()
    sent = inputs_of(operator.get(PAGE)) | {name: value, "name": "kept input"}
    answer = operator.post(PAGE, sent)
    assert list(answer.context["form"].errors) == [name]
    assert b"kept input" in answer.content
    assert stored() == before
    assert not AuditEntry.objects.exists()


def test_loser_of_a_race_sees_what_changed_and_keeps_the_input(
    operator: Client, site: Site
) -> None:
    sent = inputs_of(operator.get(PAGE)) | {"name": "mine"}
    Site.objects.filter(pk=site.pk).update(name="theirs", currency="CHF")
    before = stored()

    lost = operator.post(PAGE, sent)

    assert lost.status_code == 409
    assert stored() == before
    assert [(c.label, c.was, c.now) for c in lost.context["clashes"]] == [
        ("Name", "nothing", "theirs"),
        ("Currency", "EUR", "CHF"),
    ]
    assert not AuditEntry.objects.exists()
    # The person's input stays; untouched fields show current values. Saving again is a choice.
    again = inputs_of(lost)
    assert (again["name"], again["currency"]) == ("mine", "CHF")
    assert operator.post(PAGE, again).status_code == 302
    site.refresh_from_db()
    assert (site.name, site.currency) == ("mine", "CHF")


@pytest.mark.parametrize("was", ["", "[]", "{", '{"name": "x"}'])
def test_form_without_what_its_author_saw_changes_nothing(
    operator: Client, site: Site, was: str
) -> None:
    before = stored()
    sent = inputs_of(operator.get(PAGE)) | {"name": "mine", "was": was}
    assert operator.post(PAGE, sent).status_code == 409
    assert stored() == before


def test_time_zone_is_free_until_there_are_orders(operator: Client, site: Site) -> None:
    sent = inputs_of(operator.get(PAGE)) | {"time_zone": "Europe/Berlin"}
    assert operator.post(PAGE, sent).status_code == 302
    site.refresh_from_db()
    assert site.time_zone == "Europe/Berlin"

    scene.place(site, "A-1")
    before = stored()
    page = operator.get(PAGE)
    assert b"its time zone stays as it is" in page.content
    answer = operator.post(PAGE, inputs_of(page) | {"time_zone": "UTC", "name": "kept"})
    assert answer.status_code == 409
    assert "time_zone" in answer.context["form"].errors
    assert stored() == before
    assert AuditEntry.objects.count() == 1


def test_other_list_while_orders_wait_needs_to_be_confirmed(operator: Client, site: Site) -> None:
    InventoryList.objects.create(id="other")
    order = scene.place(site, "A-1")
    before = stored()
    sent = inputs_of(operator.get(PAGE)) | {"inventory_list": "other"}

    answer = operator.post(PAGE, sent)
    assert answer.status_code == 409
    assert b"1 order of this site waits" in answer.content
    assert b'name="confirm"' in answer.content
    assert stored() == before

    assert operator.post(PAGE, sent | {"confirm": "on"}).status_code == 302
    site.refresh_from_db()
    assert site.inventory_list_id == "other"
    assert {item.inventory_list_id for item in order.items.all()} == {"NorthShop-stock"}


def test_page_says_where_the_limits_stand(operator: Client, site: Site) -> None:
    Site.objects.filter(pk=site.pk).update(cap_total_value=Decimal(100), cap_offline_minutes=60)
    scene.place(site, "A-1")  # three pieces at 9.50
    scene.set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    answer = operator.get(PAGE)
    limits = answer.context["limits"]
    assert (limits.waiting_orders, limits.waiting_value) == (1, Decimal("28.50"))
    assert answer.context["value_left"] == Decimal("71.50")
    open_outage = Outage.objects.filter(is_open=True).exists()
    assert (limits.away_minutes is not None) == open_outage


def test_administrator_adds_a_site_and_others_do_not(
    administrator: Client, sign_in: SignIn, site: Site
) -> None:
    new = {
        "id": "SouthShop",
        "inventory_list": "NorthShop-stock",
        "time_zone": "Europe/Paris",
        "currency": "eur",
        "unknown_sku_policy": "refuse",
        "offline_capture": "on",
        "accepts_risk": "on",
    }
    assert sign_in("operator").post("/settings/sites/new/", new).status_code == 403
    limited = sign_in("administrator", "amy", sites=[site])
    assert limited.post("/settings/sites/new/", new).status_code == 403
    assert Site.objects.count() == 1

    answer = administrator.post("/settings/sites/new/", new)
    assert answer["Location"] == "/settings/sites/edit/SouthShop/"
    made = Site.objects.get(pk="SouthShop")
    assert (made.time_zone, made.currency, made.cap_total_value) == ("Europe/Paris", "EUR", None)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target, entry.detail["currency"]) == (
        "site.added",
        "site:SouthShop",
        "EUR",
    )

    again = administrator.post("/settings/sites/new/", new | {"id": "southshop"})
    assert list(again.context["form"].errors) == ["id"]
    for wrong in ("a/b", "x" * 33, "a\nb"):
        answer = administrator.post("/settings/sites/new/", new | {"id": wrong})
        assert answer.status_code == 200
        assert list(answer.context["form"].errors) == ["id"]
    assert Site.objects.count() == 2


def test_limited_operator_sees_and_changes_only_their_sites(sign_in: SignIn, site: Site) -> None:
    south = scene.make_shop("SouthShop")
    limited = sign_in("operator", "oda", sites=[south])
    assert [row[0] for row in limited.get("/settings/sites/").context["rows"]] == [south]
    assert limited.get(PAGE).status_code == 404
    before = stored()
    assert limited.post(PAGE, {"name": "mine"}).status_code == 404
    assert stored() == before

    own = "/settings/sites/edit/SouthShop/"
    page = limited.get(own)
    assert "NorthShop" not in page.content.decode()
    sent = inputs_of(page) | {"inventory_list": "NorthShop-stock"}
    assert list(limited.post(own, sent).context["form"].errors) == ["inventory_list"]
    south.refresh_from_db()
    assert south.inventory_list_id == "SouthShop-stock"


def test_what_was_seen_is_plain_json(operator: Client, site: Site) -> None:
    seen = json.loads(inputs_of(operator.get(PAGE))["was"])
    assert (seen["offline_capture"], seen["inventory_list"]) == ("yes", "NorthShop-stock")


def audited() -> list[tuple[str, str, object]]:
    entries = AuditEntry.objects.filter(target__startswith="site:").order_by("pk")
    return [(one.action, one.target, one.detail.get("permitted_lists")) for one in entries]


def test_lists_are_permitted_with_a_line_of_the_log(operator: Client, site: Site) -> None:
    for name in ("east", "west"):
        InventoryList.objects.create(pk=name)
    sent = inputs_of(operator.get(PAGE))
    answer = operator.post(PAGE, sent | {"permitted_lists": ["west", "east", "NorthShop-stock"]})
    assert answer.status_code == 302
    # Its own list needs no permission, and a change of the list must not leave one behind.
    assert lists_of(site) == {"NorthShop-stock", "east", "west"}
    assert PermittedList.objects.count() == 2
    changed = {"before": "", "after": "east\nwest"}
    assert audited() == [("site.changed", "site:NorthShop", changed)]

    # A person with the old page open is notified.
    late = operator.post(PAGE, sent | {"permitted_lists": ["west"]})
    assert late.status_code == 409
    assert "east, west" in late.content.decode()
    assert lists_of(site) == {"NorthShop-stock", "east", "west"}
    for wrong in ("nowhere", "West"):
        now = inputs_of(operator.get(PAGE)) | {"permitted_lists": [wrong]}
        assert operator.post(PAGE, now).status_code == 200
    assert lists_of(site) == {"NorthShop-stock", "east", "west"}
    assert len(audited()) == 1


def test_somebody_who_sees_some_sites_only_permits_no_list(sign_in: SignIn, site: Site) -> None:
    InventoryList.objects.create(pk="east")
    factories.permit_lists(site, "east")
    InventoryList.objects.create(pk="west")
    client = sign_in("operator", sites=[site.pk])
    page = client.get(PAGE)
    assert "permitted_lists" not in page.content.decode()
    sent = inputs_of(page) | {"permitted_lists": ["west"], "name": "The north"}
    assert client.post(PAGE, sent).status_code == 302
    site.refresh_from_db()
    assert site.name == "The north"
    assert lists_of(site) == {"NorthShop-stock", "east"}
    sent = inputs_of(client.get(PAGE)) | {"inventory_list": "west"}
    assert client.post(PAGE, sent).status_code == 200
    site.refresh_from_db()
    assert site.inventory_list_id == "NorthShop-stock"


def test_a_new_site_is_made_with_its_lists(sign_in: SignIn, site: Site) -> None:
    client = sign_in("administrator")
    sent = inputs_of(client.get("/settings/sites/new/")) | {
        "id": "South",
        "inventory_list": "NorthShop-stock",
        "permitted_lists": ["east"],
        "unknown_sku_policy": "refuse",
        "accepts_risk": "on",
    }
    InventoryList.objects.create(pk="east")
    assert client.post("/settings/sites/new/", sent).status_code == 302
    assert lists_of(Site.objects.get(pk="South")) == {"NorthShop-stock", "east"}
    assert audited() == [("site.added", "site:South", "east")]


class TestRiskOfOverselling:
    """A person who accepts the risk, as in the text they read, turns offline capture on."""

    def sent(self, client: Client, **changes: object) -> dict[str, object]:
        return inputs_of(client.get(PAGE)) | changes

    def test_it_must_be_accepted(self, administrator: Client, site: Site) -> None:
        Site.objects.update(offline_capture=False)
        answer = administrator.post(PAGE, self.sent(administrator, offline_capture="on"))
        assert list(answer.context["form"].errors) == ["accepts_risk"]
        site.refresh_from_db()
        assert not site.offline_capture
        assert not RiskAcceptance.objects.exists()

        sent = self.sent(administrator, offline_capture="on", accepts_risk="on")
        assert administrator.post(PAGE, sent).status_code == 302
        row = RiskAcceptance.objects.get()
        assert (row.site_id, row.accepted_by) == ("NorthShop", "administrator")
        assert "Other channels may sell the same stock" in row.text
        assert "accepted by administrator," in administrator.get(PAGE).content.decode()

    def test_other_changes_need_no_acceptance(self, administrator: Client, site: Site) -> None:
        sent = self.sent(administrator, name="North", short_handover="when_decided")
        assert administrator.post(PAGE, sent).status_code == 302
        site.refresh_from_db()
        assert (site.name, site.short_handover) == ("North", "when_decided")
        assert not RiskAcceptance.objects.exists()

    def test_a_new_site_gives_half_an_hour(self, administrator: Client, site: Site) -> None:
        page = administrator.get("/settings/sites/new/").content.decode()
        assert '<option value="after_minutes" selected>' in page
