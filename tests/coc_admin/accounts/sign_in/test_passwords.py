"""Hashes are made a few at a time; callers that can't wait must try again, with nothing changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.http import HttpResponse
from django.test import Client
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from pytest_django.fixtures import Settings

from coc_admin.accounts.sign_in import passwords
from coc_admin.accounts.sign_in.passwords import BoundedHasher, Lane, PasswordsBusy
from coc_admin.models import AuditEntry, SignInCount
from tests.coc_admin.console.scene import make_user

PASSWORD = "a long password"


@pytest.fixture(autouse=True)
def real_hasher(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the product's hasher, which need not be slow here."""
    settings.PASSWORD_HASHERS = ["coc_admin.accounts.sign_in.passwords.BoundedHasher"]
    monkeypatch.setattr(BoundedHasher, "iterations", 10)
    monkeypatch.setattr(passwords.ANYBODY, "seconds", 0.05)
    monkeypatch.setattr(passwords.KNOWN, "seconds", 0.05)


@contextmanager
def taken(lane: Lane) -> Iterator[None]:
    """Let another person hash in this lane."""
    with lane.turn():
        yield


def sign_in(client: Client, password: str = PASSWORD) -> HttpResponse:
    form = {"username": "vera", "password": password}
    return client.post("/login/", form)  # type: ignore[return-value]


def test_the_hashes_are_those_that_django_makes() -> None:
    made = make_password(PASSWORD)
    assert made.startswith("pbkdf2_sha256$10$")
    assert check_password(PASSWORD, made)
    assert not check_password("wrong", made)
    older = "pbkdf2_sha256$5$salt$gmDbaATavK4LPAyZMOhHk/8f8qcxfpZ/vcH1m4vEvxo="
    with taken(passwords.ANYBODY), pytest.raises(PasswordsBusy):
        check_password(PASSWORD, older)


def test_one_at_a_time_and_few_wait() -> None:
    lane, running, most, refused = Lane(waiting=2, seconds=10), 0, 0, 0
    lock, all_there = threading.Lock(), threading.Event()

    def hash_once() -> None:
        nonlocal running, most, refused
        try:
            with lane.turn():
                with lock:
                    running += 1
                    most = max(most, running)
                all_there.wait(10)
                with lock:
                    running -= 1
        except PasswordsBusy:
            with lock:
                refused += 1

    threads = [threading.Thread(target=hash_once) for _ in range(10)]
    for thread in threads:
        thread.start()
    # Those for whom there is no place do not wait at all.
    until = time.monotonic() + 10
    while refused < 7 and time.monotonic() < until:
        time.sleep(0.005)
    assert refused == 7
    all_there.set()
    for thread in threads:
        thread.join(10)
    assert (most, refused) == (1, 7)


def test_the_wait_for_a_turn_is_bounded() -> None:
    lane = Lane(waiting=1, seconds=0.05)
    with lane.turn(), pytest.raises(PasswordsBusy), lane.turn():
        pass
    with lane.turn():
        pass


def test_signing_in_while_others_do(db: None) -> None:
    user = make_user("vera", "orders.view_order")
    client = Client()
    with taken(passwords.ANYBODY):
        busy = sign_in(client)
    assert (busy.status_code, busy["Retry-After"]) == (503, "3")
    assert "Try again in 3 seconds." in busy.content.decode()
    german = {"Accept-Language": "de"}
    with taken(passwords.ANYBODY):
        page = client.post("/login/", {"username": "vera", "password": "x"}, headers=german)
    assert "Das Passwort wurde nicht geprüft" in page.content.decode()
    # It was no wrong password, nothing is noted, and nobody is in.
    assert (SignInCount.objects.count(), AuditEntry.objects.count()) == (0, 0)
    assert client.get("/").status_code == 302
    user.refresh_from_db()
    assert user.last_login is None
    assert sign_in(client).status_code == 302


def test_a_browser_that_is_known_has_a_lane_that_strangers_cannot_fill(db: None) -> None:
    make_user("vera", "orders.view_order")
    own = Client()
    assert sign_in(own).status_code == 302
    own.post("/logout/")
    with taken(passwords.ANYBODY):
        assert sign_in(Client()).status_code == 503
        assert sign_in(own).status_code == 302
    own.post("/logout/")
    with taken(passwords.KNOWN):
        assert sign_in(own).status_code == 503
        assert sign_in(Client()).status_code == 302


def test_choosing_a_password_while_others_sign_in(db: None) -> None:
    user = make_user("vera", "orders.view_order")
    key = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    client = Client()
    page = client.get(f"/set-password/{key}/{token}/")["Location"]
    chosen = {"new_password1": "quite another one", "new_password2": "quite another one"}
    with taken(passwords.ANYBODY):
        assert client.post(page, chosen).status_code == 503
    assert User.objects.get().password == user.password
    assert client.post(page, chosen).status_code == 302
    assert check_password("quite another one", User.objects.get().password)
    # The link has worked once, also for a form that was open twice.
    assert "does not work" in client.post(page, chosen).content.decode()


def test_changing_a_password_while_others_do(db: None) -> None:
    make_user("vera", "orders.view_order")
    client = Client()
    sign_in(client)
    before = User.objects.get().password
    new = {"new_password1": "quite another one", "new_password2": "quite another one"}
    with taken(passwords.KNOWN):
        assert client.post("/me/password/", new | {"old_password": PASSWORD}).status_code == 503
    assert User.objects.get().password == before
    with taken(passwords.ANYBODY):
        assert client.post("/me/password/", new | {"old_password": PASSWORD}).status_code == 302
    assert check_password("quite another one", User.objects.get().password)
