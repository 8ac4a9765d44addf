"""Every form of the console, filled with hostile values: refused calmly, and nothing reflected.

The forms are those that the pages of the table of addresses show, so a new page is in here by
itself. Values come from a seed; a failure names it.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from coc_admin.accounts.sign_in import counts
from coc_admin.models import AuditEntry
from tests import fuzzing, sampling
from tests.coc_admin.authorisation import TABLE
from tests.coc_admin.test_authorisation import objects, person

__all__ = ["objects"]

pytestmark = [pytest.mark.django_db, pytest.mark.fuzz]

SEED = int(os.environ.get("COC_FUZZ_SEED") or (time.time() if fuzzing.FACTOR else 1))
ROUNDS = max(1, fuzzing.FACTOR)
MARKS = ('<script>alert("hostile")</script>', '"><img src=hostile onerror=alert(1)>')
HOSTILE = [
    *MARKS,
    "' onmouseover='hostile",
    "{{ 7|add:7 }}{% debug %}",
    "",
    " ",
    "\x00",
    "a\r\nX-Evil: 1",
    "\u202eevil\u2028",
    "0",
    "-1",
    "1",
    "٣",
    "1.5",
    "9" * 30,
    "9" * 400,
    "NaN",
    "Infinity",
    "1e999",
    "true",
    "null",
    "on",
    "[]",
    '{"a":1}',
    "2026-02-30",
    "2026-02-02",
    "0001-01-01T00:00",
    "9999-12-31T23:59:59Z",
    "../../../etc/passwd",
    "//evil.example/",
    "https://evil.example/",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "http://169.254.169.254/",
    "%00%0a",
    "=HYPERLINK(1)",
    "'; DROP TABLE orders_order; --",
    "x" * 5_000,
    "\U0001f4a9" * 300,
    "NorthShop",
    "South Shop & Co",
    "MUG-01",
    "00000000-0000-0000-0000-000000000000",
]
FILES = [
    b"",
    b"\x00" * 50,
    b"sku,ato\nMUG-01,5\n",
    b"sku,ato\nMUG-01,=1+1\n",
    f"sku,ato,name\n{MARKS[0]},1,\nA,{MARKS[0]},\n".encode(),
    b"\xff\xfe" + "sku,ato".encode("utf-16-le"),
    b"PK\x03\x04" + b"\x00" * 100,
    b"\x1f\x8b" + b"\x00" * 100,
    b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><inventory>&c;</inventory>',
    b'{"a":' * 5_000,
]


@dataclass
class Form:
    """A form as a page shows it: where it goes, and what each field could hold."""

    page: str
    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        path = re.sub(r"[0-9a-f-]{36}|\d+", "N", urlsplit(self.action).path)
        return path, self.method, tuple(sorted({*self.fields, *self.files}))


class Reader(HTMLParser):
    """Collects the forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.forms: list[Form] = []
        self.open: Form | None = None
        self.select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        name = values.get("name", "")
        if tag == "form":
            action = urljoin(self.page, values.get("action", "") or self.page)
            self.open = Form(self.page, action, values.get("method", "get").lower())
            self.forms.append(self.open)
        elif self.open is None:
            return
        elif tag == "option" and self.select:
            self.open.fields[self.select].append(values.get("value", ""))
        elif not name or name == "csrfmiddlewaretoken":
            return
        elif tag == "select":
            self.select = name
            self.open.fields.setdefault(name, [])
        elif values.get("type") == "file":
            self.open.files.add(name)
        elif tag in ("input", "textarea", "button"):
            self.open.fields.setdefault(name, []).append(values.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.open = None
        elif tag == "select":
            self.select = ""


def text_of(answer: Any) -> str:
    if getattr(answer, "streaming", False):
        return b"".join(answer.streaming_content).decode("utf-8", "replace")
    return str(answer.content.decode("utf-8", "replace"))


def is_page(answer: Any) -> bool:
    return str(answer.headers.get("Content-Type", "")).startswith("text/html")


@pytest.fixture
def admin(objects: dict[str, Any]) -> Client:
    return person("administrator")


def forms_of(admin: Client, objects: dict[str, Any]) -> list[Form]:
    """Return each form of the console once; each page can also be sent a form without fields."""
    found: dict[Any, Form] = {}
    for name, (row, _) in TABLE.items():
        if name in ("healthz", "readyz", "metrics", "logout"):
            continue
        method, address, *_ = row.split() if row.startswith("POST ") else ("GET", row)
        path = address.format(**objects)
        shown = [Form(path, path, "post", {"": []})]
        if method == "GET":
            answer = admin.get(path)
            text = text_of(answer)
            assert answer.status_code < 500, path
            if is_page(answer):
                reader = Reader(path)
                reader.feed(text)
                shown += reader.forms
        for form in shown:
            if urlsplit(form.action).path != "/logout/":
                found.setdefault(form.key, form)
    return list(found.values())


def filled(form: Form, chance: random.Random) -> dict[str, Any]:
    """Return the data to send: hostile values, and sometimes those that the page offers."""
    values: dict[str, Any] = {}
    for name, offered in form.fields.items():
        real = [value for value in offered if value] or [""]
        sent = [chance.choice(real if chance.random() < 0.4 else HOSTILE) for _ in range(3)]
        values[name or "q"] = sent if chance.random() < 0.1 else sent[0]
        if chance.random() < 0.1:
            del values[name or "q"]
    for name in form.files:
        values[name] = SimpleUploadedFile(
            chance.choice(["a.csv", "../b.csv.gz"]), chance.choice(FILES)
        )
    values[chance.choice(["__proto__", "pk", "next", "site"])] = chance.choice(HOSTILE)
    return values


def sent(admin: Client, form: Form, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Send the form and yield the answer; its effects are undone, in the session too."""
    session = admin.cookies[settings.SESSION_COOKIE_NAME].value
    counts.memory.clear()
    with fuzzing.undone():
        if form.method == "post":
            yield "POST", admin.post(form.action, values)
        else:
            yield "GET", admin.get(form.action, values)
    admin.cookies[settings.SESSION_COOKIE_NAME] = session


def leads_away(location: str) -> bool:
    parts = urlsplit(location)
    return bool(parts.scheme or parts.netloc) or location.startswith(("//", "/\\", "\\"))


def rows() -> dict[str, Any]:
    """Return every row but those that count and note wrong passwords, which a refusal writes."""
    found = fuzzing.rows()
    del found["coc_admin.SignInCount"]
    actions = [field.attname for field in AuditEntry._meta.concrete_fields].index("action")
    entries = found["coc_admin.AuditEntry"]
    found["coc_admin.AuditEntry"] = [
        row for row in entries if row[actions] not in ("session.refused", "user.password_refused")
    ]
    return found


def faults_of(method: str, answer: Any, before: Any) -> Iterator[str]:
    """Yield the faults of an answer."""
    text = text_of(answer)
    if answer.status_code >= 500:
        yield f"is answered with {answer.status_code}"
        return
    if is_page(answer) and any(mark in text for mark in MARKS):
        yield "reflects a script"
    if 300 <= answer.status_code < 400 and leads_away(answer["Location"]):
        yield f"leads to {answer['Location']}"
    if "X-Evil" in answer.headers:
        yield "lets a header in"
    refused = answer.status_code >= 400 or 'aria-invalid="true"' in text
    if (refused or method == "GET") and rows() != before:
        yield f"changes something, answered with {answer.status_code}"


def test_every_form_bears_every_value(admin: Client, objects: dict[str, Any]) -> None:
    forms = forms_of(admin, objects)
    assert len(forms) > 60
    assert sum(form.method == "get" for form in forms) > 5
    chance = random.Random(SEED)
    good = {"GET": 0, "POST": 0}
    faults: dict[str, str] = {}
    before = rows()
    for form in sampling.part(forms, one_in=1 if fuzzing.FACTOR else 3):
        for _ in range(ROUNDS):
            values = filled(form, chance)
            for method, answer in sent(admin, form, values):
                good[method] += answer.status_code < 400
                for fault in faults_of(method, answer, before):
                    told = f"{method} {form.action} of {form.page} {fault}"
                    faults.setdefault(told, f"seed {SEED}: {values!r:.1000}")
    assert faults == {}
    # Not everything was refused: some forms worked.
    assert min(good.values()) > (10 if sampling.LONG or fuzzing.FACTOR else 1)
