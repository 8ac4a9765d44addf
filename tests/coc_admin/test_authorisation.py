"""The table of `authorisation` against the product: each address, for each kind of person."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from coc_admin.accounts import tokens
from coc_admin.accounts.roles import make_roles
from coc_admin.models import ApiToken, Profile, TokenScope
from orders.models import InventoryRecord, Order, Site
from reconciliation.models import (
    BulkKind,
    BulkRemedy,
    Channel,
    ChannelKind,
    Priority,
    ReportDay,
    ReservationDocument,
    Run,
    RunState,
    Scope,
    Trigger,
)
from tests import sampling
from tests.alerts import raise_alert
from tests.coc_admin.api.conftest import api_for
from tests.coc_admin.authorisation import API_CALLERS, API_TABLE, PEOPLE, TABLE
from tests.coc_admin.console import scene

pytestmark = pytest.mark.django_db

NOTHING = 987_654_321
# What needs no role, or must be reached without one.
OPEN = {"healthz", "readyz", "metrics", "login", "logout", "set_password"}


def patterns(
    within: list[Any] | None = None, namespaces: tuple[str, ...] = ()
) -> Iterator[tuple[str, URLPattern]]:
    """Yield every address of the project by its name, with the namespaces before it."""
    for one in get_resolver().url_patterns if within is None else within:
        if isinstance(one, URLResolver):
            inner = (*namespaces, one.namespace) if one.namespace else namespaces
            yield from patterns(one.url_patterns, inner)
        else:
            yield ":".join((*namespaces, one.name or "")), one


def console() -> dict[str, URLPattern]:
    return {name: one for name, one in patterns() if ":" not in name and name and name not in OPEN}


def person(kind: str) -> Client:
    """Return a browser in which one of PEOPLE is signed in."""
    client = Client(raise_request_exception=False)
    if kind == "anonymous":
        return client
    user = User.objects.create_user(kind.replace(" ", "-"), password="a long password")
    role = "operator" if kind.startswith("of ") else kind
    if role != "nobody":
        user.groups.add(Group.objects.get(name=role))
    if kind.startswith("of "):
        profile = Profile.objects.create(user=user, every_site=False)
        profile.sites.add("NorthShop" if kind == "of the site" else "South Shop & Co")
    client.force_login(user)
    return client


@pytest.fixture
def objects(db: None) -> dict[str, Any]:
    """Return an object of NorthShop for each member of an address."""
    make_roles(apps)
    outage = scene.build_scene()
    anna = User.objects.create_user("anna")
    scoped = Run.objects.create(
        trigger=Trigger.API,
        actor="storefront",
        scope=Scope.MISSING,
        scope_data={"site": "NorthShop"},
        state=RunState.COMPLETED,
        created_at=scene.NOW,
        is_active=False,
    )
    return {
        "order": outage.partial.pk,
        "order_no": outage.partial.order_no,
        "document": ReservationDocument.objects.get(order=outage.partial).pk,
        "run": outage.run.pk,
        "scoped_run": scoped.pk,
        "outage": scene.make_outage(outage.run).pk,
        "planned": scene.make_planned_outage().pk,
        "sku": InventoryRecord.objects.get(inventory_list="NorthShop-stock", sku="MUG-01").pk,
        "report": ReportDay.objects.earliest("pk").pk,
        "alert": raise_alert(
            descriptor="needs_review",
            priority=Priority.ACTION,
            message="One order cannot go on without a person.",
            data={"orders": 1},
            now=scene.NOW,
        ).pk,
        "channel": _channel().pk,
        "token": _token(outage.site).pk,
        "person": anna.pk,
        "bulk": BulkRemedy.objects.create(user=anna, kind=BulkKind.CANCEL, created_at=scene.NOW).pk,
        "nothing": NOTHING,
    }


def _token(site: Site) -> ApiToken:
    tokens.make(name="erp", site=site, scopes=["orders:read"])
    return ApiToken.objects.get(name="erp")


def _channel() -> Channel:
    channel = Channel.objects.create(
        name="Shop", kind=ChannelKind.EMAIL, target="shop@example.test", every_site=False
    )
    channel.sites.add("NorthShop")
    return channel


def ask(client: Client, row: str, objects: dict[str, Any]) -> Any:
    """Request a row's address; its effects are undone."""
    method, address, *data = row.split() if row.startswith("POST ") else ("GET", row)
    values = dict(one.split("=") for one in data)
    with transaction.atomic():
        path = address.format(**objects)
        answer = client.post(path, values) if method == "POST" else client.get(path)
        if getattr(answer, "streaming", False):
            b"".join(answer.streaming_content)
        transaction.set_rollback(True)
    return answer


def told(answer: Any) -> str:
    if answer.status_code != 302:
        return str(answer.status_code)
    return "in" if answer["Location"].startswith("/login/") else "->"


def faults(
    answers: dict[str, str], table: dict[str, tuple[str, str]], column: int
) -> dict[str, tuple[str, str]]:
    """Return each answer that differs from the table, with its text."""
    said = {name: cells.split()[column] for name, (_, cells) in table.items()}
    return {name: (one, said[name]) for name, one in answers.items() if one != said[name]}


def test_every_address_has_its_row() -> None:
    named = {name for name, _ in patterns() if ":" not in name and name}
    assert named - TABLE.keys() == set()
    assert TABLE.keys() - named == set()


def test_every_view_of_the_console_has_a_rule() -> None:
    assert [
        n for n, one in console().items() if not hasattr(one.callback, "console_permission")
    ] == []
    outside = {name.split(":")[0] for name, _ in patterns() if ":" in name}
    assert outside == {"admin", "api-v1"}


@pytest.mark.parametrize("kind", PEOPLE)
def test_each_page_answers_each_person_as_the_table_says(
    kind: str, objects: dict[str, Any]
) -> None:
    client, column = person(kind), PEOPLE.index(kind)
    # Every refusal is asked for in every run; the five hundred pages that open take turns.
    shown = {name for name, (_, cells) in TABLE.items() if cells.split()[column] == "200"}
    asked = TABLE.keys() - shown | set(sampling.part(sorted(shown), one_in=3))
    answers = {
        name: told(ask(client, row, objects)) for name, (row, _) in TABLE.items() if name in asked
    }
    assert faults(answers, TABLE, column) == {}


def test_what_is_of_another_site_looks_like_what_does_not_exist(objects: dict[str, Any]) -> None:
    client = person("of another")
    checked = 0
    for name, (row, cells) in TABLE.items():
        if cells.split()[-1] != "404" or "{" not in row:
            continue
        foreign = ask(client, row, objects)
        missing = ask(client, row, dict.fromkeys(objects, NOTHING) | {"bulk": uuid.uuid4()})
        assert (foreign.status_code, foreign.content) == (404, missing.content), name
        assert foreign.headers.keys() == missing.headers.keys(), name
        checked += 1
    assert checked > 10


def test_every_post_needs_its_token(objects: dict[str, Any]) -> None:
    """A form of another website is refused by every address that takes one."""
    make_roles(apps)
    client = Client(enforce_csrf_checks=True)
    user = User.objects.create_superuser("root", password="a long password")
    client.force_login(user)
    before = (Order.objects.count(), Run.objects.count())
    answers = {}
    for name, (row, _) in TABLE.items():
        address = row.split()[1] if row.startswith("POST ") else row
        if name not in ("healthz", "readyz", "metrics"):
            answers[name] = client.post(address.format(**objects)).status_code
    assert {name: code for name, code in answers.items() if code not in (403, 405)} == {}
    assert (Order.objects.count(), Run.objects.count()) == before


def test_no_page_can_be_put_into_a_frame(objects: dict[str, Any]) -> None:
    client = person("administrator")
    for name, (row, _) in sampling.part(TABLE.items(), one_in=5):
        answer = ask(client, row, objects)
        assert answer["X-Frame-Options"] == "DENY", name
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"], name


def test_every_operation_of_the_api_has_its_row() -> None:
    named = {name.partition(":")[2] for name, _ in patterns() if name.startswith("api-v1:")} - {""}
    assert named - API_TABLE.keys() == set()
    assert API_TABLE.keys() - named == {"not found", "place_order"}


@pytest.mark.parametrize("caller", API_CALLERS)
def test_the_api_answers_each_caller_as_the_table_says(
    caller: str, objects: dict[str, Any]
) -> None:
    site = "South Shop & Co" if caller == "of another" else "NorthShop"
    api = api_for(Site.objects.get(pk=site), *TokenScope.values)
    if caller in ("no token", "signed in"):
        api.token = None
    if caller == "signed in":
        api.client.force_login(User.objects.create_superuser("root"))
    answers = {}
    for name, (row, _) in API_TABLE.items():
        method, path, body = (*row.split(" ", 2), "")[:3] if " " in row else ("GET", row, None)
        answers[name] = str(api(method, path.format(**objects), body and body.encode()).status_code)
    column = API_CALLERS.index(caller)
    assert faults(answers, API_TABLE, column) == {}


def test_the_back_office_is_closed_to_people_of_some_sites(objects: dict[str, Any]) -> None:
    """Its pages know no sites; every one of them asks the same question first."""
    limited, root = person("of the site"), person("administrator")
    User.objects.update(is_superuser=True)
    entered, refused = 0, []
    for name, one in patterns():
        if not name.startswith("admin:") or name in ("admin:login", "admin:logout", "admin:jsi18n"):
            continue
        path = "/admin/" + re.sub(r"<[^>]+>", "1", _below_admin(one))
        answer = limited.get(path)
        if not answer.headers.get("Location", "").startswith("/admin/login/"):
            refused.append((name, path, answer.status_code))
        entered += root.get(path).status_code == 200
    assert refused == []
    assert entered > 3


def _below_admin(wanted: URLPattern) -> str:
    def find(within: list[Any], before: str) -> str | None:
        for one in within:
            if one is wanted:
                return before + str(one.pattern)
            if isinstance(one, URLResolver):
                found = find(one.url_patterns, before + str(one.pattern))
                if found is not None:
                    return found
        return None

    found = find(get_resolver().url_patterns, "")
    assert found is not None
    return found.removeprefix("admin/").removesuffix("$").replace("^", "")
