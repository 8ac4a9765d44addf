"""German covers everything that English says, and the shipped files equal the translation."""

from __future__ import annotations

import ast
import gettext
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation

from coc_admin.console import formats
from coc_admin.models import Profile
from tests.coc_admin.console import scene
from tests.processes.product import outer_environment

ROOT = Path(__file__).parents[2]
LOCALE = ROOT / "coc_admin" / "locale" / "de" / "LC_MESSAGES"

pytestmark = pytest.mark.gettext


def run(*command: str, cwd: Path = ROOT) -> str:
    env = outer_environment()
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_every_text_is_translated_with_its_placeholders() -> None:
    said = run("msgfmt", "--check", "--statistics", "-o", os.devnull, str(LOCALE / "django.po"))
    assert "untranslated" not in said
    assert "fuzzy" not in said


def test_what_is_shipped_is_what_was_translated(tmp_path: Path) -> None:
    """Django's compilemessages checks the format as well."""
    run("msgfmt", "--check-format", "-o", str(tmp_path / "de.mo"), str(LOCALE / "django.po"))
    assert (tmp_path / "de.mo").read_bytes() == (LOCALE / "django.mo").read_bytes()


def test_no_text_is_missing_from_the_translations(tmp_path: Path) -> None:
    """What `make messages` finds in the code is in the .po file already, and nothing besides."""
    for name in ("coc_admin", "orders", "reconciliation", "templates"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "static")
        )
    shutil.copy(ROOT / "manage.py", tmp_path)
    run(
        *(sys.executable, "manage.py", "makemessages", "--locale", "de"),
        *("--no-location", "--no-obsolete"),
        cwd=tmp_path,
    )
    found = tmp_path / "coc_admin" / "locale" / "de" / "LC_MESSAGES" / "django.po"
    assert texts_of(found) == texts_of(LOCALE / "django.po")


def texts_of(path: Path) -> list[str]:
    """Return the English texts of a .po file, sorted."""
    told = subprocess.run(
        ["msgattrib", "--no-wrap", "--clear-fuzzy", "--empty", str(path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    entries = [entry.strip() for entry in told.split("\n\n")[1:]]
    return sorted(
        "\n".join(line for line in entry.splitlines() if not line.startswith("#"))
        for entry in entries
    )


def marked_texts(source: Path) -> set[str]:
    """Return what a module marks for translation, also where xgettext does not look."""
    names = {"_", "gettext", "gettext_lazy", "gettext_noop"}
    return {
        node.args[0].value
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in names
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def test_every_marked_text_of_the_code_has_its_german() -> None:
    """xgettext passes over what stands inside an f-string."""
    with (LOCALE / "django.mo").open("rb") as compiled:
        catalogue = vars(gettext.GNUTranslations(compiled))["_catalog"]
    marked = {
        text
        for package in ("coc_admin", "orders", "reconciliation")
        for source in (ROOT / package).rglob("*.py")
        for text in marked_texts(source)
    }
    assert "Completely reserved" in marked
    assert marked - set(catalogue) == set()


@pytest.mark.django_db
def test_pages_speak_the_language_of_their_reader_and_the_api_does_not(client: Client) -> None:
    german = {"Accept-Language": "de-DE,de;q=0.9"}
    assert '<html lang="de"' in client.get("/login/", headers=german).content.decode()
    assert '<html lang="en"' in client.get("/login/").content.decode()
    user = scene.make_user("vera", *scene.VIEWER)
    client.force_login(user)
    page = client.get("/orders/", headers=german).content.decode()
    assert '<html lang="de"' in page
    assert ">Bestellungen</h1>" in page
    # The person's choice outranks the browser's language.
    Profile.objects.create(user=user, language="en")
    assert ">Orders</h1>" in client.get("/orders/", headers=german).content.decode()
    refused = client.get("/api/v1/status", headers=german).json()
    assert refused == client.get("/api/v1/status").json()


def test_numbers_and_times_are_written_as_in_the_language() -> None:
    moment = datetime(2026, 2, 5, 13, 4, tzinfo=UTC)
    with translation.override("de"):
        assert formats.format_money(Decimal("1234.5"), "EUR") == "1.234,50 EUR"
        assert formats.format_quantity(Decimal("1200.500")) == "1.200,5"
        assert formats.format_time(moment) == "5. Feb 2026, 13:04 UTC"
