"""Failed sign-ins are counted, and what was typed as a name is kept only if somebody has it."""

from __future__ import annotations

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db
TYPED = "a password, in the wrong field"


def sign_in(username: str) -> int:
    return Client().post("/login/", {"username": username, "password": "x"}).status_code


def test_what_nobody_is_called_is_not_kept() -> None:
    User.objects.create_user("ada", password="right")
    sign_in("ada")
    sign_in(TYPED)
    sign_in(TYPED)

    kept = {one.username: one for one in AccessAttempt.objects.all()}
    assert [one.failures_since_start for one in kept.values()] in ([1, 2], [2, 1])
    assert "ada" in kept
    assert TYPED not in str([one.__dict__ for one in kept.values()])


@pytest.mark.parametrize("username", ["ada", TYPED])
def test_both_are_locked_out(username: str) -> None:
    User.objects.create_user("ada", password="right")
    answers = [sign_in(username) for _ in range(settings.AXES_FAILURE_LIMIT + 1)]
    assert answers[0] == 200
    assert answers[-1] == 429
    assert sign_in("somebody else") == 200
