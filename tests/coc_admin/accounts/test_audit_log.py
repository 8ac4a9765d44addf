"""The audit log: appended in the transaction of the change, never changed, without secrets."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.test import RequestFactory

from coc_admin import logs
from coc_admin.accounts import audit_log
from coc_admin.console import audit
from coc_admin.models import AuditEntry
from reconciliation.maintenance import retention
from tests.coc_admin.console import scene

pytestmark = pytest.mark.django_db


def request_of(name: str = "") -> Any:
    request = RequestFactory().get("/")
    request.user = scene.make_user(name) if name else AnonymousUser()
    return request


def test_entry_says_who_what_and_in_which_request() -> None:
    token = logs.request_id.set("request-12345678")
    try:
        audit.record(
            request=request_of("mia"), action="site.changed", target="site:shop", reason="why"
        )
    finally:
        logs.request_id.reset(token)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target, entry.reason, entry.request_id) == (
        "mia",
        "site.changed",
        "site:shop",
        "why",
        "request-12345678",
    )
    assert entry.detail == {}


def test_nobody_signed_in_is_nobody() -> None:
    assert audit.record(request=request_of(), action="x", target="y").actor == ""


def test_detail_becomes_json_and_secrets_are_hidden() -> None:
    detail = {
        "password": "hunter2",
        "client_secret": {"before": "a", "after": "b"},
        "changes": {"token_hash": "abc", "at": datetime(2026, 2, 2, 12, tzinfo=UTC)},
        "day": date(2026, 2, 2),
        "value": Decimal("12.500"),
        "sites": {"b", "a"},
        "long": "x" * 5000,
        "number": 3,
        "none": None,
    }
    audit.record(request=request_of("mia"), action="x", target="y", detail=detail)
    kept = AuditEntry.objects.get().detail
    assert kept == {
        "password": "(hidden)",
        "client_secret": "(hidden)",
        "changes": {"token_hash": "(hidden)", "at": "2026-02-02T12:00:00.000Z"},
        "day": "2026-02-02",
        "value": "12.5",
        "sites": ["a", "b"],
        "long": "x" * 1000,
        "number": 3,
        "none": None,
    }


def test_entry_goes_with_a_change_that_fails() -> None:
    @transaction.atomic
    def change() -> None:
        audit.record(request=request_of("mia"), action="x", target="y")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    assert not AuditEntry.objects.exists()


def test_entries_are_neither_changed_nor_deleted() -> None:
    entry = audit.record(request=request_of("mia"), action="x", target="y")
    entry.actor = "somebody else"
    for act in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(actor="z"),
    ):
        with pytest.raises(TypeError):
            act()
    assert AuditEntry.objects.get().actor == "mia"


def test_only_what_differs_is_a_change() -> None:
    before, after = {"a": 1, "b": 2}, {"a": 1, "b": 3, "c": None}
    assert audit_log.changed(before, after) == {"b": {"before": 2, "after": 3}}


def test_old_entries_go_when_retention_is_on(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for days in (1, 9, 10, 11, 30):
        AuditEntry.objects.create(at=now - timedelta(days=days), action=f"{days}", target="x")

    def left() -> list[str]:
        return list(AuditEntry.objects.values_list("action", flat=True))

    assert retention.apply(now=now).more is False
    assert left() == ["1", "9", "10", "11", "30"]
    settings.COC_RETAIN_AUDIT_DAYS = 10
    assert retention.is_wanted() is True
    monkeypatch.setattr(audit_log, "_MOST_FORGOTTEN", 1)
    assert retention.apply(now=now).more is True
    assert left() == ["1", "9", "10", "11"]
    assert retention.apply(now=now).more is True
    assert retention.apply(now=now).more is False
    assert left() == ["1", "9", "10"]
    with pytest.raises(TypeError):
        AuditEntry.objects.all().delete()
