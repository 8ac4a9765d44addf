"""Reading the environment: a wrong value names itself and says what to do."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from coc_admin import env, settings

LIMITS = {
    "connect_timeout": "3",
    "tcp_user_timeout": "8000",
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("YES", True), ("0", False), ("off", False), ("", True)],
)
def test_flags(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv("COC_X", value)

    assert env.flag("COC_X", default=True) is expected


def test_a_flag_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COC_X", "perhaps")

    with pytest.raises(ImproperlyConfigured, match=r"^COC_X is 'perhaps'; use true or false\.$"):
        env.flag("COC_X", default=False)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("many", "COC_X is 'many'; use a number."),
        ("0", "COC_X is 0; use a number from 1 to 9."),
        ("nan", "COC_X is nan; use a number from 1 to 9."),
        ("inf", "COC_X is inf; use a number from 1 to 9."),
        ("2.5", "COC_X is 2.5; use a whole number."),
    ],
)
def test_numbers_out_of_bounds_are_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv("COC_X", value)

    with pytest.raises(ImproperlyConfigured) as refusal:
        env.whole("COC_X", 5, low=1, high=9)
    assert str(refusal.value) == message


def test_a_value_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" hidden\n")
    monkeypatch.setenv("COC_X_FILE", str(tmp_path / "secret"))
    assert env.text("COC_X") == "hidden"

    monkeypatch.setenv("COC_X_FILE", str(tmp_path / "nothing"))
    with pytest.raises(ImproperlyConfigured, match="COC_X_FILE cannot be read"):
        env.text("COC_X")


def test_names_without_empty_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COC_X", " a.example, ,b.example,")

    assert env.names("COC_X") == ["a.example", "b.example"]


def test_a_folder_is_made_or_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COC_X", str(tmp_path / "a" / "b"))
    assert env.folder("COC_X", tmp_path) == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COC_X", str(tmp_path / "file" / "b"))
    with pytest.raises(ImproperlyConfigured, match=r"COC_X .* cannot be made: Not a directory;"):
        env.folder("COC_X", tmp_path)


def test_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COC_X", "sqlite:////srv/coc/shop.sqlite3")
    found = env.database("COC_X", "")
    assert (found["ENGINE"], found["NAME"]) == (
        "django.db.backends.sqlite3",
        "/srv/coc/shop.sqlite3",
    )
    assert found["OPTIONS"]["transaction_mode"] == "IMMEDIATE"

    monkeypatch.setenv("COC_X", "postgres://coc:p%40ss@db.example:5433/coc?sslmode=require")
    found = env.database("COC_X", "")
    assert [found[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")] == [
        "coc",
        "coc",
        "p@ss",
        "db.example",
        "5433",
        LIMITS | {"sslmode": "require"},
    ]
    assert (found["ENGINE"], found["DISABLE_SERVER_SIDE_CURSORS"]) == (
        "coc_admin.postgresql",
        False,
    )

    monkeypatch.setenv("COC_X", "mysql://x/y")
    with pytest.raises(ImproperlyConfigured, match="COC_X has the scheme 'mysql'; use sqlite:///"):
        env.database("COC_X", "")


def test_a_url_goes_before_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    query = "connect_timeout=9&keepalives_idle=60&options=-c%20a%3D9s&prepare_threshold=7"
    monkeypatch.setenv("COC_X", f"postgres://coc@db.example/coc?{query}")
    assert env.database("COC_X", "")["OPTIONS"] == LIMITS | {
        "connect_timeout": "9",
        "keepalives_idle": "60",
        "options": "-c a=9s",
        "prepare_threshold": 7,
    }

    monkeypatch.setenv("COC_X", "postgres://coc@db.example/coc?prepare_threshold=often")
    with pytest.raises(ImproperlyConfigured) as refused:
        env.database("COC_X", "")
    assert str(refused.value) == "prepare_threshold in COC_X is 'often'; use a whole number."


@pytest.mark.parametrize("pooler", ["session", "transaction"])
def test_a_pooler(monkeypatch: pytest.MonkeyPatch, pooler: str) -> None:
    monkeypatch.setenv("COC_DATABASE_POOLER", pooler.upper())
    monkeypatch.setenv("COC_X", "postgres://coc@db.example/coc?sslmode=require")
    found = env.database("COC_X", "")
    assert (found["POOLER"], found["OPTIONS"]) == (pooler, LIMITS | {"sslmode": "require"})
    assert found["DISABLE_SERVER_SIDE_CURSORS"] is (pooler == "transaction")


@pytest.mark.parametrize(
    ("pooler", "url", "message"),
    [
        (
            "statement",
            "postgres://coc@db.example/coc",
            "COC_DATABASE_POOLER is 'statement'; use transaction or session, as the pooler does, or"
            " leave it unset without one.",
        ),
        (
            "transaction",
            "sqlite:////srv/coc.sqlite3",
            "COC_DATABASE_POOLER is transaction and COC_X is SQLite, which has none; unset it.",
        ),
        (
            "transaction",
            "postgres://coc@db.example/coc?options=-c%20a%3D1&prepare_threshold=5",
            "COC_X has options, prepare_threshold while COC_DATABASE_POOLER is transaction, and a"
            " pooler keeps no session of ours; leave it out, and set it for the role (ALTER ROLE).",
        ),
    ],
)
def test_a_pooler_and_what_contradicts_it(
    monkeypatch: pytest.MonkeyPatch, pooler: str, url: str, message: str
) -> None:
    monkeypatch.setenv("COC_DATABASE_POOLER", pooler)
    monkeypatch.setenv("COC_X", url)
    with pytest.raises(ImproperlyConfigured) as refused:
        env.database("COC_X", "")
    assert str(refused.value) == message


@pytest.mark.parametrize("password", ["sesame/x", "sesame#x", "sesame?x", "[sesame"])
def test_a_database_that_cannot_be_read_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("COC_TEST", f"postgres://shop:{password}@127.0.0.1:5432/coc")
    with pytest.raises(
        ImproperlyConfigured, match=r"^COC_TEST cannot be read; in user "
    ) as refused:
        env.database("COC_TEST", "")
    assert "sesame" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.networks("COC_X") == []
    assert [str(one) for one in env.networks("COC_X", "127.0.0.0/8,::1")] == [
        "127.0.0.0/8",
        "::1/128",
    ]
    monkeypatch.setenv("COC_X", " 10.0.0.7, 10.1.2.3/16,2001:db8::/32,")
    assert [str(one) for one in env.networks("COC_X", "::1")] == [
        "10.0.0.7/32",
        "10.1.0.0/16",
        "2001:db8::/32",
    ]
    monkeypatch.setenv("COC_X", "10.0.0.7,proxy.local")
    with pytest.raises(
        ImproperlyConfigured,
        match=r"^COC_X has 'proxy.local'; use addresses and networks such as 10.0.0.7,10.1.0.0/16",
    ):
        env.networks("COC_X")


@pytest.mark.parametrize(
    ("behind", "named", "trusted"),
    [
        ("", "", []),
        ("true", "", ["127.0.0.0/8", "::1/128"]),
        ("true", "10.0.0.7", ["10.0.0.7/32"]),
        ("", "10.0.0.7", ["10.0.0.7/32"]),
    ],
)
def test_proxies_of_this_machine_are_trusted_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, behind: str, named: str, trusted: list[str]
) -> None:
    monkeypatch.setenv("COC_BEHIND_TLS_PROXY", behind)
    monkeypatch.setenv("COC_TRUSTED_PROXIES", named)
    found = runpy.run_path(str(Path(settings.__file__)))
    assert [str(one) for one in found["COC_TRUSTED_PROXIES"]] == trusted
    assert ("SECURE_PROXY_SSL_HEADER" in found) is bool(behind)
