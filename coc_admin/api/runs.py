"""Reconciliations: where things stand, starting one, looking at them.

A token sees the runs that may touch its site, with that site's orders alone, and starts runs of its
site alone.
"""

from __future__ import annotations

from typing import Annotated, Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Schema, Status

from coc_admin.api.access import BearerToken, actor_of, token_of
from coc_admin.api.pages import cursor_of, place_of, refuse_unknown
from coc_admin.api.problems import ApiProblem, InvalidRequest, NotFound
from coc_admin.api.serializers import (
    Cursor,
    DryRunAnswer,
    Limit,
    RunAnswer,
    RunPage,
    RunRequest,
    StatusAnswer,
)
from coc_admin.models import ApiToken, TokenScope
from orders.errors import Problem
from orders.fields import json_number
from orders.models import Order
from orders.serializers import iso
from reconciliation import connection
from reconciliation.models import Run, RunEntry, Scope, Trigger
from reconciliation.runs import lifecycle, status
from reconciliation.runs.dry_run import DryRun, dry_run

router = Router(tags=["Reconciliation"])

LOOK = BearerToken(TokenScope.RECONCILIATION_RUN, TokenScope.STATUS_READ)
START = BearerToken(TokenScope.RECONCILIATION_RUN)

_NEEDS = {Scope.ORDERS: "orders", Scope.RUN_FAILURES: "run", Scope.SKU: "sku"}


class RunNotStarted(ApiProblem):
    """A reconciliation cannot start; `active` is the one under way, if that is why."""

    status = 409
    type = "run-refused"
    title = "The reconciliation was not started"

    def __init__(self, detail: str, active: dict[str, Any] | None) -> None:
        super().__init__(detail)
        self._active = active

    def members(self) -> dict[str, Any]:
        """Return the run under way, or null."""
        return {"activeRun": self._active}


class RunFilters(Schema):
    """Which page of the runs is wanted."""

    limit: Limit = 50
    cursor: Cursor = None


@router.get(
    "/status",
    auth=BearerToken(TokenScope.STATUS_READ),
    response=StatusAnswer,
    operation_id="getStatus",
)
def get_status(request: HttpRequest) -> Any:
    """Read the state of the connection to OCI and what waits for it at the token's site."""
    refuse_unknown(request)
    token = token_of(request)
    now = status.summary(sites=[token.site_id])
    last = runs_of_site(token.site_id).first()
    return {
        "connection": now.connection,
        "since": iso(now.since),
        "cause": now.cause,
        "calls": [
            {
                "kind": kind,
                "isAnswered": not connection.is_lost(calls, timezone.now()),
                "lastGoodAt": iso(calls.last_good_at),
                "p95Ms": calls.p95_ms,
            }
            for kind, calls in connection.healths().items()
        ],
        "waiting": {
            "orders": now.waiting.orders,
            "units": json_number(now.waiting.units),
            "value": {code: json_number(amount) for code, amount in now.waiting.value.items()},
            "oldestCapturedAt": iso(now.waiting.oldest_captured_at),
        },
        "needsReview": now.review,
        "oversold": now.oversold,
        "lastRun": None if last is None else run_answer(last, token.site_id),
    }


@router.get("/reconciliation/runs", auth=LOOK, response=RunPage, operation_id="listRuns")
def list_runs(request: HttpRequest, filters: Query[RunFilters]) -> Any:
    """List reconciliations, the newest first."""
    refuse_unknown(request, filters)
    site_id = token_of(request).site_id
    found = runs_of_site(site_id)
    if filters.cursor:
        found = found.filter(pk__lt=place_of(filters.cursor, int)[0])
    rows = list(found[: filters.limit + 1])
    page = rows[: filters.limit]
    counts = _counts(page, site_id)
    return {
        "runs": [_run(run, counts.get(run.pk, {})) for run in page],
        "nextCursor": cursor_of(page[-1].pk) if len(rows) > len(page) else None,
    }


@router.get("/reconciliation/runs/{runId}", auth=LOOK, response=RunAnswer, operation_id="getRun")
def get_run(request: HttpRequest, run_id: Annotated[str, Path(alias="runId")]) -> Any:
    """Read one reconciliation; its counts move while it works."""
    refuse_unknown(request)
    site_id = token_of(request).site_id
    run = None
    if run_id.isdecimal() and len(run_id) < 19:
        run = runs_of_site(site_id).filter(pk=int(run_id)).first()
    if run is None:
        raise NotFound("There is no such reconciliation, or it is of another site.")
    return run_answer(run, site_id)


@router.post(
    "/reconciliation/runs",
    auth=START,
    response={202: RunAnswer, 200: DryRunAnswer},
    operation_id="startRun",
)
def start_run(request: HttpRequest, body: RunRequest) -> Any:
    """Start a reconciliation of the token's site (202), or with dryRun say what it would do (200).

    Refused (409) while another one is active, while OCI is away, and with nothing to do.
    """
    token = token_of(request)
    data = _scope_data(token, body)
    if body.dryRun:
        would = dry_run(scope=body.scope, scope_data=data, told=[token.site_id], now=timezone.now())
        return Status(200, _dry_run(would))
    try:
        run = lifecycle.start_run(
            trigger=Trigger.API,
            actor=actor_of(token),
            scope=body.scope,
            scope_data=data,
            reason=body.reason.strip(),
            now=timezone.now(),
        )
    except lifecycle.RunRefused as refused:
        active = refused.active_run
        visible = active and runs_of_site(token.site_id).filter(pk=active.pk).first()
        raise RunNotStarted(
            refused.detail, run_answer(visible, token.site_id) if visible else None
        ) from None
    return Status(202, run_answer(run, token.site_id))


def runs_of_site(site_id: str) -> QuerySet[Run]:
    """Return the runs that may have touched orders of the site, the newest first."""
    of_all = ~Q(scope_data__has_any_keys=["site", "sites"])
    taken = Exists(RunEntry.objects.filter(run=OuterRef("pk"), order__site=site_id))
    return Run.objects.filter(of_all | Q(scope_data__site=site_id) | taken).order_by("-pk")


def run_answer(run: Run, site_id: str) -> dict[str, Any]:
    """Return what the API says of a run to a token of the site; one query."""
    return _run(run, _counts([run], site_id).get(run.pk, {}))


def _run(run: Run, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "id": run.pk,
        "state": run.state,
        "trigger": run.trigger,
        "scope": run.scope,
        "isActive": run.is_active,
        "createdAt": iso(run.created_at),
        "startedAt": iso(run.started_at),
        "finishedAt": iso(run.finished_at),
        "orders": sum(counts.values()),
        "outcomes": counts,
    }


def _counts(page: list[Run], site_id: str) -> dict[int, dict[str, int]]:
    """Return how many orders of the site are in each state, by run."""
    rows = (
        RunEntry.objects.filter(run__in=[run.pk for run in page], order__site=site_id)
        .order_by("run", "state")
        .values_list("run", "state")
        .annotate(number=Count("pk"))
    )
    counts: dict[int, dict[str, int]] = {}
    for run_id, state, number in rows:
        counts.setdefault(run_id, {})[state] = number
    return counts


def _scope_data(token: ApiToken, body: RunRequest) -> dict[str, Any]:
    """Return what narrows the scope, the token's site always. Raises InvalidRequest."""
    given = body.scopeData.model_dump(exclude_none=True)
    needed = _NEEDS.get(body.scope)
    if needed and needed not in given:
        raise _invalid(needed, f"is required for the scope {body.scope}")
    allowed = {needed, "inventoryListId"} if body.scope == Scope.SKU else {needed}
    for name in given:
        if name not in allowed:
            raise _invalid(name, f"means nothing for the scope {body.scope}")
    data: dict[str, Any] = {"site": token.site_id}
    if "orders" in given:
        data["orders"] = _order_ids(token, given["orders"])
    if "inventoryListId" in given:
        data["list"] = given["inventoryListId"]
    return data | {name: given[name] for name in ("run", "sku") if name in given}


def _order_ids(token: ApiToken, numbers: list[str]) -> list[int]:
    known = dict(
        Order.objects.filter(site=token.site_id, order_no__in=numbers).values_list("order_no", "pk")
    )
    unknown = [
        Problem(f"scopeData.orders[{index}]", "is no order of the site")
        for index, number in enumerate(numbers)
        if number not in known
    ]
    if unknown:
        raise InvalidRequest(unknown[:50])
    return sorted(set(known.values()))


def _invalid(name: str, message: str) -> InvalidRequest:
    return InvalidRequest([Problem(f"scopeData.{name}", message)])


def _dry_run(would: DryRun) -> dict[str, Any]:
    return {
        "orders": would.orders,
        "units": json_number(would.units),
        "value": {code: json_number(amount) for code, amount in sorted(would.value.items())},
        "expected": {state.value: number for state, number in sorted(would.by_outcome.items())},
        "stockAt": iso(would.stock_at),
        "forecastOf": would.forecast_of,
        "rows": [
            {
                "orderNo": row.order.order_no,
                "units": json_number(row.units),
                "expected": row.expected,
            }
            for row in would.rows
        ],
    }
