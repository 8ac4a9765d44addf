"""The control API and its page: what they change, what they show, and whom they answer."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from tests.reconciliation.oci.simulator.caller import Caller, counts
from tests.reconciliation.oci.simulator_process import SimulatorProcess


def post(oci: SimulatorProcess, path: str, body: Any, **headers: str) -> requests.Response:
    return requests.post(f"{oci.control_url}/{path}", json=body, headers=headers, timeout=10)


def form(oci: SimulatorProcess, path: str, **fields: str) -> requests.Response:
    url = f"{oci.control_url}/{path}"
    return requests.post(url, data=fields, timeout=10, allow_redirects=False)


def test_other_channels_take_stock_and_are_told_how_much(caller: Caller) -> None:
    oci = caller.oci
    caller.reserve("d1", "TEE", 4)
    assert oci.sell("TEE", 2.5, "dc-west") == 2.5
    assert oci.sell("TEE", 100, "store-042") == 3
    assert oci.sell("TEE", 100) == 8.5
    assert counts(oci.stock("TEE")["groups"]["site-us"]) == (4, 4, 0, 0)
    assert oci.sell("NONE", 1) == 0


def test_stock_and_graph_can_be_set(caller: Caller) -> None:
    oci = caller.oci
    oci.set_graph(locations=["dc-east"], groups={"site-eu": ["dc-north"]})
    rows = [
        {"location": "dc-north", "sku": "TEE", "onHand": 7.132, "safetyStockCount": 1},
        {"location": "dc-new", "sku": "TEE", "onHand": 1},
    ]
    assert oci.set_stock(rows) == 2
    assert counts(oci.stock("TEE")["groups"]["site-eu"]) == (7.132, 0, 6.132, 6.132)
    assert oci.state()["locations"] == ["dc-east", "dc-north", "dc-new"]


def test_books_can_be_asked_for_one_order(caller: Caller) -> None:
    caller.reserve("d1", "TEE", 2, externalRefId="A/1 ü")
    caller.reserve("d2", "TEE", 1, externalRefId="other")
    caller.cancel("d2")
    (document,) = caller.oci.documents_of("A/1 ü")
    assert (document["reservationId"], document["state"]) == ("d1", "OPEN")
    line = {"group": "site-us", "sku": "TEE", "asked": 2, "held": 2}
    assert document["lines"] == [line]
    states = [document["state"] for document in caller.oci.books()["documents"]]
    assert states == ["OPEN", "CANCELLED"]
    assert caller.oci.state()["documents"] == {"OPEN": 1, "CANCELLED": 1, "EXPIRED": 0}


def test_requests_are_logged_without_headers_and_counted(caller: Caller) -> None:
    caller.reserve("d1", "TEE", 2)
    caller.reserve("d1", "TEE", 3)
    token, first, second = caller.oci.requests()
    assert [token["operation"], first["status"], second["status"]] == ["token", 200, 409]
    assert (first["committed"], second["committed"]) == (True, False)
    assert set(first) == {
        "number", "at", "method", "path", "operation", "status", "committed", "dropped", "fault"
    }  # fmt: skip
    assert caller.oci.requests(since=first["number"]) == [second]
    assert caller.oci.state()["counters"]["sinceReset"] == {
        "put": {"200": 1, "409": 1},
        "token": {"200": 1},
    }
    assert caller.token not in str(caller.oci.requests())


def test_reset_takes_back_everything_or_the_parts_named(caller: Caller) -> None:
    oci = caller.oci
    caller.reserve("d1", "TEE", 2)
    oci.sell("TEE", 3)
    oci.settings(partialStyle="errors")
    oci.reset("reservations")
    assert oci.books() == {"documents": [], "reserved": []}
    assert counts(oci.stock("TEE")["groups"]["site-us"]) == (12, 0, 12, 12)
    assert oci.state()["settings"]["partialStyle"] == "errors"
    oci.fault("down")
    oci.reset()
    state = oci.state()
    assert (state["healthy"], state["settings"]["partialStyle"]) == (True, "silent")
    assert counts(oci.stock("TEE")["groups"]["site-us"]) == (15, 0, 15, 15)
    assert oci.requests() == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("fault", {"mode": "explode"}),
        ("fault", {"mode": "slow", "delayMs": "long"}),
        ("fault", {"mode": "drop", "every": 0}),
        ("fault", {"mode": "down", "operations": ["everything"]}),
        ("fault", {"mode": "down", "colour": "red"}),
        ("fault", "down"),
        ("faults", {"mode": "down"}),
        ("settings", {"replay": "never"}),
        ("settings", {"readLagMs": -1}),
        ("settings", {"colour": "red"}),
        ("settings", [1]),
        ("sell", {"sku": "TEE"}),
        ("sell", {"sku": "TEE", "quantity": -1}),
        ("stock", [{"location": "dc-east", "sku": "TEE", "onHand": 1}, {"sku": "TEE"}]),
        ("stock", "many"),
        ("graph", {"groups": {"site us": []}}),
        ("reset", {"what": ["money"]}),
    ],
)
def test_wrong_control_requests_say_why_and_change_nothing(
    oci: SimulatorProcess, path: str, body: Any
) -> None:
    before = (oci.state()["settings"], oci.stock("TEE"), oci.state()["locations"])
    answer = post(oci, path, body)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")
    assert oci.state()["faults"] == []
    assert (oci.state()["settings"], oci.stock("TEE"), oci.state()["locations"]) == before


def test_unknown_controls_and_methods(oci: SimulatorProcess) -> None:
    assert post(oci, "nothing", {}).status_code == 404
    assert requests.get(f"{oci.control_url}/nothing", timeout=10).status_code == 404
    assert requests.put(f"{oci.control_url}/fault", timeout=10).status_code == 405
    assert requests.get(f"{oci.base_url}/nothing", timeout=10).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "shop.example"},
        {"Host": "127.0.0.1.example"},
        {"Origin": "https://shop.example"},
        {"Origin": "null"},
    ],
)
def test_only_this_machine_is_answered(oci: SimulatorProcess, headers: dict[str, str]) -> None:
    assert post(oci, "fault", {"mode": "down"}, **headers).status_code == 403
    assert oci.state()["faults"] == []


def test_control_is_on_both_ports(oci: SimulatorProcess) -> None:
    for base in (oci.base_url, oci.control_url.removesuffix("/_sim")):
        assert requests.get(f"{base}/_sim/state", timeout=10).json()["healthy"] is True


def test_page_shows_the_state_the_stock_and_the_requests(caller: Caller) -> None:
    caller.reserve("d1", "TEE", 2)
    page = requests.get(f"{caller.oci.control_url}/", timeout=10)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert '<p class="state">Online</p>' in page.text
    numbers = re.search(r"<td>TEE</td><td>group site-us</td>(.*?)</tr>", page.text)
    assert numbers is not None
    assert re.findall(r">([\d.]+)<", numbers[1]) == ["15", "2", "0", "13", "13"]
    assert "reservation-documents/d1" in page.text
    caller.oci.fault("drop", every=10)
    assert '<p class="state">Lost answers</p>' in requests.get(page.url, timeout=10).text


def test_every_field_of_the_page_has_a_label(oci: SimulatorProcess) -> None:
    page = requests.get(f"{oci.control_url}/", timeout=10).text
    fields = set(re.findall(r'<(?:input|select) id="([^"]+)"', page))
    assert fields
    assert fields == set(re.findall(r'<label for="([^"]+)"', page))
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_page_finds_skus_and_turns_pages(oci: SimulatorProcess) -> None:
    oci.set_stock([{"location": "dc-east", "sku": f"CUP-{n:03}", "onHand": 1} for n in range(60)])
    page = requests.get(f"{oci.control_url}/", params={"q": "cup", "p": "2"}, timeout=10).text
    assert "60 SKUs, page 2 of 3" in page
    assert ("CUP-025" in page, "CUP-024" in page, "TEE" in page) == (True, False, False)
    for odd in ("0", "99", "x", "1" * 30):
        answer = requests.get(f"{oci.control_url}/", params={"p": odd}, timeout=10)
        assert answer.status_code == 200


def test_page_shows_hostile_text_as_text(oci: SimulatorProcess) -> None:
    hostile = "<script>alert(1)</script>"
    page = requests.get(
        f"{oci.control_url}/", params={"problem": hostile, "q": hostile}, timeout=10
    )
    assert hostile not in page.text
    requests.get(f"{oci.base_url}/{hostile}", timeout=10)
    assert hostile not in requests.get(f"{oci.control_url}/", timeout=10).text


def test_forms_work_without_script(oci: SimulatorProcess) -> None:
    answer = form(oci, "fault", mode="drop", every="10", seconds="", operations="put, patch")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/_sim/?done=Done.")
    (rule,) = oci.state()["faults"]
    assert (rule["mode"], rule["every"], rule["operations"]) == ("drop", 10, ["patch", "put"])
    assert form(oci, "fault", mode="none").status_code == 303
    sold = form(oci, "sell", sku="TEE", quantity="2.5", location="")
    assert sold.headers["Location"] == "/_sim/?done=2.5%20sold%20elsewhere."
    form(oci, "stock", location="dc-east", sku="MUG", onHand="9", safetyStockCount="")
    assert counts(oci.stock("MUG")["locations"]["dc-east"]) == (9, 0, 9, 9)
    form(oci, "settings", **{name: str(v) for name, v in oci.state()["settings"].items()})
    form(oci, "settings", readLagMs="1000")
    assert oci.state()["settings"]["readLagMs"] == 1000
    assert form(oci, "reset", what="requests").status_code == 303
    wrong = form(oci, "sell", sku="TEE", quantity="lots")
    assert wrong.headers["Location"].startswith("/_sim/?problem=quantity")


def test_form_that_closes_the_port_leads_to_the_other_one(oci: SimulatorProcess) -> None:
    url = f"{oci.base_url}/_sim/fault"
    answer = requests.post(url, data={"mode": "refuse"}, timeout=10)
    assert answer.status_code == 200
    assert answer.url.startswith(oci.control_url)
    assert '<p class="state">Refuse</p>' in answer.text
