"""Reconciliations: a token sees and starts those of its own site."""

from __future__ import annotations

from typing import Any

import pytest

from coc_admin.models import TokenScope
from orders.models import Order
from reconciliation.models import Batch, Run, RunEntry, RunState, Scope, Trigger
from reconciliation.runs import lifecycle
from tests.coc_admin.api.conftest import Api, api_for, body, problem
from tests.coc_admin.console import scene
from tests.coc_admin.console.scene import NOW, ConnectionState, Scene
from tests.reconciliation.oci.simulator_process import SimulatorProcess

RUNS = "reconciliation/runs"

STOCK = "NorthShop-stock"


@pytest.fixture
def api(outage: Scene) -> Api:
    return api_for(outage.site)


class TestLooking:
    def test_one(self, api: Api, theirs: Api, outage: Scene) -> None:
        found = body(api.get(f"{RUNS}/{outage.run.pk}"))
        assert found == body(api.get("status"))["lastRun"]
        assert found["orders"] == 5
        assert body(theirs.get(f"{RUNS}/{outage.run.pk}"))["orders"] == 1

    def test_newest_first_in_pages(self, api: Api, outage: Scene) -> None:
        made = [outage.run, *(scene.make_run(state=RunState.COMPLETED) for _ in range(4))]
        expected = [run.pk for run in reversed(made)]
        for limit in (1, 2, 5, 200):
            found, cursor = [], ""
            while True:
                page = body(api.get(f"{RUNS}?limit={limit}{cursor}"))
                found += [run["id"] for run in page["runs"]]
                if page["nextCursor"] is None:
                    break
                cursor = f"&cursor={page['nextCursor']}"
            assert found == expected

    def test_runs_of_another_site_are_not_there(self, api: Api, theirs: Api, outage: Scene) -> None:
        mine = scene.make_run()
        Run.objects.filter(pk=mine.pk).update(scope_data={"site": "NorthShop"})
        assert [run["id"] for run in body(api.get(RUNS))["runs"]] == [mine.pk, outage.run.pk]
        assert [run["id"] for run in body(theirs.get(RUNS))["runs"]] == [outage.run.pk]
        problem(theirs.get(f"{RUNS}/{mine.pk}"), 404, "not-found")
        assert body(theirs.get("status"))["lastRun"]["id"] == outage.run.pk

    @pytest.mark.in_turn(3)
    @pytest.mark.parametrize(
        "run_id", ["0", "-1", "x", "9" * 30, "9223372036854775808", "1.0", "%00"]
    )
    def test_no_such_run(self, api: Api, run_id: str) -> None:
        problem(api.get(f"{RUNS}/{run_id}"), 404, "not-found")

    @pytest.mark.parametrize(
        ("query", "field"),
        [("limit=0", "limit"), ("cursor=x", "cursor"), ("site=NorthShop", "site")],
    )
    def test_a_query_that_makes_no_sense(self, api: Api, query: str, field: str) -> None:
        found = problem(api.get(f"{RUNS}?{query}"), 400, "invalid-request")
        assert [one["field"] for one in found["problems"]] == [field]


class TestStarting:
    def test_everything_that_waits_at_the_site(self, api: Api, theirs: Api, outage: Scene) -> None:
        found = body(api.post(RUNS, {"reason": "After the outage."}), 202)

        run = Run.objects.latest("pk")
        assert (run.trigger, run.actor, run.scope) == (Trigger.API, "storefront", Scope.MISSING)
        assert run.scope_data == {"site": "NorthShop"}
        assert run.reason == "After the outage."
        assert run.is_active
        assert found == body(api.get(f"{RUNS}/{run.pk}"))
        assert (found["state"], found["trigger"], found["orders"]) == ("queued", "api", 0)

    @pytest.mark.parametrize(
        ("sent", "data"),
        [
            ({"scope": "oversold"}, {}),
            (
                {
                    "scope": "sku",
                    "scopeData": {"sku": "MUG-01", "inventoryListId": "NorthShop-stock"},
                },
                {"sku": "MUG-01", "list": "NorthShop-stock"},
            ),
            ({"scope": "sku", "scopeData": {"sku": "MUG-01"}}, {"sku": "MUG-01"}),
        ],
    )
    def test_by_scope(
        self, api: Api, outage: Scene, sent: dict[str, Any], data: dict[str, Any]
    ) -> None:
        body(api.post(RUNS, sent), 202)
        run = Run.objects.latest("pk")
        assert (run.scope, run.scope_data) == (sent["scope"], {"site": "NorthShop", **data})

    def test_what_one_run_left(self, api: Api, outage: Scene) -> None:
        sent = {"scope": "run_failures", "scopeData": {"run": outage.run.pk}}
        body(api.post(RUNS, sent), 202)
        assert Run.objects.latest("pk").scope_data == {"site": "NorthShop", "run": outage.run.pk}

    def test_chosen_orders_by_their_numbers(self, api: Api, theirs: Api, outage: Scene) -> None:
        sent = {
            "scope": "orders",
            "scopeData": {"orders": [outage.partial.order_no, outage.waiting.order_no]},
        }
        body(api.post(RUNS, sent), 202)
        assert Run.objects.latest("pk").scope_data == {
            "site": "NorthShop",
            "orders": sorted([outage.partial.pk, outage.waiting.pk]),
        }

    def test_orders_that_are_not_the_sites(self, api: Api, theirs: Api, outage: Scene) -> None:
        before = Run.objects.count()
        sent = {
            "scope": "orders",
            "scopeData": {"orders": [outage.partial.order_no, "THEIRS", "NO"]},
        }
        found = problem(api.post(RUNS, sent), 400, "invalid-request")
        assert [one["field"] for one in found["problems"]] == [
            "scopeData.orders[1]",
            "scopeData.orders[2]",
        ]
        assert Run.objects.count() == before

    def test_while_another_is_active(self, api: Api, outage: Scene) -> None:
        active = scene.make_run(state=RunState.RUNNING)
        before = Run.objects.count()

        found = problem(api.post(RUNS, {}), 409, "run-refused")

        assert found["activeRun"]["id"] == active.pk
        assert found["activeRun"]["isActive"] is True
        assert Run.objects.count() == before

    def test_while_one_of_another_site_is_active(self, api: Api, outage: Scene) -> None:
        active = scene.make_run(state=RunState.RUNNING)
        Run.objects.filter(pk=active.pk).update(scope_data={"site": "South Shop & Co"})
        assert problem(api.post(RUNS, {}), 409, "run-refused")["activeRun"] is None

    def test_while_oci_is_away(self, api: Api, outage: Scene) -> None:
        scene.set_connection(ConnectionState.OFFLINE)
        before = Run.objects.count()
        found = problem(api.post(RUNS, {}), 409, "run-refused")
        assert found["activeRun"] is None
        assert "OCI is offline" in found["detail"]
        assert Run.objects.count() == before

    def test_with_nothing_to_do(self, theirs: Api, outage: Scene) -> None:
        before = Run.objects.count()
        found = problem(theirs.post(RUNS, {"scope": "oversold"}), 409, "run-refused")
        assert "nothing to reconcile" in found["detail"]
        assert Run.objects.count() == before

    @pytest.mark.in_turn(3)
    @pytest.mark.parametrize(
        ("sent", "field"),
        [
            ({"scope": "everything"}, "scope"),
            ({"scope": "orders"}, "scopeData.orders"),
            ({"scope": "orders", "scopeData": {"orders": []}}, "scopeData.orders"),
            ({"scope": "orders", "scopeData": {"orders": ["x"] * 201}}, "scopeData.orders"),
            ({"scope": "orders", "scopeData": {"orders": ["\x00"]}}, "scopeData.orders[0]"),
            ({"scope": "orders", "scopeData": {"orders": [5]}}, "scopeData.orders[0]"),
            ({"scope": "sku"}, "scopeData.sku"),
            ({"scope": "sku", "scopeData": {"sku": "\ud800"}}, "scopeData.sku"),
            ({"scope": "run_failures"}, "scopeData.run"),
            ({"scope": "run_failures", "scopeData": {"run": 2**63}}, "scopeData.run"),
            ({"scope": "run_failures", "scopeData": {"run": 0}}, "scopeData.run"),
            ({"scope": "missing", "scopeData": {"sku": "MUG-01"}}, "scopeData.sku"),
            ({"scope": "oversold", "scopeData": {"run": 1}}, "scopeData.run"),
            ({"scopeData": {"site": "South Shop & Co"}}, "scopeData.site"),
            ({"site": "South Shop & Co"}, "site"),
            ({"dryRun": "perhaps"}, "dryRun"),
            ({"reason": "x" * 501}, "reason"),
        ],
    )
    def test_what_makes_no_sense(
        self, api: Api, outage: Scene, sent: dict[str, Any], field: str
    ) -> None:
        before = Run.objects.count()
        found = problem(api.post(RUNS, sent), 400, "invalid-request")
        assert [one["field"] for one in found["problems"]] == [field]
        assert Run.objects.count() == before


class TestDryRun:
    def test_without_an_answer_of_oci(self, api: Api, theirs: Api, outage: Scene) -> None:
        scene.set_connection(ConnectionState.OFFLINE)
        before = Run.objects.count()

        assert body(api.post(RUNS, {"dryRun": True})) == {
            "orders": 1,
            "units": 3,
            "value": {"EUR": 28.5},
            "expected": {},
            "stockAt": None,
            "forecastOf": 1,
            "rows": [{"orderNo": outage.waiting.order_no, "units": 3, "expected": None}],
        }
        assert Run.objects.count() == before

    def test_with_what_oci_has(self, oci: SimulatorProcess, api: Api, outage: Scene) -> None:
        oci.set_stock([{"location": "dc-1", "sku": "MUG-01", "onHand": 3}])
        before = list(Order.objects.order_by("pk").values()), Run.objects.count()

        found = body(api.post(RUNS, {"scope": "oversold", "dryRun": True}))

        # One mug is short of the first order, two of the second; a cup each, and there is one cup.
        assert found.pop("stockAt").endswith("Z")
        assert found == {
            "orders": 2,
            "units": 5,
            "value": {"EUR": 57},
            "expected": {"COMPLETELY_RESERVED": 1, "PARTIALLY_RESERVED": 1},
            "forecastOf": 2,
            "rows": [
                {
                    "orderNo": outage.partial.order_no,
                    "units": 2,
                    "expected": "COMPLETELY_RESERVED",
                },
                {"orderNo": outage.nothing.order_no, "units": 3, "expected": "PARTIALLY_RESERVED"},
            ],
        }
        assert (list(Order.objects.order_by("pk").values()), Run.objects.count()) == before
        assert not oci.books()["documents"]


def test_status_may_look_and_not_start(outage: Scene) -> None:
    watcher = api_for(outage.site, TokenScope.STATUS_READ)
    assert watcher.get(f"{RUNS}/{outage.run.pk}").status_code == 200
    before = Run.objects.count(), RunEntry.objects.count(), Batch.objects.count()
    problem(watcher.post(RUNS, {}), 403, "scope-missing")
    problem(watcher.post(RUNS, {"dryRun": True}), 403, "scope-missing")
    assert (Run.objects.count(), RunEntry.objects.count(), Batch.objects.count()) == before
    starter = api_for(outage.site, TokenScope.RECONCILIATION_RUN, name="starter")
    assert starter.get(f"{RUNS}/{outage.run.pk}").status_code == 200
    problem(starter.get("status"), 403, "scope-missing")


def test_a_run_of_the_site_takes_no_order_of_another(api: Api, theirs: Api, outage: Scene) -> None:
    body(api.post(RUNS, {}), 202)
    run = Run.objects.latest("pk")
    RunEntry.objects.exclude(run=run).filter(state="pending").delete()

    lifecycle.plan_round(run, now=NOW)

    planned = RunEntry.objects.filter(run=run).values_list("order__order_no", flat=True)
    assert list(planned) == [outage.waiting.order_no]
