"""The OpenAPI document: django-ninja's, with our additions."""

from __future__ import annotations

import json
from typing import Any

from coc_admin.api.order_placement import RULE
from coc_admin.api.serializers import ProblemAnswer
from orders.payload import MAX_BYTES, order_schema
from orders.serializers import OrderAnswer

DESCRIPTION = """\
For storefronts, which place orders and ask for ATO, and for order management, which takes orders
once their reservation state is cleared. A token is good for the sites and the scopes it was made
with; what belongs to another site is answered as if it did not exist. Refusals are
problem+json with a stable type."""

SECURITY = "BearerToken"
_PROBLEM = {"$ref": "#/components/schemas/ProblemAnswer"}
_BINARY = {"schema": {"type": "string", "format": "binary"}}

# The meaning of a status in every operation that may return it.
_REFUSALS = {
    400: "The request is not valid; problems names each field.",
    401: "No valid token.",
    403: "The token lacks the scope.",
    404: "There is no such thing, or the token is not good for its site.",
    500: "Something went wrong here.",
    503: "Not available at the moment. Retry-After says when to try again.",
}
_WITH_BODY = {
    413: "The body is too large.",
    415: "The body is not JSON.",
}
_CONFLICTS = {
    "placeOrder": "Refused: short-on-stock with shortfalls, unknown-sku, order-number-taken,"
    " order-failed or order-in-progress. The order holds nothing, or not for long.",
    "cancelOrder": "It cannot be cancelled: it failed, was exported or was settled.",
    "changeOrder": "The order has another version (order-changed), the reservation is missing, or"
    " the status cannot change that way.",
    "startRun": "Not started; activeRun is the one under way, if that is why.",
}


def complete(document: Any) -> Any:
    """Return django-ninja's document plus placing orders, refusals and files."""
    schemas = document["components"]["schemas"]
    _add_answer_of_placement(schemas)
    schemas["ProblemAnswer"] = ProblemAnswer.model_json_schema()
    schemas |= _order_schemas()
    paths = document["paths"]
    orders = next(path for path in paths if path.endswith("/sites/{siteId}/orders"))
    paths[orders]["post"] = _place_order()
    for operations in paths.values():
        for operation in operations.values():
            _add_refusals(operation)
    report = next(path for path in paths if path.endswith("/reports/{fileName}"))
    paths[report]["get"]["responses"]["200"] = {
        "description": "The file.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": _BINARY,
        },
    }
    document["components"]["securitySchemes"] = {SECURITY: dict(RULE.openapi_security_schema)}
    return document


def _add_answer_of_placement(schemas: dict[str, Any]) -> None:
    """Add the special answers of `placeOrder`, which django-ninja does not know."""
    answer = OrderAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(answer.pop("$defs", {}))
    schemas["OrderAnswer"] = answer


def _order_schemas() -> dict[str, Any]:
    """Return the schemas of a placed order and its parts, by their names in the document."""
    text = json.dumps(order_schema()).replace("#/$defs/_", "#/components/schemas/Placed")
    order = json.loads(text)
    parts = {f"Placed{name[1:]}": schema for name, schema in order.pop("$defs").items()}
    return {"PlacedOrder": order, **parts}


def _place_order() -> dict[str, Any]:
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/PlacedOrder"}}}
    answer = {"application/json": {"schema": {"$ref": "#/components/schemas/OrderAnswer"}}}
    site = {"in": "path", "name": "siteId", "required": True, "schema": {"type": "string"}}
    return {
        "operationId": "placeOrder",
        "summary": "Place Order",
        "description": "Place an order, in the shape of the Salesforce Commerce API; unknown"
        " members are kept. The answer comes after the commit. The same order again is answered"
        f" with what is stored. At most {MAX_BYTES:,} bytes.",
        "tags": ["Orders"],
        "parameters": [site],
        "requestBody": {"required": True, "content": body},
        "responses": {
            "201": {"description": "Stored.", "content": answer},
            "200": {"description": "The same order was stored before.", "content": answer},
            "411": _refusal("The body comes in chunks, without a Content-Length."),
        },
        "security": [{SECURITY: []}],
    }


def _add_refusals(operation: dict[str, Any]) -> None:
    refusals = dict(_REFUSALS)
    if "requestBody" in operation:
        refusals |= _WITH_BODY
    conflict = _CONFLICTS.get(operation["operationId"])
    if conflict:
        refusals[409] = conflict
    answers = {str(status): answer for status, answer in operation["responses"].items()}
    answers |= {str(status): _refusal(meaning) for status, meaning in refusals.items()}
    operation["responses"] = dict(sorted(answers.items()))


def _refusal(meaning: str) -> dict[str, Any]:
    return {"description": meaning, "content": {"application/problem+json": {"schema": _PROBLEM}}}
