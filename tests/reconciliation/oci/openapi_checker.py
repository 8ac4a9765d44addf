"""Check requests and answers against ``docs/oci-openapi.yaml``, the description of OCI's API.

    problems = checker().request("PUT", "/inventory/...", headers, raw)
    problems = checker().response("PUT", "/inventory/...", 200, headers, raw)

Both give a list of sentences, empty when all is well. Numbers are read as decimals, so that the
step of 0.001 (``x-oci-step``) is checked exactly. The token endpoint is described in prose only
(contract 1.1) and has ``token_request`` and ``token_response``.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote

import yaml
from jsonschema import FormatChecker, ValidationError, validators
from openapi_schema_validator import OAS30Validator

from tests.sources import OCI_DESCRIPTION

METHODS = frozenset({"get", "put", "post", "patch", "delete"})
Problems = list[str]


@cache
def checker() -> OpenApiChecker:
    """Return the checker, made once in this process."""
    return OpenApiChecker(yaml.safe_load(OCI_DESCRIPTION.read_text(encoding="utf-8")))


def _step(_: Any, step: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(instance, int | Decimal) and Decimal(instance) % Decimal(str(step)):
        yield ValidationError(f"{instance} is not a multiple of {step}")


def _minimum(_: Any, least: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
    number = isinstance(instance, int | Decimal) and not isinstance(instance, bool)
    if number and Decimal(instance) < Decimal(str(least)):
        yield ValidationError(f"{instance} is less than {least}")


def _combinations(_: Any, most: Any, instance: Any, __: Any) -> Iterator[ValidationError]:
    places = len(instance.get("locations", [])) + len(instance.get("groups", []))
    number = len(instance.get("skus", [])) * places
    if number > most:
        yield ValidationError(f"{number} combinations of SKU and place, {most} are allowed")


_Validator = validators.extend(
    OAS30Validator,
    {"x-oci-step": _step, "minimum": _minimum, "x-oci-max-combinations": _combinations},
)
_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    shape = r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})"
    return bool(re.fullmatch(shape, value)) and bool(datetime.fromisoformat(value))


class OpenApiChecker:
    """Checks against one OpenAPI 3.0 description."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._routes = [
            (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), path, item)
            for path, item in document["paths"].items()
        ]

    def operations(self) -> list[tuple[str, str, str]]:
        """Every ``(operationId, METHOD, path template)`` of the description."""
        return [
            (item[method]["operationId"], method.upper(), path)
            for _, path, item in self._routes
            for method in sorted(METHODS & item.keys())
        ]

    def declared(self) -> set[tuple[str, str]]:
        """Every ``(operationId, status)`` of the description; ``default`` stands for 5xx."""
        return {
            (item[method]["operationId"], str(status))
            for _, _, item in self._routes
            for method in METHODS & item.keys()
            for status in item[method]["responses"]
        }

    def operation_id(self, method: str, path: str) -> str | None:
        """The operation of a request, or None."""
        found = self._find(method, path)
        return str(found[0]["operationId"]) if found else None

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | str | None
    ) -> Problems:
        """What is wrong with a request."""
        found = self._find(method, path)
        if found is None:
            return [f"{method} {path} is not in the description"]
        operation, item, values = found
        problems = self._parameters(item, values, headers)
        lower = {name.lower(): value for name, value in headers.items()}
        if not re.fullmatch(r"Bearer \S+", lower.get("authorization", "")):
            problems.append("Authorization is not a bearer token")
        if "requestBody" not in operation:
            return problems + (["the operation takes no body"] if body else [])
        content = operation["requestBody"]["content"]
        return problems + self._content(content, lower.get("content-type"), body)

    def response(
        self,
        method: str,
        path: str,
        status: int,
        headers: Mapping[str, str],
        body: bytes | str | None,
    ) -> Problems:
        """What is wrong with an answer."""
        found = self._find(method, path)
        if found is None:
            return [f"{method} {path} is not in the description"]
        responses = found[0]["responses"]
        declared = responses.get(str(status)) or (
            responses.get("default") if status >= 500 else None
        )
        if declared is None:
            return [f"status {status} is not declared for {found[0]['operationId']}"]
        declared = self._resolve(declared)
        lower = {name.lower(): value for name, value in headers.items()}
        problems: Problems = []
        for name, header in declared.get("headers", {}).items():
            if name.lower() in lower:
                value = _header_value(self._resolve(header)["schema"], lower[name.lower()])
                problems += self._schema(self._resolve(header)["schema"], value, f"header {name}")
        if status == 429 and not lower.get("retry-after", "").isdigit():
            problems.append("429 without Retry-After in seconds")
        if "content" not in declared:
            return problems + ([f"{status} must have no body"] if body else [])
        if status >= 500 and not body:
            return problems
        return problems + self._content(declared["content"], lower.get("content-type"), body)

    def token_request(self, headers: Mapping[str, str], body: bytes | str | None) -> Problems:
        """What is wrong with a token request (contract 1.1)."""
        lower = {name.lower(): value for name, value in headers.items()}
        text = body.decode() if isinstance(body, bytes) else body or ""
        form = parse_qs(text)
        problems = []
        if not lower.get("authorization", "").startswith("Basic "):
            problems.append("the client is not named by HTTP Basic")
        if not lower.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            problems.append("the body is not a form")
        if form.get("grant_type") != ["client_credentials"]:
            problems.append("grant_type is not client_credentials")
        scopes = " ".join(form.get("scope", [])).split()
        if not any(re.fullmatch(r"SALESFORCE_COMMERCE_API:\w+", scope) for scope in scopes):
            problems.append("the scope does not name SALESFORCE_COMMERCE_API:<tenant>")
        if "client_secret" in form:
            problems.append("the secret is in the body")
        return problems

    def token_response(self, status: int, body: bytes | str) -> Problems:
        """What is wrong with a good token answer (contract 1.1)."""
        content = json.loads(body)
        good = isinstance(content.get("access_token"), str) and isinstance(
            content.get("expires_in"), int
        )
        return [] if status == 200 and good else ["not a token answer"]

    def _find(
        self, method: str, path: str
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]] | None:
        for pattern, _, item in self._routes:
            match = pattern.fullmatch(path.partition("?")[0])
            if match and method.lower() in item:
                values = {name: unquote(value) for name, value in match.groupdict().items()}
                return item[method.lower()], item, values
        return None

    def _parameters(
        self, item: dict[str, Any], values: Mapping[str, str], headers: Mapping[str, str]
    ) -> Problems:
        lower = {name.lower(): value for name, value in headers.items()}
        problems: Problems = []
        for parameter in map(self._resolve, item.get("parameters", [])):
            name = parameter["name"]
            value = values.get(name) if parameter["in"] == "path" else lower.get(name.lower())
            if value is not None:
                problems += self._schema(parameter["schema"], value, name)
        correlation = lower.get("correlation-id")
        if correlation is not None and not _is_uuid(correlation):
            problems.append("Correlation-Id is not a UUID")
        return problems

    def _content(
        self, content: dict[str, Any], kind: str | None, body: bytes | str | None
    ) -> Problems:
        media = (kind or "").partition(";")[0].strip().lower()
        if media not in content:
            return [f"content type {kind!r} is not one of {sorted(content)}"]
        text = body.decode("utf-8") if isinstance(body, bytes) else body or ""
        try:
            value = json.loads(text, parse_float=Decimal)
        except ValueError:
            return ["the body is not JSON"]
        return self._schema(content[media]["schema"], value, "body")

    def _schema(self, schema: dict[str, Any], value: Any, where: str) -> Problems:
        whole = {**schema, "components": self._document["components"]}
        found = _Validator(whole, format_checker=_FORMATS).iter_errors(value)
        return [
            f"{where} {'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found
        ]

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self._document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node


def _header_value(schema: dict[str, Any], text: str) -> Any:
    return int(text) if schema.get("type") == "integer" and text.isdigit() else text


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
