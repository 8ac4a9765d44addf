"""System checks: each fires on its fault, says what to do, and is silent otherwise."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.checks import CheckMessage
from django.utils import timezone
from pytest_django.fixtures import Settings

from coc_admin import checks
from orders.models import InventoryList, Site
from reconciliation.queue import heartbeats

RULE = {"timeout": 60, "retry": 300, "queue_limit": 2, "bulk": 1, "workers": 2}


def told(messages: list[CheckMessage]) -> list[tuple[str, str]]:
    return [(str(message.id), message.msg) for message in messages]


def test_the_default_secret_key_is_refused_outside_development(settings: Settings) -> None:
    settings.SECRET_KEY = settings.DEFAULT_SECRET_KEY

    assert told(checks.secret_key_is_set(None)) == [("coc.E001", "SECRET_KEY is not set.")]
    settings.DEBUG = True
    assert checks.secret_key_is_set(None) == []


def test_a_key_of_ones_own_is_accepted(settings: Settings) -> None:
    assert checks.secret_key_is_set(None) == []


def test_debug_is_refused_when_others_can_reach_the_site(settings: Settings) -> None:
    settings.DEBUG = True
    settings.ALLOWED_HOSTS = ["localhost", "shop.example"]

    assert told(checks.debug_stays_at_home(None)) == [
        ("coc.E002", "DEBUG is on while ALLOWED_HOSTS admits shop.example.")
    ]
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
    assert checks.debug_stays_at_home(None) == []
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["shop.example"]
    assert checks.debug_stays_at_home(None) == []


def test_missing_oci_settings_are_named(settings: Settings) -> None:
    for name in checks.OCI_SETTINGS:
        setattr(settings, name, "set")
    assert checks.oci_is_configured(None) == []

    settings.COC_OCI_CLIENT_ID = ""
    assert told(checks.oci_is_configured(None)) == [("coc.E003", "COC_OCI_CLIENT_ID is not set.")]
    settings.COC_OCI_BASE_URL = ""
    assert told(checks.oci_is_configured(None)) == [
        ("coc.E003", "COC_OCI_BASE_URL, COC_OCI_CLIENT_ID are not set.")
    ]


def test_an_impex_folder_that_cannot_be_written_is_told(settings: Settings, tmp_path: Path) -> None:
    settings.COC_IMPEX_DIR = tmp_path / "made" / "by the check"
    assert checks.impex_folder_is_writable(None) == []

    (tmp_path / "file").write_text("")
    settings.COC_IMPEX_DIR = tmp_path / "file" / "impex"
    assert told(checks.impex_folder_is_writable(None)) == [
        ("coc.E004", f"COC_IMPEX_DIR ({tmp_path}/file/impex) cannot be written: not a directory.")
    ]


@pytest.mark.parametrize(
    ("change", "least"),
    [
        ({"retry": 180}, 180),  # equal is not enough
        ({"workers": 1}, None),  # 60 * 4 = 240
        ({"workers": 1, "retry": 240}, 240),
        ({"queue_limit": 8, "bulk": 5, "workers": 2}, 480),
        ({"retry": 181}, None),
    ],
)
def test_retry_must_outlast_the_wait_and_the_work(
    settings: Settings, change: dict[str, int], least: int | None
) -> None:
    settings.Q_CLUSTER = RULE | change

    found = checks.queue_retry_outlasts_timeouts(None)

    if least is None:
        assert found == []
    else:
        assert told(found) == [
            (
                "coc.E005",
                f"Q_CLUSTER retry is {(RULE | change)['retry']} s and must exceed {least} s.",
            )
        ]


def test_our_own_queue_settings_pass() -> None:
    assert checks.queue_retry_outlasts_timeouts(None) == []


@pytest.mark.django_db
def test_offline_capture_without_a_monitor_is_warned_of() -> None:
    stock = InventoryList.objects.create(id="shop-us")
    site = Site.objects.create(id="shop", inventory_list=stock)
    check = checks.offline_capture_has_a_monitor

    assert told(check(None, databases=["default"])) == [
        ("coc.W006", "shop may capture orders offline, and no monitor has beaten so far.")
    ]
    assert check(None) == []

    heartbeats.beat(component=heartbeats.MONITOR, now=timezone.now() - timedelta(seconds=90))
    assert told(check(None, databases=["default"]))[0][0] == "coc.W006"

    heartbeats.beat(component=heartbeats.MONITOR, now=timezone.now())
    assert check(None, databases=["default"]) == []

    heartbeats.beat(component=heartbeats.MONITOR, now=timezone.now() - timedelta(seconds=90))
    site.offline_capture = False
    site.save()
    assert check(None, databases=["default"]) == []


def test_several_web_processes_on_sqlite_are_warned_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks.programs, "uses_sqlite", lambda: True)
    settings.COC_WEB_WORKERS = 2
    assert told(checks.sqlite_has_one_web_process(None)) == [
        ("coc.W007", "COC_WEB_WORKERS is 2 on SQLite, which has one writer.")
    ]
    settings.COC_WEB_WORKERS = 1
    assert checks.sqlite_has_one_web_process(None) == []

    settings.COC_WEB_WORKERS = 2
    monkeypatch.setattr(checks.programs, "uses_sqlite", lambda: False)
    assert checks.sqlite_has_one_web_process(None) == []


def test_a_mail_server_is_spoken_to_in_one_way(settings: Settings) -> None:
    settings.EMAIL_USE_TLS = True
    assert checks.mail_server_is_spoken_to_in_one_way(None) == []
    settings.EMAIL_USE_SSL = True
    assert told(checks.mail_server_is_spoken_to_in_one_way(None)) == [
        ("coc.E008", "EMAIL_USE_TLS and EMAIL_USE_SSL are both set.")
    ]


def test_that_no_mail_is_sent_is_said(settings: Settings) -> None:
    assert checks.mail_can_be_sent(None) == []
    settings.EMAIL_BACKEND = "reconciliation.alerts.channels.no_mail.NoMail"
    assert told(checks.mail_can_be_sent(None)) == [
        ("coc.W009", "EMAIL_HOST is not set: no e-mail is sent.")
    ]


def test_a_proxy_on_another_machine_is_named(settings: Settings) -> None:
    settings.COC_BIND = "0.0.0.0"
    assert checks.proxy_elsewhere_is_named(None) == []
    settings.COC_BEHIND_TLS_PROXY = True
    assert told(checks.proxy_elsewhere_is_named(None)) == [
        ("coc.E010", "COC_BEHIND_TLS_PROXY is on, COC_BIND is 0.0.0.0, and no proxy is named.")
    ]
    settings.COC_BIND = "127.0.0.1"
    assert checks.proxy_elsewhere_is_named(None) == []
    settings.COC_BIND, settings.COC_PROXIES_ARE_NAMED = "0.0.0.0", True
    assert checks.proxy_elsewhere_is_named(None) == []


def test_a_proxy_and_certificates_must_be_usable(settings: Settings, tmp_path: Path) -> None:
    settings.COC_OCI_PROXY = settings.COC_OCI_CA_FILE = ""
    assert checks.way_to_oci_can_be_used(None) == []
    for proxy in ("http://proxy.example:3128", "https://user:secret@10.0.0.7:8080/"):
        settings.COC_OCI_PROXY = proxy
        assert checks.way_to_oci_can_be_used(None) == []
    for proxy in ("proxy.example:3128", "socks5://proxy:1080", "http://", "http://host:99999"):
        settings.COC_OCI_PROXY = proxy
        (message,) = checks.way_to_oci_can_be_used(None)
        assert told([message]) == [("coc.E015", "COC_OCI_PROXY is not the address of a proxy.")]
    settings.COC_OCI_PROXY = ""
    settings.COC_OCI_CA_FILE = str(tmp_path / "missing.pem")
    (message,) = checks.way_to_oci_can_be_used(None)
    assert "No such file" in message.msg
    (tmp_path / "text.pem").write_text("no certificate")
    settings.COC_OCI_CA_FILE = str(tmp_path / "text.pem")
    (message,) = checks.way_to_oci_can_be_used(None)
    assert "it holds no certificates" in message.msg
