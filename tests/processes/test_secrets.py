"""Secrets and customers do not turn up where they do not belong, whatever goes wrong."""

from __future__ import annotations

import copy
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from tests import migrated, sampling
from tests.orders.payloads import order_document
from tests.processes.mail_server import refusing_mail_server
from tests.processes.planted import Planted, database_files, files
from tests.processes.product import ROOT, environment, serve, wait_for
from tests.processes.stack import SITE, Stack, running_stack

pytestmark = pytest.mark.processes

CUSTOMERS = {"customer's e-mail", "customer's name", "customer's telephone"}
SECRETS = {
    "SECRET_KEY": "Kqv7-planted-key-0123456789abcdefghijklmnopqrstuvwxyzABCDEF",
    "OCI client secret": "Oq3-planted-client-secret-77",
    "database password": "Dq4-planted-database-password",
    "e-mail password": "Eq5-planted-email-password",
    "signing secret": "Wq6-planted-signing-secret-11",
    "address of a webhook": "Hq7plantedWebhookPath",
    "address of a Slack webhook": "Sq8plantedSlackPath",
    "password typed as a name": "Pq9-planted-password-typed",
    "password of a person": "Rq1-planted-password-right",
    "wrong token": "coc_Tq2plantedWrongToken0123456789",
    "token in an address": "Uq3plantedQueryToken0123456789",
    "customer's e-mail": "planted.person@customers.example",
    "customer's name": "Wilhelmina Plantedson",
    "customer's telephone": "+49 170 0077007 0077",
}
CHANNELS = """
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from reconciliation.models import Channel
hook, slack = "http://127.0.0.1:9/hook/{hook}", "http://127.0.0.1:9/services/T0/B0/{slack}"
Channel.objects.create(name="hook", kind="webhook", target=hook, secret="{signing}")
Channel.objects.create(name="slack", kind="slack", target=slack)
Channel.objects.create(name="mail", kind="email", target="somebody@shop.example")
user = User.objects.create_user("ada", password="{password}")
print("link", urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user))
"""


@dataclass
class Scene:
    """A product in which everything went wrong, and what was collected of it."""

    stack: Stack
    planted: Planted
    statuses: dict[str, int]

    def ask(self, name: str, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request, keep the answer."""
        url = f"http://127.0.0.1:{self.stack.env['PORT']}{path}"
        answer = requests.request(method, url, timeout=60, allow_redirects=False, **options)
        head = "\n".join(f"{key}: {value}" for key, value in answer.headers.items())
        self.planted.add(f"answer: {name}", f"{head}\n{answer.text}")
        self.statuses[name] = answer.status_code
        return answer

    def order(self, name: str, body: Any, *, token: str = "") -> None:
        """Send an order, keep the answer."""
        headers = {"Authorization": f"Bearer {token or self.stack.token}"}
        headers["Content-Type"] = "application/json"
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.ask(name, "POST", f"/api/v1/sites/{SITE}/orders", data=raw, headers=headers)

    def shell(self, code: str) -> str:
        """Run code in the product's own environment."""
        return self.stack.manage("shell", "--no-imports", "-c", code)


def an_order(number: str, **changes: Any) -> dict[str, Any]:
    person = {
        "customerName": SECRETS["customer's name"],
        "email": SECRETS["customer's e-mail"],
        "phone": SECRETS["customer's telephone"],
    }
    return order_document(number, [("SKU-1", 1)], currency="GBP", customerInfo=person) | changes


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with (
        refusing_mail_server() as mail_port,
        running_stack(
            tmp_path_factory.mktemp("secrets"),
            stock={"SKU-1": 100, "SKU-2": 100},
            names={},
            client_secret=SECRETS["OCI client secret"],
            SECRET_KEY=SECRETS["SECRET_KEY"],
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=str(mail_port),
            EMAIL_HOST_USER="shop",
            EMAIL_HOST_PASSWORD=SECRETS["e-mail password"],
            COC_WEBHOOKS_LOCAL="true",
            # What it says at length as well.
            COC_LOG_LEVEL="DEBUG",
        ) as stack,
    ):
        planted = Planted({**SECRETS, "API token": stack.token})
        made = Scene(stack, planted, {})
        everything_goes_wrong(made)
        collect(made)
        yield made


def everything_goes_wrong(scene: Scene) -> None:
    stack, planted = scene.stack, scene.planted
    channels = CHANNELS.format(
        hook=SECRETS["address of a webhook"],
        slack=SECRETS["address of a Slack webhook"],
        signing=SECRETS["signing secret"],
        password=SECRETS["password of a person"],
    )
    _, key, token = scene.shell(channels).split()
    planted.secrets["link to choose a password"] = token
    scene.order("an order", an_order("P-1"))
    refused_answers(scene)
    sign_in(scene)
    stack.oci.fault("badtoken")
    scene.order("an order while OCI refuses us", an_order("P-2"))
    poison = "tests.processes.poison.raises"
    scene.shell(f"from django_q.tasks import async_task; async_task({poison!r})")
    product = stack.product
    assert product is not None
    told = re.compile(r"Delivery \d+ over channel (\d+): ")
    wait_for(lambda: len(set(told.findall(product.output()))) == 3, "all channels to fail")
    wait_for(lambda: "poison" in product.output(), "the task to fail")
    wait_for(lambda: any((stack.folder / "impex").rglob("*offline*.json")), "a report")
    broken_database(scene, f"/set-password/{key}/{token}/")


def refused_answers(scene: Scene) -> None:
    query = {"token": SECRETS["token in an address"]}
    scene.order("a wrong token", an_order("P-3"), token=SECRETS["wrong token"])
    scene.ask("a token in the query of the API", "GET", "/api/v1/status", params=query)
    scene.ask("a token in the query of nothing", "GET", "/nothing/", params=query)
    scene.ask("a token in the query of a page", "GET", "/orders/", params=query)
    scene.order("no JSON", json.dumps(an_order("P-4")).encode()[:-1])
    scene.order("no order", an_order("P-5", currency="nothing", productItems=[]))
    scene.order("a customer that is none", an_order("P-6") | {"customerInfo": [an_order("P-6")]})
    scene.order("another order of that number", an_order("P-1", orderTotal=1))
    many = order_document("P-7", [("SKU-1", 5000)])["productItems"]
    scene.order("more than there is", an_order("P-7", productItems=many))


def sign_in(scene: Scene) -> None:
    page = scene.ask("sign in", "GET", "/login/")
    cookie = page.cookies["coc_csrf"]
    right, typed = SECRETS["password of a person"], SECRETS["password typed as a name"]
    for name, username, password in (
        ("the password as the name", typed, "x"),
        ("a wrong password", "ada", typed),
        ("the right password", "ada", right),
    ):
        form = {"username": username, "password": password, "csrfmiddlewaretoken": cookie}
        if name == "the password as the name":
            # The page that is shown again holds what was typed, for who typed it.
            url = f"http://127.0.0.1:{scene.stack.env['PORT']}/login/"
            requests.post(url, data=form, cookies={"coc_csrf": cookie}, timeout=60)
        else:
            scene.ask(name, "POST", "/login/", data=form, cookies={"coc_csrf": cookie})
    scene.ask("no CSRF token", "POST", "/login/", data={"username": typed, "password": right})


def broken_database(scene: Scene, link: str) -> None:
    address = scene.stack.env["DATABASE_URL"]

    def sql(text: str) -> None:
        if address.startswith("postgres"):
            with psycopg.connect(address, autocommit=True) as server:
                server.execute(text.encode())
            return
        with closing(sqlite3.connect(address.removeprefix("sqlite:///"), timeout=60)) as file:
            file.execute(text)

    if address.startswith("postgres"):
        # Whose message tells the whole row.
        sql("ALTER TABLE orders_order ADD CONSTRAINT boom CHECK (order_no <> 'P-8') NOT VALID")
        scene.order("a row that is refused", an_order("P-8"))
    for table in ("orders_hold", "auth_user"):
        sql(f"ALTER TABLE {table} RENAME TO gone")
        with suppress(requests.RequestException):
            scene.order(f"without {table}", an_order("P-9"))
            scene.ask(f"a link without {table}", "GET", link)
        sql(f"ALTER TABLE gone RENAME TO {table}")


def collect(scene: Scene) -> None:
    product, planted = scene.stack.product, scene.planted
    assert product is not None
    for path in ("/metrics", "/healthz", "/readyz"):
        scene.ask(path, "GET", path)
    planted.add("output", product.output())
    for path, raw in files(scene.stack.folder):
        where = path.relative_to(scene.stack.folder).parts[0]
        planted.add(f"files: {where}", raw)
    planted.add("database", database_files(scene.stack.folder))


def test_nothing_that_was_planted_turns_up(scene: Scene) -> None:
    allowed = {
        # Who asked is sent to the sign-in page, and from there to what was asked for.
        "answer: a token in the query of a page": {"token in an address"},
        # Reports tell the shop about its customers.
        "files: impex": CUSTOMERS,
        # Orders, and what messages are sent with.
        "database": CUSTOMERS
        | {"signing secret", "address of a webhook", "address of a Slack webhook"},
    }
    assert scene.planted.found(allowed) == []
    assert len(scene.planted.texts["output"]) > 5000


def test_everything_did_go_wrong(scene: Scene) -> None:
    output = scene.planted.texts["output"].decode()
    assert 500 in scene.statuses.values() or 503 in scene.statuses.values()
    assert scene.statuses["a wrong token"] == 401
    assert scene.statuses["no JSON"] == scene.statuses["no order"] == 400
    assert scene.statuses["the right password"] == 302
    assert "Traceback" in output
    assert "Internal Server Error: /set-password/(link)/" in output
    if scene.stack.env["DATABASE_URL"].startswith("postgres"):
        assert scene.statuses["a row that is refused"] == 500
        assert 'violates check constraint \\"boom\\"' in output
    assert b"planted" in scene.planted.texts["files: impex"], "the reports hold no customer"


def test_the_search_finds_what_is_planted_on_purpose(scene: Scene) -> None:
    """The control: a line that the product itself logs, and encoded forms."""
    code = (
        "import base64, logging; from django.conf import settings; log = logging.getLogger('x');"
        "log.warning('the secret is %s', settings.COC_OCI_CLIENT_SECRET);"
        "log.warning(base64.b64encode(f'shop:{settings.EMAIL_HOST_PASSWORD}'.encode()).decode())"
    )
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        cwd=ROOT,
        env=scene.stack.env,
        capture_output=True,
        check=True,
    )
    again = copy.deepcopy(scene.planted)
    before = set(again.found())
    again.add("output", done.stderr)
    assert set(again.found()) - before == {
        "OCI client secret in output",
        "e-mail password in output",
    }


FAULTY: dict[str, dict[str, str]] = {
    "no such database": {"DATABASE_URL": "postgres://shop:{}@127.0.0.1:9/coc"},
    "a mark in the password": {"DATABASE_URL": "postgres://shop:{}/x@127.0.0.1:5432/coc"},
    "a number sign in the password": {"DATABASE_URL": "postgres://shop:{}#x@127.0.0.1/coc"},
    "a bracket in the password": {"DATABASE_URL": "postgres://shop:{}]@127.0.0.1/coc"},
    "an unknown kind of database": {"DATABASE_URL": "mysql://shop:{}@127.0.0.1/coc"},
    "no scheme": {"DATABASE_URL": "shop:{}@127.0.0.1/coc"},
    "an unknown option": {"DATABASE_URL": "postgres://shop:{}@127.0.0.1/coc?nonsense={}"},
    "a broker that is none": {"COC_BROKER": "http://:{}@127.0.0.1:9/0"},
    "an address with a password": {"COC_OCI_BASE_URL": "shop:{}@oci.example"},
}


@pytest.mark.own_sqlite
@pytest.mark.parametrize("name", sampling.part(FAULTY, one_in=3))
def test_what_serve_says_of_faulty_settings_tells_no_secret(name: str, tmp_path: Path) -> None:
    secret = SECRETS["database password"]
    settings = {key: value.replace("{}", secret) for key, value in FAULTY[name].items()}
    env = environment(
        tmp_path,
        SECRET_KEY=SECRETS["SECRET_KEY"],
        COC_OCI_CLIENT_SECRET=SECRETS["OCI client secret"],
        EMAIL_HOST_PASSWORD=SECRETS["e-mail password"],
    )
    migrated.copy_sqlite(tmp_path / "coc.sqlite3")
    product = serve(env | settings, "--only", "worker", "monitor")
    try:
        wait_for(
            lambda: (
                product.process.poll() is not None
                or any(line.startswith(("worker", "monitor")) for line in product.lines)
            ),
            "the end, or the first thing that goes wrong",
        )
    finally:
        product.stop()
    planted = Planted(SECRETS)
    planted.add("output", product.output())
    assert planted.found() == []
