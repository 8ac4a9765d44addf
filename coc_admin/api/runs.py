"""Reconciliations: start one, read them.

A token sees the runs that may touch its sites, with only these sites' orders, and starts runs only
for its sites.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Schema, Status

from coc_admin.api.access import BearerToken, actor_of, sites_of, token_of
from coc_admin.api.pages import page_of, refuse_unknown
from coc_admin.api.problems import ApiProblem, InvalidRequest, NotFound
from coc_admin.api.run_serializers import (
    DryRunAnswer,
    DryRunRow,
    RunAnswer,
    RunPage,
    RunRequest,
)
from coc_admin.api.serializers import Cursor, Limit
from coc_admin.models import TokenScope
from coc_admin.pager import NEWEST_FIRST
from orders.errors import Problem
from orders.models import Order
from reconciliation.models import Run, RunEntry, Scope, Trigger
from reconciliation.runs import lifecycle
from reconciliation.runs.dry_run import DryRun, dry_run

router = Router(tags=["Reconciliation"])

LOOK = BearerToken(TokenScope.RECONCILIATION_RUN, TokenScope.STATUS_READ)
START = BearerToken(TokenScope.RECONCILIATION_RUN)

_NEEDS = {Scope.ORDERS: "orders", Scope.RUN_FAILURES: "run", Scope.SKU: "sku"}


class RunNotStarted(ApiProblem):
    """A reconciliation can't start; `active` is the open run, if that is why."""

    status = 409
    type = "run-refused"
    title = "The reconciliation was not started"

    def __init__(self, detail: str, active: dict[str, Any] | None) -> None:
        super().__init__(detail)
        self._active = active

    def members(self) -> dict[str, Any]:
        """Return the open run, or null."""
        return {"activeRun": self._active}


class RunFilters(Schema):
    """Which page of the runs is wanted."""

    limit: Limit = 50
    cursor: Cursor = None


@router.get("/reconciliation/runs", auth=LOOK, response=RunPage, operation_id="listRuns")
def list_runs(request: HttpRequest, filters: Query[RunFilters]) -> Any:
    """List reconciliations, the newest first."""
    refuse_unknown(request, filters)
    site_ids = sites_of(token_of(request))
    found = runs_of_sites(site_ids)
    page = page_of(NEWEST_FIRST, found, filters)
    counts = _counts(page.rows, site_ids)
    return {
        "runs": [_run(run, counts.get(run.pk, {})) for run in page.rows],
        "nextCursor": page.next_cursor or None,
    }


@router.get("/reconciliation/runs/{runId}", auth=LOOK, response=RunAnswer, operation_id="getRun")
def get_run(request: HttpRequest, run_id: Annotated[str, Path(alias="runId")]) -> Any:
    """Read one reconciliation; its counts move while it works."""
    refuse_unknown(request)
    site_ids = sites_of(token_of(request))
    run = None
    if run_id.isdecimal() and len(run_id) < 19:
        run = runs_of_sites(site_ids).filter(pk=int(run_id)).first()
    if run is None:
        raise NotFound("There is no such reconciliation, or it is of another site.")
    return run_answer(run, site_ids)


@router.post(
    "/reconciliation/runs",
    auth=START,
    response={202: RunAnswer, 200: DryRunAnswer},
    operation_id="startRun",
)
def start_run(request: HttpRequest, body: RunRequest) -> Any:
    """Start a reconciliation of the token's sites (202), or with dryRun return a forecast (200).

    Refused (409) while another run is active, while OCI is offline, and without orders in scope.
    """
    token = token_of(request)
    site_ids = sites_of(token)
    data = _scope_data(site_ids, body)
    if body.dryRun:
        would = dry_run(scope=body.scope, scope_data=data, told=site_ids, now=timezone.now())
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
        visible = active and runs_of_sites(site_ids).filter(pk=active.pk).first()
        raise RunNotStarted(
            refused.detail, run_answer(visible, site_ids) if visible else None
        ) from None
    return Status(202, run_answer(run, site_ids))


def runs_of_sites(site_ids: Collection[str]) -> QuerySet[Run]:
    """Return the runs that may have touched orders of these sites, the newest first."""
    of_all = ~Q(scope_data__has_any_keys=["site", "sites"])
    taken = Exists(RunEntry.objects.filter(run=OuterRef("pk"), order__site__in=site_ids))
    narrowed = Q()
    for site_id in site_ids:
        narrowed |= Q(scope_data__site=site_id)
    return Run.objects.filter(of_all | narrowed | taken).order_by("-pk")


def run_answer(run: Run, site_ids: Collection[str] | None) -> dict[str, Any]:
    """Return the API's answer about a run for a token of these sites, or all; one query."""
    return _run(run, _counts([run], site_ids).get(run.pk, {}))


def _run(run: Run, counts: dict[str, int]) -> dict[str, Any]:
    return RunAnswer.of(run, orders=sum(counts.values()), outcomes=counts)


def _counts(page: list[Run], site_ids: Collection[str] | None) -> dict[int, dict[str, int]]:
    """Return how many orders of these sites, or of all, are in each state, by run."""
    entries = RunEntry.objects.filter(run__in=[run.pk for run in page])
    if site_ids is not None:
        entries = entries.filter(order__site__in=site_ids)
    rows = (
        # Of an entry nothing is read but what `entries_by_state` has.
        entries.order_by("run", "state").values_list("run", "state").annotate(number=Count("*"))
    )
    counts: dict[int, dict[str, int]] = {}
    for run_id, state, number in rows:
        counts.setdefault(run_id, {})[state] = number
    return counts


def _scope_data(site_ids: Sequence[str], body: RunRequest) -> dict[str, Any]:
    """Return the scope's fields, always with the token's sites. Raises InvalidRequest."""
    given = body.scopeData.model_dump(exclude_none=True)
    needed = _NEEDS.get(body.scope)
    if needed and needed not in given:
        raise _invalid(needed, f"is required for the scope {body.scope}")
    allowed = {needed, "inventoryListId"} if body.scope == Scope.SKU else {needed}
    for name in given:
        if name not in allowed:
            raise _invalid(name, f"means nothing for the scope {body.scope}")
    data: dict[str, Any] = {"sites": list(site_ids)}
    if len(site_ids) == 1:
        data = {"site": site_ids[0]}
    if "orders" in given:
        data["orders"] = _order_ids(site_ids, given["orders"])
    if "inventoryListId" in given:
        data["list"] = given["inventoryListId"]
    return data | {name: given[name] for name in ("run", "sku") if name in given}


def _order_ids(site_ids: Sequence[str], numbers: list[str]) -> list[int]:
    """Return the orders with these numbers; a number used by several sites means all of them."""
    found = Order.objects.filter(site__in=site_ids, order_no__in=numbers)
    known = list(found.values_list("order_no", "pk"))
    names = {number for number, _ in known}
    unknown = [
        Problem(f"scopeData.orders[{index}]", "is no order of the site")
        for index, number in enumerate(numbers)
        if number not in names
    ]
    if unknown:
        raise InvalidRequest(unknown[:50])
    return sorted(pk for _, pk in known)


def _invalid(name: str, message: str) -> InvalidRequest:
    return InvalidRequest([Problem(f"scopeData.{name}", message)])


def _dry_run(would: DryRun) -> dict[str, Any]:
    return DryRunAnswer.of(would, rows=[DryRunRow.of(row) for row in would.rows])
