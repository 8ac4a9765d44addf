"""An upgrade gives each snooze to the person who set it."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection

from orders.actors import person
from reconciliation.alerts.lifecycle import record
from reconciliation.models import Alert, AlertEventKind, AlertSnooze, Priority
from tests.alerts import raise_alert
from tests.factories import START

pytestmark = pytest.mark.django_db
UNTIL = START + timedelta(hours=1)
MIGRATION = import_module("reconciliation.migrations.0023_snoozes_of_people")


def snoozed_for_all(descriptor: str, by: str) -> Alert:
    """Snooze an alert as the version before did."""
    alert = raise_alert(descriptor=descriptor, priority=Priority.WARN, message=".", now=START)
    record(alert=alert, kind=AlertEventKind.SNOOZED, actor=person(by), now=START)
    Alert.objects.filter(pk=alert.pk).update(handling="snoozed", snoozed_until=UNTIL)
    return alert


def test_a_snooze_becomes_the_person_s_and_without_one_it_ends() -> None:
    mia = User.objects.create(username="mia")
    hers = snoozed_for_all("oci_offline", "mia")
    snoozed_for_all("needs_review", "somebody who is gone")
    for _ in range(2):
        MIGRATION.give_to_people(apps, SimpleNamespace(connection=connection))
    rows = AlertSnooze.objects.values_list("alert", "user", "turn", "until")
    assert list(rows) == [(hers.pk, mia.pk, hers.turn, UNTIL)]
    assert set(Alert.objects.values_list("handling", "snoozed_until")) == {("", None)}
