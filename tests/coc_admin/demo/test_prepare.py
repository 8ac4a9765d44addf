"""The demo's folder, environment, users and sites."""

from __future__ import annotations

import socket
from decimal import Decimal
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.test import RequestFactory

from coc_admin.demo import environment, prepare
from coc_admin.demo.plan import DE, US, shop_plan
from coc_admin.processes.preflight import NotReady
from orders.models import InventoryList, InventoryRecord, Site


def test_the_environment_is_the_demos_own(tmp_path: Path) -> None:
    outer = {
        "PATH": "/bin",
        "PORT": "8123",
        "SECRET_KEY": "of the production site",
        "SECRET_KEY_FILE": "/run/secrets/key",
        "DATABASE_URL": "postgres://production/shop",
        "COC_OCI_BASE_URL": "https://oci.shop.example",
        "COC_IMPEX_DIR": "/srv/impex",
        "COC_BROKER": "redis://production",
        "COC_BIND": "0.0.0.0",
    }

    inner = environment.build(folder=tmp_path, outer=outer)

    assert inner["PORT"] == "8123"
    assert inner["COC_BIND"] == "0.0.0.0"
    assert inner["DATABASE_URL"] == f"sqlite:///{tmp_path}/demo.sqlite3"
    assert inner["COC_OCI_BASE_URL"] == f"http://127.0.0.1:{inner[environment.SIMULATOR_PORT]}"
    assert len(inner["SECRET_KEY"]) >= 50
    assert not {"COC_IMPEX_DIR", "COC_BROKER", "SECRET_KEY_FILE"} & set(inner)
    assert "production" not in " ".join(inner.values())


def test_a_key_that_was_kept_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "x" * 60)
    environment.keep_secret_key(tmp_path)

    assert environment.build(folder=tmp_path, outer={})["SECRET_KEY"] == "x" * 60
    assert (tmp_path / "secret-key").stat().st_mode & 0o077 == 0


def test_a_port_that_is_taken_is_not_chosen() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert environment.free_port(port) != port


def test_the_folder_is_emptied_only_if_a_demo_has_made_it(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with prepare.take_folder(folder, keep=False):
        (folder / "logs").mkdir()
        (folder / "old.txt").write_text("old")
    with prepare.take_folder(folder, keep=True):
        assert (folder / "old.txt").exists()
    with prepare.take_folder(folder, keep=False):
        assert [entry.name for entry in folder.iterdir()] == [".coc-demo"]

    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(NotReady, match="holds something that no demo has made"):
        prepare.take_folder(mine, keep=False)
    assert (mine / "thesis.txt").read_text() == "years of work"


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        prepare.take_folder(tmp_path / "demo", keep=False),
        pytest.raises(NotReady, match=r"^Another demo runs in .*/demo\. Stop it first\.$"),
    ):
        prepare.take_folder(tmp_path / "demo", keep=False)
    prepare.take_folder(tmp_path / "demo", keep=False).close()


@pytest.mark.django_db
def test_each_role_has_a_user_whose_printed_password_works() -> None:
    prepare.make_users()
    logins = prepare.make_users()

    assert [(login.name, login.role) for login in logins] == [
        ("viewer", "viewer"),
        ("merchandiser", "merchandiser"),
        ("operator", "operator"),
        ("admin", "administrator"),
    ]
    for login in logins:
        user = authenticate(
            RequestFactory().post("/login/"), username=login.name, password=login.password
        )
        assert user is not None
        assert [group.name.lower() for group in user.groups.all()] == [login.role]
    assert [user.username for user in User.objects.filter(is_superuser=True)] == ["admin"]


@pytest.mark.django_db
def test_the_sites_know_the_stock_that_oci_has() -> None:
    plan = shop_plan(orders=64)

    prepare.make_sites(plan)
    prepare.make_sites(plan)

    assert list(Site.objects.values_list("id", "time_zone", "currency")) == [
        ("shop-de", "Europe/Berlin", "EUR"),
        ("shop-us", "America/New_York", "USD"),
    ]
    assert dict(InventoryList.objects.values_list("id", "list_type")) == {
        US.list_id: "group",
        DE.list_id: "location",
    }
    known = {
        (record.inventory_list_id, record.sku): record.ato
        for record in InventoryRecord.objects.all()
    }
    assert known == {key: Decimal(units) for key, units in plan.ato().items()}
    mug = InventoryRecord.objects.get(inventory_list=DE.list_id, sku="STMUG-SEA-2")
    assert mug.product_name == "Stoneware mug, sea glass, 400 ml"
