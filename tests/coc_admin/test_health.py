"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from coc_admin import health
from coc_admin.web_server.contact import contact
from reconciliation import tasks
from reconciliation.queue import heartbeats
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import ConnectionState


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health._Seen, "migrated", False)


@pytest.fixture
def without_database(monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise OperationalError("could not connect to server db.internal")

    monkeypatch.setattr("django.db.backends.utils.CursorWrapper.execute", refuse)
    yield
    monkeypatch.undo()


def test_alive_asks_no_database(client: Client) -> None:
    # No database is allowed in this test.
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer["Cache-Control"]


def beat(seconds_ago: float = 0) -> None:
    now = timezone.now() - timedelta(seconds=seconds_ago)
    heartbeats.beat(component=heartbeats.WORKER, instance="w", now=now)


def test_ready(db: None, client: Client) -> None:
    beat()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "status": "ok",
            "missing": [],
            "checks": {"database": "ok", "migrations": "ok", "worker": "ok"},
        },
    )


def test_ready_is_cheap_once_the_migrations_were_seen(
    db: None, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    beat()
    client.get("/readyz")
    with django_assert_max_num_queries(2):
        assert client.get("/readyz").status_code == 200


def test_not_ready_without_a_worker(db: None, client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["worker"]
    assert "never" in answer.json()["checks"]["worker"]

    beat(seconds_ago=100)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["worker"] == "silent for 100 s"


def test_a_worker_without_our_supervisor_is_ready_by_its_sweep(db: None, client: Client) -> None:
    tasks.sweep()
    assert client.get("/readyz").status_code == 200


def test_not_ready_before_the_migrations(
    db: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat()
    monkeypatch.setattr(
        "coc_admin.health.MigrationExecutor.migration_plan", lambda *_: [("orders.0003", False)]
    )
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["migrations", "worker"]
    assert answer.json()["checks"]["migrations"] == "1 not applied: run manage.py migrate"


def test_not_ready_without_a_database(without_database: None, client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["database", "migrations", "worker"]
    assert b"db.internal" not in answer.content


def samples(client: Client) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_metrics_of_an_outage(db: None, client: Client) -> None:
    scene.build_scene()
    scene.set_connection(ConnectionState.OFFLINE)
    beat(seconds_ago=30)

    found = samples(client)

    assert found['coc_connection_state{state="OFFLINE"}'] == 1
    assert found['coc_connection_state{state="ONLINE"}'] == 0
    assert found["coc_outages"] == 1
    assert found["coc_outage_open"] == 1
    assert found["coc_outage_seconds"] > 0
    assert found["coc_orders_waiting"] == 1
    assert found["coc_units_waiting"] == 3
    assert found["coc_oldest_waiting_order_seconds"] > 0
    assert found["coc_orders_needing_review"] == 1
    assert found["coc_orders_oversold"] == 2
    assert found['coc_alerts_open{priority="ACTION"}'] == 1
    assert found['coc_alerts_open{priority="WARN"}'] == 0
    assert found['coc_alerts_open{priority="INFO"}'] == 1
    assert 30 <= found['coc_heartbeat_age_seconds{component="worker"}'] < 60
    assert found["coc_queue_tasks"] == 0
    assert found["coc_reports_to_merge"] == 0


def test_metrics_name_nobody_and_nothing(db: None, client: Client) -> None:
    scene.build_scene()
    text = client.get("/metrics").content.decode()
    for name in ("NorthShop", "Ada", "mia", "MUG", "0000012340", "example.test"):
        assert name not in text
    # What scrapers read: a name, maybe labels, a number.
    for line in text.splitlines():
        assert re.match(r'(# (HELP|TYPE) )?coc_[a-z_]+(\{\w+="\w+"\})? .+', line)


def test_metrics_of_an_empty_shop(db: None, client: Client) -> None:
    found = samples(client)
    assert found["coc_orders_waiting"] == 0
    assert found['coc_connection_state{state="ONLINE"}'] == 1
    assert found['coc_oci_calls_lost{kind="reserve"}'] == 0
    assert not [name for name in found if name.startswith("coc_heartbeat")]


def test_metrics_without_a_database(without_database: None, client: Client) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 503
    assert b"db.internal" not in answer.content


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_they_only_answer_to_reading(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405


def test_ready_without_the_console_process(
    db: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders are accepted without it, so senders should continue; the answer names the fault."""
    beat()
    monkeypatch.setattr(contact, "is_kept", True)
    monkeypatch.setattr(contact, "heard_at", 0.0)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer.json()["checks"]["console"] == "has not answered yet"
    monkeypatch.setattr(contact, "heard_at", time.monotonic() - 60)
    told = client.get("/readyz").json()["checks"]["console"]
    assert told == "does not answer for 60 s; orders are taken all the same"
    monkeypatch.setattr(contact, "heard_at", time.monotonic())
    assert client.get("/readyz").json()["checks"]["console"] == "ok"
