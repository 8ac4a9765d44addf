"""Every address of the console and the API over the poorest orders that are legal, and the richest.

The short form opens some of the addresses for some of the orders, other ones each day.

The addresses are those of `authorisation`: a new one without a row there fails, and with a row it
is opened here for each order of `extreme_orders`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone, translation

from coc_admin.models import TokenScope
from orders import customer_messages
from orders.models import MessageKind, Order
from reconciliation.alerts.channels.text import content_of
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.alerts.site_text import site_texts
from reconciliation.models import (
    Alert,
    ConnectionState,
    DeliveryKind,
    OfflineCause,
    ReportDay,
    ReservationDocument,
)
from reconciliation.reports import publish
from tests import sampling
from tests.coc_admin.api.conftest import api_for
from tests.coc_admin.authorisation import API_TABLE, TABLE
from tests.coc_admin.console import scene
from tests.coc_admin.console.extreme_orders import DOCUMENTS, make_orders, sku
from tests.coc_admin.console.test_form_fuzz import text_of
from tests.coc_admin.test_authorisation import objects, person

__all__ = ["objects"]

pytestmark = pytest.mark.django_db

Orders = dict[tuple[str, str], Order]
TEMPLATES = Path(__file__).parents[2] / "templates"


@pytest.fixture
def admin(objects: dict[str, Any]) -> Client:
    return person("administrator")


@pytest.fixture
def extremes(objects: dict[str, Any]) -> Orders:
    """Return the orders, in reports as well, while OCI is away: then pages say most."""
    site = Order.objects.get(pk=objects["order"]).site
    made = make_orders(site, scene.make_run())
    publish.project_and_merge(now=timezone.now())
    scene.set_connection(ConnectionState.OFFLINE, cause=OfflineCause.UNREACHABLE)
    refresh_alerts(timezone.now())
    return made


def addresses(objects: dict[str, Any], orders: Orders) -> Iterator[tuple[str, str]]:
    """Yield each address that is asked for by GET, for each thing that it can be about."""
    documents = dict(ReservationDocument.objects.values_list("order", "pk"))
    reports = list(ReportDay.objects.values_list("pk", flat=True))
    for name, (row, _) in TABLE.items():
        if row.startswith("POST ") or name in ("readyz", "logout"):
            continue
        for order, report in product(
            [one.pk for one in orders.values()] if "{order}" in row else [0],
            reports if "{report}" in row else [0],
        ):
            if "{document}" in row and order not in documents:
                continue
            about = objects | {"order": order, "report": report}
            about["document"] = documents.get(order)
            for path in forms_of(row.format(**about)):
                yield name, path


def forms_of(path: str) -> list[str]:
    """Return an address in each form that its file may have."""
    if re.search(r"\.(csv|json)$", path):
        if path.startswith("/settings/"):
            return [path]
        forms = ["csv", "csv-local", "xlsx"]
        if path.startswith("/reports/") and "export" not in path:
            forms.append("json")
        return [re.sub(r"\.\w+$", f".{form}", path) for form in forms]
    return [path]


def begin_bulks(admin: Client, orders: Orders) -> list[str]:
    """Choose every order, and return the previews of each remedy for many."""
    keys = [order.pk for order in orders.values()]
    found = []
    for do in ("cancel", "cancel_short", "replace", "settle_outside"):
        answer = admin.post("/chosen/desk/", {"shown": keys, "order": keys, "do": do})
        assert answer.status_code == 302, do
        found.append(answer["Location"])
    return found


def pages_and_files(
    admin: Client, objects: dict[str, Any], extremes: Orders
) -> dict[str, tuple[str, str]]:
    """Open every address; return the answers that are not as the table says."""
    every = sampling.part(addresses(objects, extremes), one_in=8)
    asked = [(path, TABLE[name][1].split()[5]) for name, path in every]
    asked += [(preview, "200") for preview in begin_bulks(admin, extremes)]
    for order in extremes.values():
        asked.append((f"/runs/new/?scope=orders&order={order.pk}", "200"))
    faults = {}
    for path, wanted in asked:
        answer = admin.get(path)
        told = str(answer.status_code) if answer.status_code != 302 else "->"
        if told != wanted:
            faults[path] = (told, wanted)
        text_of(answer)
    assert len(asked) > sampling.short_or_long(25, 200)
    return faults


def answers_of_the_api(extremes: Orders) -> dict[str, int]:
    """Ask every address of the API; return the answers that are not 200."""
    site = extremes["bare", "short"].site
    api = api_for(site, *TokenScope.values)
    paths = [row for row, cells in API_TABLE.values() if " " not in row and "404" not in cells]
    paths += [f"sites/{site.pk}/orders?limit=200"]
    paths += [f"sites/{site.pk}/orders/{quote(one.order_no)}" for one in extremes.values()]
    paths += [f"sites/{site.pk}/inventory/{sku(number)}" for number in (0, 1_999)]
    for one in ReportDay.objects.filter(site=site):
        name = f"{one.date:%Y%m%d}_{one.report_type}_{site.pk}"
        paths += [f"reports/{name}.json?format={form}" for form in ("json", "csv", "xlsx")]
    answers = {path: api.get(path) for path in paths if "{" not in path}
    return {path: one.status_code for path, one in answers.items() if one.status_code != 200}


def messages_of(admin: Client, order: Order) -> None:
    """Draft each kind of message to the customer of an order, and send one."""
    for kind in (None, *MessageKind):
        drafted = customer_messages.draft(order, kind)
        assert len(drafted.body) <= customer_messages.LONGEST_BODY
        assert "None" not in drafted.body
    path = f"/orders/{order.pk}/message/?kind={MessageKind.SHORT_CANCELLED}"
    form = admin.get(path).context["form"]
    values = {name: form[name].value() or "" for name in form.fields if "by_" not in name}
    values |= {"recipient": "shopper@example.test", "by_email": "on"}
    before = len(mail.outbox)
    answer = admin.post(path, values)
    assert (answer.status_code, answer["Location"]) == (302, f"/orders/{order.pk}/")
    assert len(mail.outbox) == before + 1
    assert admin.get(answer["Location"]).status_code == 200


def alerts_of(site_id: str) -> None:
    """Say each alert to people of every site and of one, and over a channel."""
    alerts = list(Alert.objects.all())
    assert {"oci_offline", "needs_review"} <= {one.descriptor for one in alerts}
    for language in ("en", "de"):
        with translation.override(language):
            told = site_texts(alerts, site_ids=[site_id])
            assert told
            for alert in alerts:
                message = told.get(alert.pk, alert.message)
                said = content_of(alert, kind=DeliveryKind.RAISED, message=message)
                assert "None" not in f"{message} {said['title']} {said['remedy']}"


def test_every_page_file_answer_and_message_bears_every_order(
    admin: Client, objects: dict[str, Any], extremes: Orders
) -> None:
    assert pages_and_files(admin, objects, extremes) == {}
    assert answers_of_the_api(extremes) == {}
    for (_kind, state), order in extremes.items():
        if state == "short" and order.customer_erased_at is None:
            messages_of(admin, order)
    alerts_of(extremes["bare", "short"].site_id)
    cells = {kind: customer_on_the_desk(admin, extremes[kind, "short"]) for kind in DOCUMENTS}
    assert cells.pop("rich").startswith("Ada W&amp;ä–")
    assert cells == {
        "bare": "–",
        "empty": "–",
        "id": "C-1",
        "name": "Ann Example",
        "mail": "ann@example.test",
        "erased": "–",
        "bundle": "–",
    }


def customer_on_the_desk(admin: Client, order: Order) -> str:
    """Return the customer of an order as the desk shows it."""
    rows = text_of(admin.get("/desk/?q=x")).split("<tr")
    (row,) = [one for one in rows if f'href="/orders/{order.pk}/"' in one]
    found = re.search(r'data-label="Customer">\s*<span class="wrap cut">(.*?)</span>', row)
    assert found is not None
    return found[1]


# What is always there: a column that is never empty, or the loop's own variable.
ALWAYS_THERE = re.compile(r"\A(?:[a-z_]+\.)*(?:currency)\Z|\Acode\Z")


def test_no_filter_takes_an_argument_that_may_be_missing() -> None:
    """A variable that is not there is empty on a page, but as an argument it is an error 500."""
    given = {
        (path.name, argument)
        for path in TEMPLATES.rglob("*.html")
        for tag in re.findall(r"\{[{%].*?[%}]\}", path.read_text(), flags=re.DOTALL)
        for argument in re.findall(r"\|\w+:(?!_\()([^\W\d][\w.]*)", tag)
    }
    assert len(given) > 5
    assert {one for one in given if not ALWAYS_THERE.match(one[1])} == set()
