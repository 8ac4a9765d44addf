"""What a browser would send back of a form that it was shown."""

from __future__ import annotations

from typing import Any


def inputs_of(answer: Any) -> dict[str, Any]:
    """Return the values of the form on a page, as they would be posted."""
    values: dict[str, Any] = {}
    for field in answer.context["form"]:
        value = field.value()
        if value in (None, False, "", []):
            continue
        if value is True:
            value = "on"
        values[field.html_name] = value
    return values
