"""Comparing OCI's reservation documents with ours, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from django.utils import timezone

from reconciliation import remedies
from reconciliation.models import DocumentState, Release, ReservationDocument
from tests.engine import MIA, D, Engine
from tests.reconciliation.remedies.adjustments import keep

pytestmark = pytest.mark.django_db


@pytest.fixture
def audited(engine: Engine, settings: Any) -> Engine:
    """Return an engine whose first order holds something at OCI for five minutes."""
    settings.COC_OCI_AUDIT_SCOPE = (
        "SALESFORCE_COMMERCE_API:abcd_001 sfcc.inventory.impex-inventory"
        " sfcc.inventory.impex-inventory.rw"
    )
    site = engine.site({"MUG": 9, "CUP": 5})
    engine.place(site, "A-1", [("MUG", 2), ("CUP", 1)])
    engine.place(site, "A-2", [("MUG", 1)])
    past = timezone.now() - timedelta(minutes=5)
    ReservationDocument.objects.update(sent_at=past, answered_at=past)
    return engine


def audit() -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("audit_oci", stdout=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def call(engine: Engine, method: str, reservation_id: object, body: dict[str, Any]) -> None:
    base = f"{engine.oci.base_url}/inventory/reservation/v1/organizations"
    answer = requests.request(
        method,
        f"{base}/{engine.oci.tenant_group_id}/reservation-documents/{reservation_id}",
        json=body,
        headers={"Authorization": f"Bearer {engine.oci.token()}"},
        timeout=10,
    )
    assert answer.status_code < 300, answer.text


def test_agreement_is_exit_code_0(audited: Engine) -> None:
    assert audit() == (0, "OCI holds what our documents say.\n")


def test_what_oci_has_lost_or_has_more_of_is_listed(audited: Engine) -> None:
    audited.keeps_promises = False
    first, second = ReservationDocument.objects.order_by("pk")
    audited.oci.reset("reservations")
    code, text = audit()
    assert code == 1
    assert f"missing there: order {first.order}: {first.reservation_id}: here" in text
    assert "1 CUP (group web), 2 MUG (group web)" in text
    assert str(second.reservation_id) in text
    assert text.endswith("2 documents differ.\n")


def test_other_quantities_and_documents_that_are_over_here_are_listed(audited: Engine) -> None:
    audited.keeps_promises = False
    first, second = ReservationDocument.objects.order_by("pk")
    held = [{**line, "quantity": "1"} for line in first.held]
    ReservationDocument.objects.filter(pk=first.pk).update(held=held)
    ReservationDocument.objects.filter(pk=second.pk).update(state=DocumentState.CANCELLED)
    code, text = audit()
    assert code == 1
    assert f"other quantity: order {first.order}" in text
    assert f"still held there: order {second.order}" in text


def test_a_document_that_names_our_order_and_is_not_ours_is_listed(audited: Engine) -> None:
    lines = [{"id": "web", "reservations": [{"sku": "MUG", "quantity": 1}]}]
    others = "7d9f4c1e-0000-4f0e-8c67-0d2b9a6e3f15", "7d9f4c1e-1111-4f0e-8c67-0d2b9a6e3f15"
    ref = audited.oci.books()["documents"][0]["externalRefId"]
    call(audited, "PUT", others[0], {"externalRefId": ref, "groups": lines})
    call(audited, "PUT", others[1], {"externalRefId": "of another system", "groups": lines})
    code, text = audit()
    assert code == 1
    assert f"unknown here: order {ref}: {others[0]}" in text
    assert others[1] not in text


def test_a_document_that_oci_has_closed_is_no_finding(audited: Engine) -> None:
    first = ReservationDocument.objects.order_by("pk")[0]
    call(audited, "PATCH", first.reservation_id, {"status": "CANCELLED"})
    audited.keeps_promises = False
    assert audit()[0] == 0


@pytest.mark.parametrize("style", ["fails", "truncated"])
def test_an_export_that_is_not_whole_proves_nothing(audited: Engine, style: str) -> None:
    audited.oci.settings(exportStyle=style)
    with pytest.raises(CommandError, match="cannot be compared"):
        audit()


@pytest.mark.parametrize("follows", ["yes", "no"])
def test_what_was_released_without_its_document_is_no_difference(
    audited: Engine, follows: str
) -> None:
    audited.oci.settings(documentsFollow=follows)
    document = ReservationDocument.objects.order_by("pk")[0]
    keeps = [keep("CUP", 1, 1), keep("MUG", 2, 1)]
    remedies.release_part(
        document_id=document.pk, keeps=keeps, actor=MIA, reason="r", clock=audited.clock
    )
    past = timezone.now() - timedelta(minutes=5)
    Release.objects.update(answered_at=past)
    assert audit() == (0, "OCI holds what our documents say.\n")
    remedies.give_back(document_id=document.pk, actor=MIA, reason="r", clock=audited.clock)
    Release.objects.update(answered_at=past)
    assert audit() == (0, "OCI holds what our documents say.\n")


def test_a_touched_document_with_a_third_quantity_is_listed(audited: Engine) -> None:
    audited.keeps_promises = False
    document = ReservationDocument.objects.order_by("pk")[0]
    keeps = [keep("CUP", 1, 1), keep("MUG", 2, 1)]
    remedies.release_part(
        document_id=document.pk, keeps=keeps, actor=MIA, reason="r", clock=audited.clock
    )
    Release.objects.update(answered_at=timezone.now() - timedelta(minutes=5), quantity=D("0.5"))
    code, text = audit()
    assert code == 1
    assert "here 1 CUP (group web), 1.5 MUG (group web); at OCI 1 CUP (group web), 1 MUG" in text
