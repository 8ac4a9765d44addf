"""Two busy sites: a person and a token of the first read nothing of the second, anywhere.

Every page that can be reached by links, every address of the table, every export and ZIP is opened.
None may hold a word that only the second site has, and none may change when the second has more.
"""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client

from coc_admin.accounts.roles import make_roles
from coc_admin.models import Profile
from orders.models import InventoryRecord, Order, Site
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.decisions import bulk_asks
from reconciliation.models import (
    Alert,
    BulkRemedy,
    Channel,
    ConnectionState,
    Outage,
    ReportDay,
    ReservationDocument,
    Run,
    Scope,
)
from reconciliation.outages import minutes as minutes_of_orders
from tests.coc_admin.api.conftest import Api, api_for
from tests.coc_admin.authorisation import TABLE
from tests.coc_admin.two_sites import NORTH, SOUTH, busy, more, sku
from tests.engine import Engine, set_connection
from tests.engine import engine as engine
from tests.engine import simulator as simulator
from tests.factories import browser_of

pytestmark = pytest.mark.django_db

# Words of the second site; its list is called `outlet`.
FOREIGN = (SOUTH.lower(), "outlet", "77.77", "77,77")
_LINK = re.compile(r'(?:href|action|data-live|data-url|src|hx-get)="(/[^"#]*)')
_OPEN = ("/readyz", "/healthz", "/metrics")
_SKIPPED = (*_OPEN, "/static/", "/logout", "/admin", "/help/guide", "/me/password")


@pytest.fixture
def shops(engine: Engine, settings: Any, tmp_path: Path) -> tuple[Engine, Site, Site]:
    settings.COC_IMPEX_DIR = tmp_path / "impex"
    make_roles(apps)
    north, south = busy(engine, NORTH), busy(engine, SOUTH)
    engine.reconcile(Scope.OVERSOLD)
    first = Order.objects.earliest("captured_at").captured_at
    # Two outages, so that they are compared; both have orders of both sites.
    for minutes in (-30, 0):
        lost_at = first + timedelta(minutes=minutes)
        Outage.objects.create(
            is_open=False,
            lost_at=lost_at,
            detected_at=lost_at,
            recovered_at=engine.clock(),
            drained_at=engine.clock(),
        )
    set_connection(ConnectionState.OFFLINE)
    for late in (3, 2, 1):
        minutes_of_orders.sample(engine.clock() - timedelta(minutes=late))
    return engine, north, south


def person_of(site: Site, role: str) -> Client:
    user = User.objects.create_user(f"p-{role}", password="a long password")
    user.groups.add(Group.objects.get(name=role))
    Profile.objects.create(user=user, every_site=False).sites.set([site])
    return browser_of(user, raise_request_exception=False)


def seeds() -> Iterator[str]:
    """Yield every address of the table, with the keys of everything that there is."""
    keys = {
        "order": [row.pk for row in Order.objects.all()],
        "document": [row.pk for row in ReservationDocument.objects.all()],
        "run": [row.pk for row in Run.objects.all()],
        "outage": [row.pk for row in Outage.objects.all()],
        "sku": [row.pk for row in InventoryRecord.objects.filter(sku__regex="-(PART|NEW)$")],
        "report": [row.pk for row in ReportDay.objects.all()],
        "alert": [row.pk for row in Alert.objects.all()],
        "channel": [row.pk for row in Channel.objects.all()],
        "bulk": [row.pk for row in BulkRemedy.objects.all()],
    }
    for row, _ in TABLE.values():
        if row.startswith("POST") or row.startswith(_SKIPPED):
            continue
        names = re.findall(r"\{(\w+)\}", row)
        if names == []:
            yield row
        elif names in (["order"], ["order", "document"]):
            for order in Order.objects.filter(order_no__regex="-PART$"):
                for document in ReservationDocument.objects.filter(order=order)[:1]:
                    yield row.format(order=order.pk, document=document.pk)
        elif len(names) == 1 and names[0] in keys:
            for key in keys[names[0]]:
                yield row.format(**{names[0]: key})
    yield from searches()


def searches() -> Iterator[str]:
    order_nos = "%0A".join(f"{mark.upper()}-PART" for mark in (NORTH, SOUTH))
    for words in ("kim", "PART", "thing", "lena", "REFUSED", "shop", order_nos):
        yield f"/search/?q={words}"
    for path in ("/live/search/", "/orders/", "/desk/"):
        yield f"{path}?q=PART"
    for form in ("xlsx", "csv"):
        for path in ("/orders/export", "/desk/export", "/reports/export"):
            yield f"{path}.{form}"
    yield "/inventory/?prefix=Z"
    yield f"/inventory/?prefix={sku(NORTH, 'P')}"


def body_of(answer: Any) -> str:
    """Return what an answer holds as text, what is packed unpacked."""
    raw = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if raw[:2] != b"PK":
        return html.unescape(raw.decode("utf-8", "replace"))
    with zipfile.ZipFile(io.BytesIO(raw)) as packed:
        parts = []
        for name in sorted(packed.namelist()):
            inner = packed.read(name)
            if inner[:2] == b"PK":
                with zipfile.ZipFile(io.BytesIO(inner)) as sheet:
                    inner = b"".join(sheet.read(one) for one in sorted(sheet.namelist()))
            parts.append(f"{name}\n{inner.decode('utf-8', 'replace')}")
        return "\n".join(parts)


def shape(path: str) -> str:
    """Return an address without its values and keys: what is of one shape is one page."""
    head, _, query = re.sub(r"\d+", "N", path).partition("?")
    names = sorted(part.partition("=")[0] for part in query.split("&") if part)
    return f"{head}?{'&'.join(names)}"


def walk(client: Client) -> dict[str, str]:
    """Return the text of each page that opens, by address."""
    found: dict[str, str] = {}
    due, followed = deque(dict.fromkeys(seeds())), set[str]()
    while due:
        path = due.popleft()
        answer = client.get(path)
        assert answer.status_code < 500, path
        if answer.status_code != 200:
            continue
        found[path] = body_of(answer)
        for link in map(html.unescape, _LINK.findall(found[path])):
            if shape(link) not in followed and not link.startswith(_SKIPPED):
                followed.add(shape(link))
                due.append(link)
    return found


def asked(api: Api, site: Site) -> dict[str, str]:
    """Return each answer of the API to a token."""
    paths = ["status", "alerts", "reports", "reconciliation/runs", f"sites/{site.pk}/orders"]
    paths += [f"reports/{one['fileName']}" for one in api.get("reports").json()["reports"]]
    runs = [run.pk for run in Run.objects.all()]
    paths += [f"reconciliation/runs/{key}" for key in runs]
    paths += [f"sites/{site.pk}/orders/{mark.upper()}-PART" for mark in (NORTH, SOUTH)]
    paths += [f"sites/{site.pk}/inventory/{sku(mark, 'PART')}" for mark in (NORTH, SOUTH)]
    return {
        f"api {path}": body_of(answer)
        for path in paths
        if (answer := api.get(path)).status_code == 200
    }


def foreign_words(pages: dict[str, str]) -> list[str]:
    """Return where a word of the second site stands, apart from what the address itself says."""
    faults = []
    for path, text in pages.items():
        plain = text.lower()
        for word in FOREIGN:
            if word in plain and word not in path.lower():
                at = plain.index(word)
                faults.append(f"{path}: …{text[max(0, at - 60) : at + 40]!r}")
    return faults


# What changes with the time alone; the curve of home has tests of its own.
_VOLATILE = re.compile(
    r'<time.*?</time>|<span[^>]*data-ago.*?</span>|csrf[^>]*>|nonce="[^"]*"|data-live-now="[^"]*"|'
    r"<(?:polyline|polygon|path|line|text)[^>]*>|"
    r'<tr>\s*<th scope="row">\d\d:\d\d</th>.*?</tr>|\d+ min(?: \d+ s)?|"\w+Seconds": [\d.]+',
    re.DOTALL,
)

# Pages with counts, sums or lists.
_COUNTED = re.compile(
    r"/(live/home/|orders/(export\.csv)?|desk/(skus/|export\.csv)?|runs/(\d+/)?|alerts/(\d+/)?|"
    r"outages/(\d+/)?|reports/(calendar/)?|inventory/(compare/)?|search/\?q=\w+|views/|me/)?"
)


def plain(text: str) -> list[str]:
    return [line for line in _VOLATILE.sub("", text).splitlines() if line.strip()]


def changed_lines(before: dict[str, str], after: dict[str, str]) -> dict[str, list[str]]:
    """Return by page the lines that differ; packed files hold the moment of their making."""
    found = {}
    for path in before.keys() & after.keys():
        if path.split("?")[0].endswith((".xlsx", ".zip")):
            continue
        was, now = plain(before[path]), plain(after[path])
        if was != now:
            found[path] = [*sorted(set(was) - set(now))[:3], *sorted(set(now) - set(was))[:3]]
    return found


def test_nothing_of_another_site_is_read_anywhere(shops: tuple[Engine, Site, Site]) -> None:
    engine, north, south = shops
    client, api = person_of(north, "operator"), api_for(north)
    # Even if they have chosen all there is.
    user = User.objects.get(username="p-operator")
    every = [order.pk for order in Order.objects.oversold()]
    bulk_asks.begin(user=user, order_ids=every, now=engine.clock())
    refresh_alerts(engine.clock(), watching_since=engine.clock())
    pages = walk(client) | asked(api, north)
    opened = {shape(path).split("?")[0] for path in pages}
    assert opened >= {
        *("/", "/desk/", "/desk/orders/N/", "/orders/N/", "/alerts/N/", "/runs/N/", "/views/"),
        *("/inventory/compare/", "/outages/N/", "/outages/N/reports.zip", "/search/"),
        *("/orders/export.xlsx", "/live/home/", "/settings/sites/edit/Nordwind-shop/"),
    }
    assert foreign_words(pages) == []
    # A control: a person who may see the second site reads its words.
    other = person_of(south, "viewer")
    assert foreign_words({"orders": body_of(other.get("/orders/"))}) != []

    # Not a count, a sum, a page number or an order of rows tells of more orders there.
    more(engine, south, SOUTH)
    minutes_of_orders.sample(engine.clock())
    refresh_alerts(engine.clock(), watching_since=engine.clock())
    counted = [path for path in pages if _COUNTED.fullmatch(path)]
    assert len(counted) > 20
    after = {path: body_of(client.get(path)) for path in counted} | asked(api, north)
    assert changed_lines(pages, after) == {}
    assert foreign_words(after) == []
