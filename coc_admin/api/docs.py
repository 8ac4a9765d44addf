"""The OpenAPI document as a page of the console: no scripts, and nothing from another host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import DocsBase

Schema = dict[str, Any]


class PlainDocs(DocsBase):
    """Renders the document on the server."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        """Return the rendered page."""
        document = api.get_openapi_schema()
        schemas: dict[str, Schema] = document["components"]["schemas"]
        context = {
            "document": document,
            "operations": [
                _operation(method, path, operation, schemas)
                for path, methods in document["paths"].items()
                for method, operation in methods.items()
            ],
            "schemas": [
                (name, _members(schema, schemas))
                for name, schema in sorted(schemas.items())
                if "properties" in schema
            ],
        }
        return render(request, "api/docs.html", context)


@dataclass(frozen=True, slots=True)
class Kind:
    """A type in words, and the name of its schema on the page, if it has one."""

    words: str
    schema: str = ""


def _operation(
    method: str, path: str, operation: Schema, schemas: dict[str, Schema]
) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "description": operation["description"],
        "parameters": [
            (
                one["name"],
                one["in"],
                one["required"],
                # Nobody sends null in a path or a query.
                kind_of(one["schema"], schemas).words.removesuffix(" or null"),
                one.get("description", ""),
            )
            for one in operation["parameters"]
        ],
        "body": kind_of(body["schema"], schemas) if body else None,
        "answers": [
            (status, answer["description"], _kind_of_answer(answer, schemas))
            for status, answer in operation["responses"].items()
        ],
    }


def _kind_of_answer(answer: Schema, schemas: dict[str, Schema]) -> Kind:
    content = answer["content"]
    if len(content) > 1:
        return Kind(", ".join(content))
    return kind_of(next(iter(content.values()))["schema"], schemas)


def _members(schema: Schema, schemas: dict[str, Schema]) -> list[tuple[str, bool, Kind, str]]:
    required = schema.get("required", [])
    return [
        (name, name in required, kind_of(member, schemas), member.get("description", ""))
        for name, member in schema["properties"].items()
    ]


def kind_of(schema: Schema, schemas: dict[str, Schema]) -> Kind:
    """Return the type that `schema` describes."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        meant = schemas[name]
        return Kind(name, name) if "properties" in meant else kind_of(meant, schemas)
    for several in ("anyOf", "allOf", "oneOf"):
        if several in schema:
            kinds = [kind_of(one, schemas) for one in schema[several]]
            words = " or ".join(dict.fromkeys(kind.words for kind in kinds))
            return Kind(words, next((kind.schema for kind in kinds if kind.schema), ""))
    if "enum" in schema:
        return Kind(", ".join(str(value) for value in schema["enum"]))
    if schema.get("type") == "array":
        inner = kind_of(schema.get("items", {}), schemas)
        return Kind(f"list of {inner.words}", inner.schema)
    return Kind(str(schema.get("format") or schema.get("type") or "anything"))
