"""Types that calls of the API share, and the order columns they need.

Each type is defined once: orders in `orders.serializers` and `orders.documents`, the others beside
their call. The OpenAPI document is generated from these definitions. Member names are those of the
API. Quantities and amounts are JSON numbers, times are ISO 8601 in UTC with milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from ninja import Schema
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from coc_admin.pager import MOST_ROWS
from orders.documents import OrderDocument
from orders.fields import json_number
from orders.members import Write
from orders.models import ExportStatus, ReservationState
from orders.payload_values import Text

LARGEST_ID = 2**63 - 1


def _in_our_time(value: datetime) -> datetime:
    if not 2000 <= value.year <= 2200:
        raise ValueError("use a year from 2000 to 2200")
    return value


def _written_out(value: object) -> object:
    """Return a date given as text; a number would count as seconds since 1970."""
    if isinstance(value, str) and not _ISO_DAY.match(value):
        raise ValueError("use a date as 2026-02-02")
    if isinstance(value, str) and _LOST_PLUS.search(value):
        raise ValueError("write the + of a UTC offset as %2B in an address")
    return value


_ISO_DAY = re.compile(r"\A\d{4}-\d{2}-\d{2}", re.ASCII)
_LOST_PLUS = re.compile(r":\d{2}(\.\d+)? \d{2}:?\d{2}\Z", re.ASCII)
# Members named date would hide the type.
Day = Annotated[date, BeforeValidator(_written_out)]
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_our_time)]
Limit = Annotated[int, Field(ge=1, le=MOST_ROWS, description="Rows of one page.")]
Cursor = Annotated[str | None, Field(max_length=100, description="nextCursor of the page before.")]
Reason = Annotated[
    Text, Field(min_length=1, max_length=500, pattern=r"\S", description="Shown in the history.")
]


def amounts(value: Mapping[str, Decimal]) -> dict[str, int | float]:
    """Return amounts by currency as JSON numbers."""
    return {code: json_number(amount) for code, amount in value.items()}


Amounts = Annotated[dict[str, int | float], Write(amounts), Field(description="By currency.")]


class Strict(Schema):
    """A body in which a member that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid")


class OrderPage(Schema):
    """Orders by time of capture, the oldest first."""

    orders: list[OrderDocument]
    nextCursor: str | None = Field(description="null on the last page.")


class OrderFilters(Schema):
    """Which orders are wanted."""

    reservationState: ReservationState | None = None
    exportStatus: ExportStatus | None = None
    capturedFrom: Annotated[Moment | None, Field(description="This moment or later.")] = None
    capturedTo: Annotated[Moment | None, Field(description="Before this moment.")] = None
    capturedOffline: bool | None = None
    limit: Limit = 50
    cursor: Cursor = None


class OrderChange(Strict):
    """What order management changes of an order."""

    exportStatus: ExportStatus
    version: Annotated[
        int | None,
        Field(
            ge=0,
            le=LARGEST_ID,
            validate_default=True,
            description="The version that was taken; required with exported. Refused with"
            " order-changed if the order has another one by now: read it again.",
        ),
    ] = None

    @field_validator("version", mode="before")
    @classmethod
    def _version_is_a_number(cls, value: object) -> object:
        if isinstance(value, bool):  # true would count as 1
            raise ValueError("use a number")
        return value

    @field_validator("version")
    @classmethod
    def _exported_names_a_version(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is None and info.data.get("exportStatus") == ExportStatus.EXPORTED:
            raise ValueError("name the version that you took")
        return value


class Cancellation(Strict):
    """Why an order is cancelled."""

    reason: Reason


class ProblemAnswer(Schema):
    """A refusal (RFC 9457). Some types carry more members, such as skus or activeRun."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Stable; what programs look at.")
    title: str
    status: int
    detail: str
    problems: list[dict[str, Any]] | None = None
    shortfalls: list[dict[str, Any]] | None = None
