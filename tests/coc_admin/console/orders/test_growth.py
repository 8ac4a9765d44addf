"""The page of a payload takes work in proportion to the part it shows."""

from __future__ import annotations

import json

from coc_admin.console.orders import payload_views
from tests.growth import calls_of


def deep(count: int) -> str:
    return "[" * 500 + "1," * count + "1" + "]" * 500


def test_a_payload_is_indented_no_further_than_it_is_shown() -> None:
    few, many = (calls_of(lambda n=n: payload_views._indented(deep(n))) for n in (2_000, 8_000))
    # Four times the items; calls made by garbage collection in between also count.
    assert many < few * 1.1
    assert len(payload_views._indented(deep(8_000))) < payload_views.MOST_CHARACTERS + 2_000


def test_a_payload_that_is_shown_in_full_is_the_same_as_ever() -> None:
    body = {"orderNo": "1", "items": [{"sku": "Müg", "n": 1.5}], "none": None}
    assert payload_views._indented(json.dumps(body)) == json.dumps(
        body, ensure_ascii=False, indent=2
    )
