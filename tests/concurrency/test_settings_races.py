"""People who change the settings at the same moment, on PostgreSQL.

Each guard has a control: the same race with the guard taken away, which must go wrong.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.utils import timezone
from django_q.models import Schedule

from coc_admin import edits, interval_changes, sites
from coc_admin.accounts import people
from coc_admin.accounts.roles import make_roles
from coc_admin.edits import ChangeRefused, EditedMeanwhile
from coc_admin.models import AuditEntry
from orders.actors import person
from orders.models import Site
from reconciliation.maintenance import schedules
from reconciliation.models import IntervalSetting
from tests.concurrency.together import Meeting, at_once
from tests.factories import make_site

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

EDITORS = 6


def edit(number: int) -> str:
    try:
        sites.change_site(
            site_id="shop",
            was={"name": ""},
            values={"name": f"by {number}"},
            confirmed=False,
            actor=person(f"editor{number}"),
            reason="",
            now=timezone.now(),
        )
    except EditedMeanwhile:
        return "lost"
    return "won"


def test_of_many_editors_one_wins() -> None:
    make_site()
    assert at_once(EDITORS, edit) == ["lost"] * (EDITORS - 1) + ["won"]
    entry = AuditEntry.objects.get()
    assert entry.detail["name"]["after"] == Site.objects.get(pk="shop").name


def test_without_the_comparison_the_last_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    def blindly(rows: Any, *, was: Any, values: Any) -> dict[str, object]:
        rows.update(**values)
        return dict(values)

    make_site()
    monkeypatch.setattr(sites, "update_as_seen", blindly)
    assert edits.update_as_seen is not blindly
    assert at_once(EDITORS, edit) == ["won"] * EDITORS


def slow_down(number: int) -> str:
    try:
        interval_changes.change_interval(
            name="sweep",
            was={"every": ""},
            values={"every": number % 4 + 2},
            actor=person(f"editor{number}"),
            reason="",
            now=timezone.now(),
        )
    except EditedMeanwhile:
        return "lost"
    return "won"


def test_of_many_who_change_an_interval_first_one_wins() -> None:
    # There is no row yet: each of them would make it.
    schedules.ensure()
    assert at_once(EDITORS, slow_down) == ["lost"] * (EDITORS - 1) + ["won"]
    entry = AuditEntry.objects.get()
    every = IntervalSetting.objects.get().every
    assert entry.detail["every"]["after"] == str(every)
    assert Schedule.objects.get().minutes == every


def test_without_the_comparison_all_change_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    def blindly(rows: Any, *, was: Any, values: Any) -> dict[str, object]:
        rows.update(**values)
        return dict(values)

    monkeypatch.setattr(interval_changes, "update_as_seen", blindly)
    assert at_once(EDITORS, slow_down) == ["won"] * EDITORS


def test_a_repair_beside_a_change_keeps_the_change() -> None:
    schedules.ensure()

    def act(number: int) -> str:
        if number:
            schedules.ensure()
            return "repaired"
        return slow_down(0)

    assert at_once(4, act) == ["repaired"] * 3 + ["won"]
    schedules.heal(timezone.now())
    assert Schedule.objects.get().minutes == IntervalSetting.objects.get().every == 2


def two_administrators_disable_each_other(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    make_roles(apps)
    both = [User.objects.create_user(name) for name in ("amy", "ann")]
    for user in both:
        user.groups.add(Group.objects.get(name="administrator"))
    checked, check = Meeting(2), people.check_loss

    def check_and_wait(**members: Any) -> None:
        check(**members)
        checked.wait()

    monkeypatch.setattr(people, "check_loss", check_and_wait)

    def disable(number: int) -> str:
        try:
            people.set_active(
                actor=both[number],
                user_id=both[1 - number].pk,
                active=False,
                reason="",
                now=timezone.now(),
            )
        except ChangeRefused:
            return "refused"
        return "disabled"

    return at_once(2, disable)


def test_two_administrators_cannot_disable_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    assert two_administrators_disable_each_other(monkeypatch) == ["disabled", "refused"]
    assert people.administrators().count() == 1


def test_without_the_lock_nobody_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def unlocked(actor: User, user_id: int) -> User:
        return User.objects.get(pk=user_id)

    monkeypatch.setattr(people, "_locked", unlocked)
    assert two_administrators_disable_each_other(monkeypatch) == ["disabled", "disabled"]
    assert people.administrators().count() == 0
