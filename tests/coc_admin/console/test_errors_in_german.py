"""Errors that workers store: English for files and the API, the reader's language on pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.utils import timezone

from orders.actors import person
from orders.models import CustomerMessage
from reconciliation.alerts.refresh import refresh_alerts
from reconciliation.maintenance import jobs
from reconciliation.models import Alert, ConnectionChange, JobKind, JobState, MaintenanceJob
from reconciliation.oci.errors import OciNoAnswer
from reconciliation.outages import planned
from tests.coc_admin.console.desk.test_decisions import decide, form_of
from tests.coc_admin.console.scene import NOW, Scene, make_user
from tests.factories import Clock
from tests.reconciliation.alerts.channels.test_delivery import deliver, lost, make_channel

GONE = "Der Worker wurde angehalten, bevor der Vorgang fertig war. Starten Sie den Vorgang erneut."
UNREACHED = "Der E-Mail-Server war nicht erreichbar."


def german(client: Client, path: str) -> str:
    return client.get(path, headers={"Accept-Language": "de"}).content.decode()


class Unreachable(EmailBackend):
    """An e-mail server that is away."""

    def send_messages(self, messages: Any) -> int:
        raise ConnectionRefusedError


@pytest.fixture
def no_server(settings: Any) -> None:
    settings.EMAIL_BACKEND = f"{Unreachable.__module__}.{Unreachable.__qualname__}"


def job(**more: Any) -> MaintenanceJob:
    values = {"kind": JobKind.AUDIT, "actor_kind": "person", "actor": "otto", "created_at": NOW}
    return MaintenanceJob.objects.create(**values | more)


def test_error_of_an_abandoned_job_and_of_one_that_failed(
    client: Client, outage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(make_user("anna", "orders.change_site"))
    dead = job(state=JobState.RUNNING, started_at=NOW)
    jobs.tend(NOW + timedelta(hours=2))
    dead.refresh_from_db()
    assert dead.error == "The worker was stopped before the job was finished. Start the job again."
    assert GONE in german(client, "/settings/maintenance/audit/")

    def fails(*_: Any) -> Any:
        raise OciNoAnswer(operation="export", kind="timeout")

    monkeypatch.setattr("reconciliation.maintenance.job_kinds.work_of", lambda kind: fails)
    failed = job()
    jobs.work(failed.pk, clock=timezone.now)
    failed.refresh_from_db()
    assert failed.error == "OCI did not answer in time."
    assert "OCI hat nicht rechtzeitig geantwortet." in german(
        client, "/settings/maintenance/audit/"
    )


def test_error_of_a_message_to_a_customer(
    merchandiser: Client, outage: Scene, no_server: None
) -> None:
    order = outage.partial
    answer = decide(merchandiser, order, form_of(merchandiser, order, "cancel_items"))
    message = CustomerMessage.objects.get()
    assert message.email_error == "The e-mail server could not be reached."
    for path in (f"/orders/{order.pk}/", answer["Location"]):
        assert "The e-mail server could not be reached." in merchandiser.get(path).content.decode()
        assert UNREACHED in german(merchandiser, path)


def test_error_of_a_channel_its_deliveries_and_its_alert(
    operator: Client, outage: Scene, no_server: None
) -> None:
    clock = Clock()
    channel = make_channel("email", "ops@example.test", name="Ops")
    lost(clock)
    for _ in range(3):
        deliver(clock)
        clock.go(600)
    channel.refresh_from_db()
    assert channel.last_error == "The e-mail server could not be reached."
    refresh_alerts(timezone.now())
    alert = Alert.objects.get(descriptor="channel_failing")
    assert "The e-mail server could not be reached." in alert.message
    for path in ("/alerts/channels/", f"/alerts/channels/{channel.pk}/", f"/alerts/{alert.pk}/"):
        text = german(operator, path)
        assert UNREACHED in text, path
        assert channel.last_error not in text, path
    page = operator.post(f"/alerts/channels/{channel.pk}/test/", follow=True)
    assert "The test was not sent. The e-mail server could" in page.content.decode()


def test_names_of_jobs_in_histories(operator: Client, outage: Scene) -> None:
    now = timezone.now()
    found = planned.plan(
        starts_at=now,
        ends_at=now + timedelta(hours=1),
        owner="Ops",
        note="Update",
        actor=person("monitor"),
        now=now,
    )
    planned.keep_times(now)
    change = ConnectionChange.objects.latest("pk")
    assert change.actor == f"planned outage {found.pk}"
    for path in (f"/outages/{change.outage_id}/", "/settings/oci/"):
        assert f"planned outage {found.pk}" in operator.get(path).content.decode(), path
        text = german(operator, path)
        assert f"geplanter Ausfall {found.pk}" in text, path
        assert change.actor not in text, path
    # A person may have the name of a job.
    planned.release(actor=person("sweep"), reason="Done.", now=now)
    assert "sweep" in german(operator, f"/outages/{change.outage_id}/")
