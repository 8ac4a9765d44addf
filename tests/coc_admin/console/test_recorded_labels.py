"""What the product recorded in English, told in German; and that no sentence of it is forgotten."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from coc_admin.console.recorded_labels import in_readers_language

ROOT = Path(__file__).parents[3]
# Where sentences are made that workers, the API and monitors record.
SOURCES = (
    "orders/capture.py",
    "orders/outcomes.py",
    "reconciliation/reservation/placement.py",
    "reconciliation/reservation/release.py",
    "reconciliation/maintenance/retention.py",
    "reconciliation/maintenance/sweep.py",
    "reconciliation/connection/call_counts.py",
    "reconciliation/connection/transitions.py",
    "reconciliation/monitor/recovery.py",
    "reconciliation/reservation/send.py",
    "reconciliation/reservation/apply.py",
    "reconciliation/reservation/results.py",
    "reconciliation/reservation/documents.py",
    "reconciliation/oci/answers.py",
    "reconciliation/oci/client.py",
    "reconciliation/oci/documents.py",
    "reconciliation/oci/errors.py",
    "reconciliation/oci/jsontext.py",
)
# Refused before anything is recorded, or put together of sentences that are known one by one.
NOT_RECORDED = {
    "Say why: the reason is shown to everyone who works with this outage.",
    "The quantity of a line is at least 0.001.",
    "A document names each SKU of a place once; use sum_lines first.",
    "A document takes 1 to X lines, not X.",
    "The connection to OCI is X.",
    "X Site X does not accept orders without a reservation.",
    "X Site X does not accept orders without a reservation. Nothing was stored; try again later.",
    "X; X was asked for.",
    "OCI refuses X (HTTP X).",
}


def test_english_stays_as_it_is() -> None:
    text = "OCI answered with a server error. (HTTP 503) Site shop-us does not accept orders"
    with translation.override("en"):
        assert in_readers_language(text) == text


@pytest.mark.parametrize(
    ("recorded", "german"),
    [
        ("", ""),
        ("OCI answered the reservation.", "OCI hat die Reservierung beantwortet."),
        (
            "OCI answered with a server error. (HTTP 503)",
            "OCI hat mit einem Serverfehler geantwortet. (HTTP 503)",
        ),
        (
            "OCI did not answer in time."
            " Site shop.de does not accept orders without a reservation.",
            "OCI hat nicht rechtzeitig geantwortet. Die Site shop.de nimmt keine Bestellungen ohne"
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
            "OCI nennt MUG of web 2-mal; die Mengen werden zusammengezählt.; OCI meldet Erfolg und"
            " nennt nichts.",
        ),
        ("The connection to OCI is offline.", "Die Verbindung zu OCI ist offline."),
        (
            "The connection to OCI is forced offline.",
            "Die Verbindung zu OCI ist von Hand offline gestellt.",
        ),
        ("The customer asked. OCI answers again.", "The customer asked. OCI answers again."),
        ("100 % of it %(x)s.", "100 % of it %(x)s."),
    ],
)
def test_german_says_what_was_recorded(recorded: str, german: str) -> None:
    with translation.override("de"):
        assert in_readers_language(recorded) == german


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
def test_each_recorded_sentence_has_its_german(source: str) -> None:
    sentences = set(_sentences(ROOT / source)) - NOT_RECORDED
    with translation.override("de"):
        assert {text for text in sentences if in_readers_language(text) == text} == set()


def test_sentences_are_found_in_the_sources() -> None:
    assert "OCI answered the reservation." in set(
        _sentences(ROOT / "reconciliation/reservation/apply.py")
    )
    assert "OCI did not answer in time." in set(_sentences(ROOT / "reconciliation/oci/errors.py"))
