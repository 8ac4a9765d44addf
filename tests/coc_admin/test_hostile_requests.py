"""Every address, asked with what no browser sends: a refusal or a page, never an error 500.

The addresses are those of the tables of `authorisation` and those of the back office, so a new one
is in here by itself. PostgreSQL refuses texts that SQLite takes: both must answer alike. The short
form asks some of the addresses, other ones each day.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.conf import settings
from django.test import Client

from coc_admin.console import audit
from coc_admin.console.settings.edit_forms import EditForm
from coc_admin.models import AuditEntry, TokenScope
from coc_admin.wsgi import application
from orders.models import Site
from tests import fuzzing, sampling
from tests.coc_admin.api.conftest import PROBLEM, api_for
from tests.coc_admin.authorisation import API_TABLE, TABLE
from tests.coc_admin.console.test_form_fuzz import Form, Reader, forms_of, is_page, text_of
from tests.coc_admin.test_authorisation import _below_admin, objects, patterns, person

__all__ = ["objects"]

pytestmark = pytest.mark.django_db

CONSOLE = Path(__file__).parents[2] / "coc_admin" / "console"
ONE_IN = 5
PARTS = {
    "NUL": "%00",
    "lone surrogate": "%ED%A0%80",
    "broken UTF-8": "%ff%fe",
    "bracket": "http://[",
    "long": "x" * 600,
    "wide": "%F0%9F%92%A9" * 60,
    "number": "9" * 400,
}
HEADERS: dict[str, dict[str, str]] = {
    "address of the page": {"HX-Request": "true", "HX-Current-URL": "http://["},
    "long address": {"HX-Request": "true", "HX-Current-URL": "http://x/" + "x" * 5_000},
    "referer": {"Referer": "http://[", "Origin": "http://["},
    "cookies": {"Cookie": f'{settings.SESSION_COOKIE_NAME}="aaaaaaaa\\000a"; coc_csrf="\\000"'},
    "broken cookies": {"Cookie": f'{settings.SESSION_COOKIE_NAME}="\\ud800\\377aaaaaaaa"; =;;a'},
    "language": {"Accept-Language": "de-\x00," + "x" * 3_000, "X-Request-Id": "a\x00"},
}


def admin_addresses() -> list[str]:
    """Return the addresses of the back office, with a key where one is."""
    names = ("admin:login", "admin:logout", "admin:jsi18n")
    found = [one for name, one in patterns() if name.startswith("admin:") and name not in names]
    paths = [re.sub(r"<[^>]+>", "1", _below_admin(one)) for one in found]
    return ["/admin/" + path for path in paths if "(" not in path]


def parameters() -> list[str]:
    """Return the names of all parameters that pages read of an address, as their code has them."""
    texts = [file.read_text(encoding="utf-8") for file in CONSOLE.rglob("*.py")]
    read = re.compile(r'(?:GET\.get(?:list)?\(|key_of\(request, )"([a-z_]+)"')
    fields = re.compile(r"^    ([a-z_]+) = (?:forms\.|_[A-Z]\w+\()", re.MULTILINE)
    return sorted({name for text in texts for one in (read, fields) for name in one.findall(text)})


def addresses(objects: dict[str, Any]) -> list[str]:
    """Return addresses that are asked for by GET; in the long form all of them."""
    rows = [row for name, (row, _) in TABLE.items() if "POST " not in row and name != "logout"]
    return sampling.part([row.format(**objects) for row in rows] + admin_addresses(), one_in=ONE_IN)


def names_of(page: str, path: str) -> set[str]:
    """Return the parameters of the forms and links of a page that lead to the page itself."""
    reader = Reader(path)
    reader.feed(page)
    forms = [one for one in reader.forms if one.method == "get"]
    found = {name for form in forms for name in form.fields}
    for query in re.findall(r'href="[^"]*\?([^"]+)"', page):
        found |= {name for name, _ in parse_qsl(query.replace("&amp;", "&"))}
    return found


def ask(client: Client, path: str, **headers: str) -> int:
    """Request an address, read the whole answer, and undo its effects."""
    with fuzzing.undone():
        answer = client.get(path, headers=headers)
        text_of(answer)
    return int(answer.status_code)


def faults_among(asked: Iterable[tuple[str, int]]) -> dict[str, int]:
    return {path[:200]: code for path, code in asked if code >= 500 and "/readyz" not in path}


def hostile(admin: Client, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Ask for each address with every parameter hostile, and with each one that it shows."""
    everything, parts = parameters(), list(PARTS.values())
    assert {"q", "cursor", "holds", "site", "state", "sku"} <= set(everything)
    for path in paths:
        shown = admin.get(path)
        page = text_of(shown) if is_page(shown) else ""
        for turn in range(2):
            values = {name: parts[(at + turn) % len(parts)] for at, name in enumerate(everything)}
            query = "&".join(f"{name}={part}" for name, part in values.items())
            yield f"{path}?{query}&%00=%00", ask(admin, f"{path}?{query}&%00=%00")
        for at, name in enumerate(sorted(names_of(page, path))):
            for part in ("%00", parts[at % len(parts)]):
                yield f"{path}?{name}={part}", ask(admin, f"{path}?{name}={part}")


def test_no_query_breaks_an_address(objects: dict[str, Any]) -> None:
    admin = person("administrator")
    asked = list(hostile(admin, addresses(objects)))
    assert faults_among(asked) == {}
    assert len(asked) > sampling.short_or_long(400 // ONE_IN, 400)


def test_a_search_for_what_cannot_be_stored_finds_nothing(objects: dict[str, Any]) -> None:
    admin = person("administrator")
    for path, words in (
        ("/orders/?customer=a%00", "No order matches"),
        ("/inventory/?sku=a%00", "No SKU matches"),
        ("/settings/people/?q=a%00", "No person matches"),
    ):
        page = text_of(admin.get(path))
        assert words in page, path
        assert 'value="a\ufffd"' in page, path


def test_no_header_breaks_an_address(objects: dict[str, Any]) -> None:
    admin, stranger = person("administrator"), Client(raise_request_exception=False)
    asked = [
        (f"{name}: {path}", ask(client, path, **headers))
        for path in addresses(objects)
        for name, headers in HEADERS.items()
        for client in (admin, stranger)
    ]
    assert faults_among(asked) == {}
    assert len(asked) > sampling.short_or_long(1_000 // ONE_IN, 1_000)


def test_no_part_of_a_path_breaks_an_address(objects: dict[str, Any]) -> None:
    admin = person("administrator")
    asked = []
    for name, pattern in patterns():
        route = str(pattern.pattern)
        if ":" in name or not re.search(r"<(str:)?\w+>", route):
            continue
        for part in PARTS.values():
            path = "/" + re.sub(r"<int:\w+>", "1", route)
            path = re.sub(r"<uuid:\w+>", "0" * 8 + "-0000-0000-0000-" + "0" * 12, path)
            path = re.sub(r"<(str:)?\w+>", part.replace("/", "%2f"), path)
            asked.append((path, ask(admin, path)))
    assert faults_among(asked) == {}
    assert {code for _, code in asked} <= {200, 400, 404, 405}
    assert len(asked) > 50


def test_no_header_breaks_the_api(objects: dict[str, Any]) -> None:
    api = api_for(Site.objects.get(pk="NorthShop"), *TokenScope.values)
    rows = [row for row, _ in API_TABLE.values() if " " not in row]
    for path in (row.format(**objects) for row in sampling.part(rows, one_in=3)):
        asked = [api.get(path, **headers) for headers in HEADERS.values()]
        for answer in asked:
            assert answer.status_code < 500, path
            if answer.status_code >= 400:
                assert answer["Content-Type"] == PROBLEM


@pytest.mark.parametrize("levels", [65, 480, 900, 9_000])
def test_no_depth_of_json_breaks_the_api(objects: dict[str, Any], levels: int) -> None:
    api = api_for(Site.objects.get(pk="NorthShop"), *TokenScope.values)
    before = fuzzing.rows()
    order = f"sites/NorthShop/orders/{objects['order_no']}"
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        deep = opening * levels + b"1" + closing * levels
        for body in (deep, b'{"orderNo":"1","c_x":' + deep + b"}"):
            for answer in (
                api.post("sites/NorthShop/orders", body),
                api.patch(order, body),
                api.post(f"{order}/cancel", body),
                api.post("reconciliation/runs", body),
            ):
                assert answer.status_code == 400
                assert answer.json()["problems"] == [
                    {
                        "field": "",
                        "message": "The JSON is nested too deeply: at most 64 levels.",
                    }
                ]
    assert fuzzing.rows() == before


def unstorable(form: Form) -> Iterator[dict[str, Any]]:
    """Yield the fields of a form with a NUL in the first, in the last, or in a name."""
    shown = {name: [one for one in offered if one] for name, offered in form.fields.items()}
    fields = {name or "q": real[0] if real else "x" for name, real in shown.items()} or {"q": "x"}
    yield fields | {min(fields): "a\x00b"}
    yield fields | {max(fields): "\x00"}
    yield fields | {"a\x00": "1"}


def test_no_form_takes_what_cannot_be_stored(objects: dict[str, Any]) -> None:
    admin = person("administrator")
    forms = [form for form in forms_of(admin, objects) if form.method == "post"]
    forms = sampling.part(forms, one_in=ONE_IN)
    before, taken = fuzzing.rows(), 0
    for form in forms:
        for values in unstorable(form):
            answer = admin.post(form.action, values)
            assert answer.status_code in (400, 405), form.action
            assert b"Nothing was changed" in answer.content or answer.status_code == 405
            taken += answer.status_code == 400
    assert taken > sampling.short_or_long(100 // ONE_IN, 100)
    assert fuzzing.rows() == before


@pytest.mark.parametrize("charset", ["utf-7", "hex", "unicode_escape", "latin-1", "nonsense"])
def test_a_form_in_another_encoding_is_refused(objects: dict[str, Any], charset: str) -> None:
    admin = person("administrator")
    body = b"--x\r\nContent-Disposition: form-data; name=q\r\n\r\n+2AA-\\ud800\r\n--x--\r\n"
    for kind in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        for path in ("/desk/assign/", "/me/", "/settings/sites/new/"):
            answer = admin.generic("POST", path, body, content_type=f"{kind}; charset={charset}")
            assert answer.status_code == 400
            assert "Nothing was changed" in answer.content.decode()


def test_the_log_keeps_what_was_asked_as_far_as_it_can_be_stored(objects: dict[str, Any]) -> None:
    admin = person("administrator")
    for form in ("csv", "xlsx"):
        answer = admin.get(f"/orders/export.{form}?x=%00&%00=1&customer=a%00")
        assert answer.status_code == 200
        text_of(answer)
    exports = AuditEntry.objects.filter(action="orders.exported").values_list("detail", flat=True)
    assert list(exports) == [{"x": "\ufffd", "\ufffd": "1", "customer": "a\ufffd"}] * 2
    entry = audit.record(
        request=answer.wsgi_request,
        action="a",
        target="b\x00",
        reason="\ud800",
        detail={"c\x00": ["\udfff", {"d": "\x00"}]},
    )
    kept = AuditEntry.objects.get(pk=entry.pk)
    assert (kept.target, kept.reason) == ("b\ufffd", "\ufffd")
    assert kept.detail == {"c\ufffd": ["\ufffd", {"d": "\ufffd"}]}


@pytest.mark.parametrize("was", ["[" * 5_000, '{"a":' * 900 + "1" + "}" * 900, '{"b":["\\ud800"]}'])
def test_what_an_author_saw_can_be_anything(was: str) -> None:
    form = EditForm({"was": was}, seen={})
    assert form.is_valid()
    assert form.was_texts == {}
    half = EditForm({"was": '{"a":"\\ud800\\u0000"}'}, seen={})
    assert half.is_valid()
    assert half.was_texts == {"a": "\ufffd\ufffd"}


def answer_of(path: str, **environ: str) -> tuple[str, str]:
    """Ask the application that is served; return status and body. Nothing answers before it."""
    told: list[str] = []
    query = {"PATH_INFO": path.partition("?")[0], "QUERY_STRING": path.partition("?")[2]}
    asked = {
        "REQUEST_METHOD": "GET",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
    }
    body = application(asked | query | environ, lambda status, *_: told.append(status))
    return told[0], b"".join(body).decode()


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain; charset=hex",
        "text/plain; charset=utf-7",
        "text/plain; charset=unicode_escape",
        "text/plain; charset=nonsense",
        "text/plain; charset*=bogus''x",
        'text/plain; charset="a\x00b"',
        "a; charset*=hex''%20",
    ],
)
def test_no_kind_of_content_breaks_the_way_in(objects: dict[str, Any], kind: str) -> None:
    """In some of these encodings the query is half of a surrogate pair, others do not exist."""
    for path in ("/login/?next=%2B2AA-%5Cud800", "/api/v1/docs?x=%2B2AA-"):
        assert answer_of(path, CONTENT_TYPE=kind)[0] == "200 OK"
    status, body = answer_of("/api/v1/status?site=%2B2AA-", CONTENT_TYPE=kind)
    assert (status, json.loads(body)["type"]) == ("401 Unauthorized", "token-required")
