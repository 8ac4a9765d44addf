"""The API against its own document: schemathesis makes the calls, good ones and bad ones.

Whatever comes: an answer that the document names, in the form that it names, never a 5xx, nothing
changed by a refusal, and nothing at all for those who may not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi import checks

from coc_admin.accounts import tokens
from coc_admin.api.app import api as ninja_api
from coc_admin.models import ApiToken, TokenScope
from orders.models import Site
from reconciliation.models import ConnectionState
from tests import fuzzing, sampling
from tests.coc_admin.api.conftest import PROBLEM
from tests.coc_admin.api.test_openapi import OPERATIONS
from tests.coc_admin.console import scene

pytestmark = pytest.mark.fuzz

CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
KNOWN = {"siteId": "NorthShop", "orderNo": "0000012345", "sku": "MUG-01"}
EXAMPLES = sampling.short_or_long(3, 6)


@pytest.fixture(scope="module")
def schema() -> schemathesis.BaseSchema:
    document = ninja_api.get_openapi_schema(path_prefix="/api/v1/")
    loaded = from_dict(dict(document))
    loaded.app = get_wsgi_application()
    return loaded


@pytest.fixture
def site(db: None) -> Iterator[Site]:
    outage = scene.build_scene()
    scene.set_connection(ConnectionState.OFFLINE)
    # As Django's own test client does: the end of a request is not the end of the test.
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    yield outage.site
    signals.request_started.connect(close_old_connections)
    signals.request_finished.connect(close_old_connections)


def cases(schema: Any, operation_id: str, mode: GenerationMode) -> st.SearchStrategy[Case]:
    """Return calls of an operation; most refer to existing rows."""
    operation = schema.find_operation_by_id(operation_id)
    of_path = {parameter.name for parameter in operation.path_parameters}
    known: dict[str, Any] = {n: v for n, v in KNOWN.items() if n in of_path}
    anything = operation.as_strategy(generation_mode=mode)
    if not known:
        return anything
    return st.one_of(operation.as_strategy(generation_mode=mode, path_parameters=known), anything)


def play(schema: Any, operation_id: str, mode: GenerationMode, judge: Any) -> None:
    """Let `judge` look at each call; what a call changes is undone after it."""

    @fuzzing.fuzz(EXAMPLES)
    @given(case=cases(schema, operation_id, mode))
    def each(case: Case) -> None:
        with fuzzing.undone():
            judge(case)

    each()


def well_answered(case: Case, response: Any) -> None:
    assert response.status_code < 500 or is_known_503(response), case.as_curl_command()
    case.validate_response(response, checks=CHECKS)
    assert response.headers["cache-control"] == ["no-store"]
    if response.status_code >= 400:
        assert response.headers["content-type"] == [PROBLEM]
        assert response.json()["status"] == response.status_code


def is_known_503(response: Any) -> bool:
    """Whether OCI is needed for the answer and is away."""
    return response.status_code == 503 and response.json()["type"] == "oci-unavailable"


@pytest.mark.in_turn(2)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_answers_keep_to_the_document_and_refusals_change_nothing(
    schema: Any, site: Site, operation_id: str, mode: GenerationMode
) -> None:
    token = tokens.make(name="storefront", site=site, scopes=TokenScope.values)
    before = fuzzing.rows()

    def judge(case: Case) -> None:
        response = case.call(headers={"Authorization": f"Bearer {token}"})
        well_answered(case, response)
        if response.status_code >= 400 or case.method == "GET":
            assert fuzzing.rows() == before, case.as_curl_command()

    play(schema, operation_id, mode, judge)


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_without_the_right_token_nothing_is_told_or_changed(
    schema: Any, site: Site, operation_id: str
) -> None:
    stranger = {"Authorization": "Bearer coc_" + "0" * 40}
    other = Site.objects.get(pk="South Shop & Co")
    elsewhere = tokens.make(name="elsewhere", site=other, scopes=TokenScope.values)
    nothing = tokens.make(name="nothing", site=site, scopes=[TokenScope.STATUS_READ])
    ApiToken.objects.filter(name="nothing").update(scopes=[])
    before = fuzzing.rows()

    def judge(case: Case) -> None:
        for headers, status in (
            ({}, 401),
            (stranger, 401),
            ({"Authorization": f"Bearer {nothing}"}, 403),
        ):
            response = case.call(headers=headers)
            well_answered(case, response)
            assert response.status_code == status, case.as_curl_command()
        response = case.call(headers={"Authorization": f"Bearer {elsewhere}"})
        well_answered(case, response)
        if "siteId" in case.path_parameters:
            assert response.status_code in (400, 404), case.as_curl_command()
        if response.status_code < 400:
            assert "NorthShop" not in response.text
            assert "00000123" not in response.text
        if case.method == "GET" or response.status_code >= 400:
            assert fuzzing.rows() == before, case.as_curl_command()

    play(schema, operation_id, GenerationMode.POSITIVE, judge)
