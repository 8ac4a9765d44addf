"""The JSON Schemas of the report files, generated from `.serializers`.

`manage.py write_report_schemas` writes them to schemas/; a test compares.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reconciliation.models import ReportType
from reconciliation.reports.serializers import (
    SCHEMA_VERSION,
    ReportItem,
    ReportOrder,
    ReportResolution,
)

FOLDER = Path(__file__).parent / "schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_RESOLVED = "An order must not be acted upon again when it has a resolution."
# Members of every release; files of earlier ones lack the newer members.
_ALWAYS = frozenset(
    {
        *("siteId", "orderNo", "capturedAt", "reconciledAt", "reservationState", "reservationId"),
        *("reservationIds", "currency", "orderTotal", "customer", "items", "runId", "resolution"),
        *("itemId", "sku", "productName", "inventoryListId", "quantity", "reservedQuantity"),
        *("shortQuantity", "unitPrice", "what", "at", "by", "note"),
    }
)


def daily_report() -> dict[str, Any]:
    """Return the schema of a daily report."""
    order = _order()
    definitions = order.pop("$defs")
    properties: dict[str, Any] = {
        **_head(),
        "siteId": order["properties"]["siteId"],
        "date": {"type": "string", "format": "date"},
        "timeZone": {"type": "string"},
        "revision": {
            "type": "integer",
            "minimum": 1,
            "description": "Grows with each time the report is written",
        },
        "generatedAt": {"type": "string", "format": "date-time"},
        "orderCount": {"type": "integer", "minimum": 0},
        "orders": {"type": "array", "items": {"$ref": "#/$defs/order"}},
    }
    return {
        "$schema": _DIALECT,
        "title": "Daily report of one site",
        "description": "The orders captured offline on one day of the site's time zone, by capture;"
        f" one order a line. {_RESOLVED}",
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
        "$defs": {"order": order, **definitions},
    }


def work_file() -> dict[str, Any]:
    """Return the schema of a work file: the members of one order, after a head."""
    order = _order()
    return {
        "$schema": _DIALECT,
        "title": "Work file of one order",
        "description": _RESOLVED,
        **order,
        "required": [*_head(), *order["required"]],
        "properties": _head() | order["properties"],
    }


def _head() -> dict[str, Any]:
    return {"schemaVersion": {"const": SCHEMA_VERSION}, "reportType": {"enum": ReportType.values}}


def _order() -> dict[str, Any]:
    made = ReportOrder.model_json_schema(ref_template="#/$defs/{model}")
    parts = made.pop("$defs")
    names = {ReportItem.__name__: "item", ReportResolution.__name__: "resolution"}
    order: dict[str, Any] = _plain(made, parts, names)
    order["$defs"] = {name: _plain(parts[model], parts, names) for model, name in names.items()}
    return order


def _plain(schema: Any, parts: dict[str, Any], names: dict[str, str]) -> Any:
    """Return `schema` in the form of the files: no titles, inline enumerations, null as a type."""
    if isinstance(schema, list):
        return [_plain(one, parts, names) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "properties" in schema:
        properties = {name: _plain(one, parts, names) for name, one in schema["properties"].items()}
        return {
            "type": "object",
            "additionalProperties": False,
            "required": [name for name in schema["required"] if name in _ALWAYS],
            "properties": properties,
        }
    plain = {
        key: _plain(value, parts, names)
        for key, value in schema.items()
        if key not in ("title", "$ref", "anyOf")
    }
    if "$ref" in schema:
        model = schema["$ref"].rpartition("/")[2]
        if model in names:
            return plain | {"$ref": f"#/$defs/{names[model]}"}
        return plain | {"enum": [value for value in parts[model]["enum"] if value]}
    if "anyOf" in schema:
        kinds = [_plain(one, parts, names) for one in schema["anyOf"]]
        if any("$ref" in kind for kind in kinds):
            return plain | {"oneOf": sorted(kinds, key=lambda kind: "$ref" in kind)}
        types = list(dict.fromkeys(kind["type"] for kind in kinds))
        # An integer is a number.
        types = [one for one in types if one != "integer" or "number" not in types]
        plain["type"] = types if len(types) > 1 else types[0]
    return plain


def files() -> dict[Path, str]:
    """Return the text of each file of FOLDER."""
    made = {"daily-report": daily_report(), "work-file": work_file()}
    return {
        FOLDER / f"{name}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in made.items()
    }
