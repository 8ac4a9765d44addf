"""Reasons are codes with data: written in English, read in German, never parsed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

import reconciliation.reasons
from orders import reasons
from orders.actors import Actor, job, person
from orders.events import record
from orders.migrations._sentences import encode, parts_of
from orders.models import EventKind, InventoryList, Order, OrderEvent, Site
from orders.reasons import Reason, codes_of, columns, join, read, restored, say
from reconciliation import connection
from reconciliation.models import CallHealth, CallKind, Connection, ConnectionChange
from reconciliation.oci.errors import OciNoAnswer
from tests.sources import ROOT

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
# Where sentences are made that workers, the API and monitors write down.
SOURCES = (
    "orders/capture/caps.py",
    "orders/capture/rows.py",
    "orders/outcomes.py",
    "reconciliation/reservation/placement.py",
    "reconciliation/reservation/release.py",
    "reconciliation/maintenance/retention.py",
    "reconciliation/maintenance/sweep.py",
    "reconciliation/connection/call_counts.py",
    "reconciliation/connection/forced.py",
    "reconciliation/connection/outage_rows.py",
    "reconciliation/connection/transitions.py",
    "reconciliation/monitor/recovery.py",
    "reconciliation/outages/planned.py",
    "reconciliation/reservation/send.py",
    "reconciliation/reservation/apply.py",
    "reconciliation/reservation/results.py",
    "reconciliation/reservation/documents.py",
    "reconciliation/oci/answers.py",
    "reconciliation/oci/client.py",
    "reconciliation/oci/documents.py",
    "reconciliation/oci/errors.py",
    "reconciliation/oci/jsontext.py",
    "reconciliation/oci/records.py",
    "reconciliation/oci/transport.py",
)
# For callers and people who are there, and written down nowhere.
NOT_WRITTEN = {
    "Say why: the reason is shown to everyone who works with this outage.",
    "The quantity of a line is at least 0.001.",
    "A document names each SKU of a place once; use sum_lines first.",
    "A document takes 1 to X lines, not X.",
    "The quantity of a record is at least 0.001.",
    "A call takes 1 to X records, not X.",
}


def code_of(kept: str, stored: Any) -> str:
    """Return the first code of a stored reason that belongs to its text."""
    assert in_german(kept, stored) != kept
    return str(stored["parts"][0]["code"])


def in_german(kept: str, stored: object) -> str:
    with translation.override("de"):
        return read(kept, stored)


def test_a_reason_is_its_english_sentence_and_knows_its_code() -> None:
    reason = say("site_takes_none", site="shop.de")
    assert reason == "Site shop.de does not accept orders without a reservation."
    assert isinstance(reason, str)
    written = columns("reason", reason, limit=500)
    assert written["reason"] == reason
    german = "Der Shop shop.de nimmt keine Bestellungen ohne Reservierung an."
    assert in_german(written["reason"], written["reason_codes"]) == german
    assert code_of(reason, written["reason_codes"]) == "site_takes_none"


def test_the_words_of_people_have_no_code_even_if_they_are_ours() -> None:
    written = columns("reason", "OCI answers again.", limit=500)
    assert written == {"reason": "OCI answers again.", "reason_codes": None}
    assert in_german("OCI answers again.", None) == "OCI answers again."


def test_reasons_are_joined_with_the_words_of_others() -> None:
    error = OciNoAnswer(
        operation="put", kind="malformed", status=200, detail=say("line_not_asked", what="MUG")
    )
    assert str(error) == (
        "OCI's answer could not be understood. It lists MUG, which was not requested. (HTTP 200)"
    )
    reason = join(error.reason, "", "No, really.")
    stored = codes_of(reason, kept=reason)
    assert in_german(reason, stored).startswith("Die Antwort von OCI war nicht zu verstehen. ")
    assert in_german(reason, stored).endswith(" (HTTP 200) No, really.")


def test_a_reason_that_was_cut_is_read_whole() -> None:
    reason = say("site_takes_none", site="x" * 40)
    written = columns("reason", reason, limit=20)
    assert written["reason"] == "Site xxxxxxxxxxxxxxx"
    assert in_german(written["reason"], written["reason_codes"]).endswith("Reservierung an.")


@pytest.mark.parametrize(
    "stored",
    [
        {"of": 1, "parts": [{"code": "nothing_waits"}]},
        {"parts": []},
        [],
        "x",
        {"of": codes_of(say("reserved"), kept="Old.")["of"], "parts": [{"code": "newer"}]},  # type: ignore[index]
    ],
)
def test_codes_of_another_text_or_of_a_newer_release_are_left_alone(stored: object) -> None:
    """The version before writes a text and leaves the codes of the one before it."""
    assert in_german("Old.", stored) == "Old."


def test_a_stored_reason_can_be_written_down_again() -> None:
    reason = say("had_too_few", held="1", sku="MUG", needed="2")
    again = restored(reason, codes_of(reason, kept=reason))
    assert isinstance(again, Reason)
    assert codes_of(again, kept=reason) == codes_of(reason, kept=reason)
    assert not isinstance(restored("Words.", None), Reason)


def test_each_code_has_its_german() -> None:
    assert reconciliation.reasons.say is say
    with translation.override("de"):
        same = [
            code
            for code, sentence in reasons.codes().items()
            if translation.gettext(sentence) == sentence and code != "http_status"
        ]
    assert same == []


@pytest.mark.django_db
def test_what_jobs_write_down_has_codes_and_what_people_write_has_none() -> None:
    stock = InventoryList.objects.create(pk="shop")
    site = Site.objects.create(pk="shop", inventory_list=stock)
    order = Order.objects.create(
        site=site,
        order_no="1",
        status="new",
        captured_at=NOW,
        currency="EUR",
        order_total=1,
        payload_hash="x",
    )

    def event(actor: Actor, reason: str) -> OrderEvent:
        kind = EventKind.SETTLED
        return record(order=order, kind=kind, actor=actor, reason=reason, now=NOW)

    made = event(job("worker"), say("reserved"))
    made.refresh_from_db()
    assert in_german(made.reason, made.reason_codes) == "OCI hat die Reservierung beantwortet."
    assert event(person("mia"), "OCI answered the reservation.").reason_codes is None

    connection.note_good(NOW - timedelta(minutes=1))
    CallHealth.objects.update_or_create(
        pk=CallKind.RESERVE,
        defaults={"failures": 9, "unanswered": 9, "unanswered_since": NOW - timedelta(seconds=9)},
    )
    assert connection.lose_if_unanswered(NOW)
    change = ConnectionChange.objects.get()
    assert code_of(change.reason, change.reason_codes) == "unanswered_calls"
    row = Connection.objects.get()
    assert code_of(row.reason, row.reason_codes) == "unanswered_calls"
    connection.force_offline(actor=person("mia"), reason="Game day.", now=NOW)
    row.refresh_from_db()
    assert (row.reason, row.reason_codes) == ("Game day.", None)


@pytest.mark.parametrize(
    ("stored", "german"),
    [
        ("OCI answered the reservation.", "OCI hat die Reservierung beantwortet."),
        (
            "OCI answered with a server error. (HTTP 503)",
            "OCI hat mit einem Serverfehler geantwortet. (HTTP 503)",
        ),
        (
            "OCI did not answer in time."
            " Site shop.de does not accept orders without a reservation.",
            "OCI hat nicht rechtzeitig geantwortet. Der Shop shop.de nimmt keine Bestellungen ohne"
            " Reservierung an.",
        ),
        (
            "OCI's answer could not be understood. It lists 1.5 of MUG of web; 1 was asked for."
            " (HTTP 200)",
            "Die Antwort von OCI war nicht zu verstehen. Sie nennt 1.5 von MUG of web; angefragt"
            " war 1. (HTTP 200)",
        ),
        (
            "OCI refuses our credentials (HTTP 403). OCI answered the reservation, they say.",
            "OCI weist unsere Zugangsdaten ab (HTTP 403). OCI answered the reservation, they say.",
        ),
        (
            "OCI lists MUG of web 2 times; the quantities are added.; OCI says success and lists"
            " nothing.",
            "OCI nennt MUG of web 2-mal; die Mengen werden zusammengezählt. OCI meldet Erfolg und"
            " nennt nichts.",
        ),
        (
            "The connection to OCI is forced offline.",
            "Die Verbindung zu OCI ist von Hand offline gestellt.",
        ),
        ("The customer asked. OCI answers again.", "The customer asked. OCI answers again."),
        ("100 % of it %(x)s.", "100 % of it %(x)s."),
    ],
)
@pytest.mark.django_db
def test_stored_sentences_get_their_codes_once(stored: str, german: str) -> None:
    made = ConnectionChange.objects.create(
        at=NOW, old_state="ONLINE", new_state="OFFLINE", actor="connection", reason=stored
    )
    for _ in range(2):  # Interrupted and run again.
        encode(ConnectionChange, "reason", alias="default")
        made.refresh_from_db()
        assert made.reason == stored
        assert in_german(made.reason, made.reason_codes) == german
    assert (made.reason_codes is None) == (stored == german)


@pytest.mark.django_db
def test_many_stored_sentences_are_encoded_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders.migrations._sentences.CHUNK", 3)
    texts = ["OCI answers again.", "Mia came.", "Nothing waits for a reservation any more.", ""]
    ConnectionChange.objects.bulk_create(
        ConnectionChange(
            at=NOW, old_state="ONLINE", new_state="OFFLINE", actor="x", reason=texts[number % 4]
        )
        for number in range(17)
    )
    encode(ConnectionChange, "reason", alias="default")
    found = ConnectionChange.objects.filter(reason_codes__isnull=False)
    assert found.count() == 9
    assert {code_of(one.reason, one.reason_codes) for one in found} == {
        "oci_answers_again",
        "nothing_waits",
    }


def test_the_sentences_of_the_migration_are_those_that_were_stored() -> None:
    assert parts_of("Stock was taken off ATO.") == [{"code": "stock_taken"}]
    assert parts_of("") is None


def _text(node: ast.expr) -> str:
    """Return a literal's text with X for each value; nothing for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            _text(part) if isinstance(part, ast.Constant) else "X" for part in node.values
        )
    return ""


def _sentences(source: Path) -> Iterator[str]:
    """Yield whole sentences among the literals of a file, but docstrings, logs and translations."""
    tree = ast.parse(source.read_text())
    left_out: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            left_out.update(id(part) for part in node.values)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name == "_" or name.startswith("logger."):
                left_out.update(id(part) for part in ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and id(node) not in left_out:
            text = _text(node).strip()
            if text.endswith((".", ". X")) and " " in text and text[:1].isupper():
                yield text.removesuffix(" X")


@pytest.mark.parametrize("source", SOURCES)
def test_no_sentence_is_written_down_without_a_code(source: str) -> None:
    assert set(_sentences(ROOT / source)) - NOT_WRITTEN == set()


def test_sentences_are_found_in_the_sources() -> None:
    found = set(_sentences(ROOT / "reconciliation/connection/forced.py"))
    assert found == {"Say why: the reason is shown to everyone who works with this outage."}
