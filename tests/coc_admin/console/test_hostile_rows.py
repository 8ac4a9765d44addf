"""Every page over rows with hostile texts, and with secrets that no page may show."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import models
from django.test import Client

from coc_admin.accounts import tokens
from orders.models import MessageRoute, Order, Site
from reconciliation.models import Channel, ChannelKind
from tests.coc_admin.api.conftest import api_for
from tests.coc_admin.authorisation import TABLE
from tests.coc_admin.console.test_form_fuzz import MARKS, is_page, text_of
from tests.coc_admin.test_authorisation import objects, person

__all__ = ["objects"]

pytestmark = pytest.mark.django_db
MARK = "".join(MARKS)
# What is no text for people, but read by programs.
_CODES = {"body", "payload_hash", "token_hash", "sha256", "link", "time_zone", "target", "webhook"}


@pytest.fixture
def admin(objects: dict[str, Any]) -> Client:
    return person("administrator")


def free_texts(model: Any) -> list[str]:
    """Return the columns of a model in which anybody's words may stand."""
    return [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField)
        and not (field.choices or field.unique or field.name in _CODES or field.is_relation)
        and (field.max_length is None or field.max_length >= len(MARK))
    ]


def spoil() -> int:
    """Write hostile words into every free text; return how many columns there were."""
    columns = 0
    for label in ("orders", "reconciliation", "coc_admin"):
        for model in apps.get_app_config(label).get_models():
            if model._meta.model_name == "auditentry":
                continue
            names = free_texts(model)
            # Names that must differ stay as they are.
            apart = {n for c in model._meta.total_unique_constraints for n in c.fields}
            words = {name: MARK for name in names if name not in apart and name != "sku"}
            if words:
                model._default_manager.update(**words)
            columns += len(words)
    Order.objects.update(customer={"customerName": MARK, "email": MARK, "customerId": MARK})
    User.objects.update(first_name=MARK[:150], last_name=MARK[:150])
    return columns


def pages(admin: Client, objects: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of every address that is asked for by GET."""
    found = {}
    for name, (row, _) in TABLE.items():
        if not row.startswith("POST ") and name != "logout":
            found[name] = admin.get(row.format(**objects))
    return found


def test_hostile_words_are_shown_as_words(admin: Client, objects: dict[str, Any]) -> None:
    assert spoil() > 25
    shown = 0
    for name, answer in pages(admin, objects).items():
        text = text_of(answer)
        assert answer.status_code < 500 or name == "readyz", name
        if is_page(answer):
            assert [mark for mark in MARKS if mark in text] == [], name
            shown += "&lt;script&gt;alert(" in text
    assert shown > 20


def test_no_page_and_no_log_line_tells_a_secret(
    admin: Client, objects: dict[str, Any], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    site = Site.objects.get(pk="NorthShop")
    settings.COC_OCI_BASE_URL = "http://127.0.0.1:9"
    settings.COC_OCI_TOKEN_URL = "http://127.0.0.1:9/token"
    settings.COC_OCI_CLIENT_ID = "client"
    settings.COC_OCI_CLIENT_SECRET = "oci-secret-4711"
    settings.EMAIL_HOST_PASSWORD = "mail-secret-4711"
    token = tokens.make(name="mine", site=site, scopes=["orders:read"])
    MessageRoute.objects.create(
        site=site, webhook="https://hooks.example/way-4711", secret="route-secret-4711"
    )
    channel = Channel.objects.create(
        name="Hook",
        kind=ChannelKind.WEBHOOK,
        target="https://hooks.example/path-4711",
        secret="channel-secret-4711",
    )
    secrets = [
        token,
        "secret-4711",
        settings.SECRET_KEY,
        User.objects.get(username="anna").password,
    ]
    texts = {name: text_of(one) for name, one in pages(admin, objects).items()}
    own = {**objects, "channel": channel.pk}
    texts["own channel"] = text_of(admin.get("/alerts/channels/{channel}/".format(**own)))
    texts["test of the connection"] = text_of(admin.post("/settings/oci/", {}))
    for path in ("status", "alerts", "reports", "sites/NorthShop/orders", "nothing"):
        texts[path] = text_of(api_for(site, name=path).get(path))
    texts["logs"] = json.dumps([str(record.__dict__) for record in caplog.records])
    for name, text in texts.items():
        assert [secret for secret in secrets if secret and secret in text] == [], name
