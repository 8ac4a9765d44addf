"""Pasted order numbers: which are orders, and which are not."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.http import HttpRequest

from coc_admin.accounts.site_access import site_access
from orders.models import Order

MOST_NUMBERS = 200
_LONGEST = 50
_BETWEEN = re.compile(r"[\s,;]+")


@dataclass(frozen=True, slots=True)
class Pasted:
    """The orders found, in the order of the numbers, the numbers not found, and those left out."""

    orders: list[Order]
    missing: list[str]
    left_out: int


def numbers_of(text: str) -> list[str]:
    """Return the parts of `text` between spaces, commas, semicolons and lines, each once."""
    return list(dict.fromkeys(part for part in _BETWEEN.split(text) if part))


def looks_like_numbers(text: str) -> bool:
    """Whether `text` is a list of order numbers: two or more parts, each with a digit."""
    parts = numbers_of(text)
    return len(parts) > 1 and all(any(c.isdigit() for c in part) for part in parts)


def orders_of_numbers(request: HttpRequest, numbers: list[str]) -> Pasted:
    """Return the results for the first 200 numbers; another site's order is not found."""
    asked = numbers[:MOST_NUMBERS]
    access = site_access(request)
    sites = [site.pk for site in access.shown_sites]
    # Naming the sites lets the unique index (site, order number) answer.
    possible = [number for number in asked if len(number) <= _LONGEST]
    rows = Order.objects.filter(site__in=sites, order_no__in=possible).order_by("captured_at", "id")
    by_number: dict[str, list[Order]] = {}
    for order in rows[: 2 * MOST_NUMBERS]:
        by_number.setdefault(order.order_no, []).append(order)
    return Pasted(
        orders=[order for number in asked for order in by_number.get(number, ())],
        missing=[number for number in asked if number not in by_number],
        left_out=len(numbers) - len(asked),
    )
