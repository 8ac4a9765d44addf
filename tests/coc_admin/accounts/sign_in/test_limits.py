"""Guesses are slowed where they come from; the person gets in; nothing grows without bound."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from coc_admin.accounts.sign_in import counts, limits, notes
from coc_admin.console import sign_in_views
from coc_admin.models import AuditEntry, SignInCount
from tests.coc_admin.console.scene import make_user

PASSWORD = "a long password"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """Stop the clock: on a busy machine failures would be forgiven meanwhile."""
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


@pytest.fixture
def vera(db: None) -> None:
    make_user("vera", "orders.view_order")


def sign_in(
    place: str, *, name: str = "vera", password: str = "wrong", client: Client | None = None
) -> HttpResponse:
    form = {"username": name, "password": password}
    return (client or Client()).post("/login/", form, REMOTE_ADDR=place)  # type: ignore[return-value]


def is_let_in(place: str, *, name: str = "vera", client: Client | None = None) -> bool:
    return sign_in(place, name=name, password=PASSWORD, client=client).status_code == 302


def guess(place: str, times: int, *, name: str = "vera") -> list[int]:
    return [sign_in(place, name=name).status_code for _ in range(times)]


def test_a_person_gets_in_from_where_nobody_guessed_while_others_guess_on(vera: None) -> None:
    for number in range(8):
        guess(f"203.0.{number}.9", 5)
        assert sign_in(f"203.0.{number}.9").status_code == 429
    assert is_let_in("198.51.100.1")
    assert not is_let_in("203.0.7.9")


def test_their_own_browser_gets_in_even_from_where_somebody_guesses(vera: None) -> None:
    own = Client()
    assert is_let_in("198.51.100.1", client=own)
    cookie = own.cookies["coc_device"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/login/", True, "Lax")
    own.post("/logout/")

    guess("198.51.100.1", 8)
    for name in range(20):
        guess("198.51.100.1", 1, name=f"n{name}")

    assert not is_let_in("198.51.100.1")
    assert is_let_in("198.51.100.1", client=own)


def test_the_cookie_of_a_browser_opens_nothing_and_is_not_for_others(vera: None) -> None:
    make_user("mia", "orders.view_order")
    own = Client()
    assert is_let_in("198.51.100.1", client=own)
    own.post("/logout/")
    # Whoever has the browser is slowed down like a place, and slows down nobody else.
    wrong = [sign_in("198.51.100.1", client=own).status_code for _ in range(6)]
    assert wrong == [200] * 5 + [429]
    assert is_let_in("198.51.100.1")
    # For another name the browser is a stranger.
    guess("198.51.100.2", 6, name="mia")
    assert not is_let_in("198.51.100.2", name="mia", client=own)
    # What was not signed here counts as nothing.
    for forged in ("x", "a:b:c", own.cookies["coc_device"].value[:-1], "[]"):
        stranger = Client()
        stranger.cookies["coc_device"] = forged
        assert not is_let_in("198.51.100.2", name="mia", client=stranger)


def test_a_browser_knows_five_people(db: None) -> None:
    own = Client()
    for number in range(7):
        make_user(f"p{number}", "orders.view_order")
        assert is_let_in("198.51.100.1", name=f"p{number}", client=own)
        own.post("/logout/")
    guess("198.51.100.1", 16, name="nobody")
    for number in range(7):
        guess("198.51.100.1", 5, name=f"p{number}")
    let_in = []
    for number in range(7):
        let_in.append(is_let_in("198.51.100.1", name=f"p{number}", client=own))
        own.post("/logout/")
    assert let_in == [False, False, True, True, True, True, True]


def test_the_wait_doubles_up_to_a_quarter_of_an_hour_and_is_forgiven(
    vera: None, clock: time_machine.Traveller
) -> None:
    guess("203.0.113.9", 5)
    waits = []
    for _ in range(9):
        waits.append(int(sign_in("203.0.113.9")["Retry-After"]))
        clock.shift(timedelta(seconds=waits[-1]))
        assert sign_in("203.0.113.9").status_code == 200
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900, 900]
    page = sign_in("203.0.113.9").content.decode()
    assert "Try again in 15 minutes." in page
    clock.shift(timedelta(seconds=901))
    assert is_let_in("203.0.113.9")
    # What was wrong before is forgotten.
    assert guess("203.0.113.9", 5) == [200] * 5


def test_trying_while_one_has_to_wait_does_not_make_it_longer(
    vera: None, clock: time_machine.Traveller
) -> None:
    guess("203.0.113.9", 50)
    clock.shift(timedelta(seconds=16))
    assert is_let_in("203.0.113.9")


def test_one_password_is_not_tried_on_many_names(vera: None, clock: time_machine.Traveller) -> None:
    assert [guess("203.0.113.9", 1, name=f"n{n}")[0] for n in range(20)] == [200] * 15 + [429] * 5
    assert not is_let_in("203.0.113.9")
    assert is_let_in("203.0.113.10")
    # To sign in to an account of one's own does not wipe it out.
    clock.shift(timedelta(seconds=20))
    assert is_let_in("203.0.113.9")
    assert sign_in("203.0.113.9", name="n99").status_code == 200
    assert sign_in("203.0.113.9", name="n98").status_code == 429


def test_a_block_of_addresses_is_slowed_and_never_for_long(vera: None) -> None:
    # One customer has every address of a /64; a /48 or /24 together is slowed later, and briefly.
    tries = [sign_in(f"2001:db8:1:2::{n:x}", name=f"n{n}").status_code for n in range(1, 17)]
    assert tries == [200] * 15 + [429]
    for number in range(60):
        sign_in(f"2001:db8:9:{number:x}::1", name=f"n{number}")
    refused = sign_in("2001:db8:9:ffff::1", password=PASSWORD)
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) <= 61
    assert is_let_in("2001:db8:a::1")


def test_a_refused_try_costs_no_hash_and_no_write(vera: None) -> None:
    guess("203.0.113.9", 5)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert guess("203.0.113.9", 10) == [429] * 10
    assert len(queries) == 0
    # Another process asks the database once.
    counts.memory.clear()
    with CaptureQueriesContext(connection) as queries:
        assert guess("203.0.113.9", 10) == [429] * 10
    statements = [one["sql"] for one in queries if "POINT" not in one["sql"]]
    assert [sql.split()[0] for sql in statements] == ["SELECT"]
    assert "coc_admin_signincount" in statements[0]


def test_another_process_knows_of_the_guesses(vera: None) -> None:
    guess("203.0.113.9", 3)
    counts.memory.clear()
    assert guess("203.0.113.9", 3) == [200, 200, 429]


def test_few_tries_of_one_place_are_looked_at_together(vera: None) -> None:
    meta = {"REMOTE_ADDR": "203.0.113.9"}
    with (
        limits.attempt(meta, name_hash="a" * 64, device=""),
        limits.attempt(meta, name_hash="b" * 64, device=""),
    ):
        refused = sign_in("203.0.113.9", password=PASSWORD)
        assert (refused.status_code, refused["Retry-After"]) == (503, "3")
        assert is_let_in("203.0.113.10")
    assert is_let_in("203.0.113.9")
    assert limits._under_way == {}


def test_many_failures_leave_few_rows(vera: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "MOST_ROWS", 100)
    monkeypatch.setattr(counts, "MEMORY_KEYS", 100)
    monkeypatch.setattr(notes, "MOST_LINES", 200)
    request = RequestFactory().post("/login/")
    request.user = AnonymousUser()
    for number in range(600):
        if number in (300, 599):
            monkeypatch.setattr(counts, "_pruned_at", float("-inf"))
        name = ("vera", f"nobody{number}")[number % 2]
        place = f"10.0.{number // 256}.{number % 256}"
        keys = {"pair": f"pair:{name}:{place}", "address": f"address:{place}"}
        tried = limits.Attempt(limits.hash_of(name), keys, place, frozenset())
        sign_in_views.note_failure(request, tried, name=name)

    assert SignInCount.objects.exclude(key__startswith="note:").count() <= 100
    assert SignInCount.objects.filter(key__startswith="note:").count() == 3
    assert len(counts.memory) <= 100
    entries = list(AuditEntry.objects.order_by("id").values_list("target", "detail__tries"))
    doubling = [1, 2, 4, 8, 16, 32, 64]
    assert [tries for target, tries in entries if target == "user:vera"] == doubling
    # Above this number, lines no longer distinguish people.
    assert [tries for target, tries in entries if target == "session"] == [*doubling, 256, 512]
    assert "nobody" not in str(list(AuditEntry.objects.values()))


def test_ten_thousand_failures_of_a_thousand_people_are_a_few_hundred_lines(db: None) -> None:
    note, lines, of_target = notes.Note("vera"), 0, [0] * 1_000
    for of_all in range(1, 10_001):
        of_target[of_all % 1_000] += 1
        levels = {note._of_target: float(of_target[of_all % 1_000]), note._of_all: float(of_all)}
        lines += bool(note.tries_to_tell(levels))
    # The first try of 500 people, and then 512, 1,024, 2,048, 4,096 and 8,192 of all.
    assert lines == 505


def test_counts_of_days_ago_go(vera: None, monkeypatch: pytest.MonkeyPatch) -> None:
    guess("203.0.113.9", 1)
    assert SignInCount.objects.count() == 5
    monkeypatch.setattr(counts, "_pruned_at", float("-inf"))
    assert counts.prune(time.time() + counts.KEEP_SECONDS - 60) == 0
    monkeypatch.setattr(counts, "_pruned_at", float("-inf"))
    assert counts.prune(time.time() + counts.KEEP_SECONDS + 60) == 5


def test_what_is_kept_has_no_password_in_the_wrong_field(vera: None) -> None:
    guess("203.0.113.9", 2, name="my secret password")
    kept = str([row.__dict__ for row in SignInCount.objects.all()])
    assert "secret" not in kept
    assert notes.Note("my secret password").target == "session"


@contextmanager
def nobody_else_writes() -> Iterator[None]:
    """Let another connection keep the counts to itself."""
    begun, end = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            else:
                cursor.execute("BEGIN; LOCK TABLE coc_admin_signincount IN ACCESS EXCLUSIVE MODE")
            begun.set()
            end.wait(60)
            cursor.execute("ROLLBACK")
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert begun.wait(20)
    try:
        yield
    finally:
        end.set()
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_a_slow_database_keeps_nobody_waiting_and_stops_no_counting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_user("vera", "orders.view_order")
    monkeypatch.setattr(counts, "DATABASE_SECONDS", 0.1)
    with nobody_else_writes():
        began = time.monotonic()
        assert guess("203.0.113.9", 6) == [200] * 5 + [429]
        assert time.monotonic() - began < 15
    assert SignInCount.objects.count() == 0
    assert AuditEntry.objects.count() == 0
    assert not is_let_in("203.0.113.9")
    assert is_let_in("203.0.113.10")
    # The connection has its own patience back.
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            assert cursor.execute("PRAGMA busy_timeout").fetchone() == (30_000,)
    else:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT setting = reset_val FROM pg_settings WHERE name = 'statement_timeout'"
            )
            assert cursor.fetchone() == (True,)


def test_the_page_says_it_in_german(vera: None) -> None:
    guess("203.0.113.9", 5)
    answer = Client().post(
        "/login/",
        {"username": "vera", "password": "x"},
        REMOTE_ADDR="203.0.113.9",
        headers={"Accept-Language": "de"},
    )
    page = answer.content.decode()
    assert f"Versuchen Sie es in {answer['Retry-After']} Sekunden noch einmal." in page
    assert "Ihr Konto ist nicht gesperrt" in page


def test_wrong_old_passwords_are_slowed_too(vera: None) -> None:
    client = Client()
    assert is_let_in("198.51.100.1", client=client)
    wrong = {"old_password": "wrong", "new_password1": "quite another", "new_password2": "x"}
    tries = [client.post("/me/password/", wrong).status_code for _ in range(6)]
    assert tries == [200] * 5 + [429]
    new = {"new_password1": "quite other", "new_password2": "quite other"}
    assert client.post("/me/password/", {"old_password": PASSWORD} | new).status_code == 429
    assert is_let_in("198.51.100.2")
    told = AuditEntry.objects.filter(action="user.password_refused").order_by("id")
    assert [entry.detail["tries"] for entry in told] == [1, 2, 4]
