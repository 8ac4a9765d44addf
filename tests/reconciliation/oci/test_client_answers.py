"""Answers that no simulator gives: what is believed of them, and what is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from reconciliation.oci.answers import retry_after
from reconciliation.oci.errors import (
    OciConfigurationFault,
    OciError,
    OciNoAnswer,
    OciRefused,
    OciThrottled,
)
from reconciliation.oci.transport import MAX_ANSWER
from tests.reconciliation.oci.clients import (
    CALLS,
    US,
    Ask,
    Witness,
    client_of,
    no_answer,
    put,
    ready,
    refusal,
    release_of,
)
from tests.reconciliation.oci.raw_server import RawServer, Script, answer, close_after, endless
from tests.reconciliation.oci.simulator_process import SimulatorProcess

HTML = b"<!DOCTYPE html><html><body>Sign in</body></html>"
GOOD_PUT = {
    "reservationTime": "2026-02-02T12:00:00Z",
    "groups": [{"id": "site-us", "details": [{"sku": "TEE", "quantity": 2}]}],
}
COUNTS = {"ato": 1, "atf": 1, "onHand": 1, "reserved": 0, "safetyStockCount": 0}
GOOD_COUNTS = {"groups": [{"id": "site-us", "records": [{"sku": "TEE", **COUNTS}]}]}
GOOD = {"put": GOOD_PUT, "availability": GOOD_COUNTS, "release": {"errors": []}}
HUGE = b'{"groups":[],"x":"' + b"x" * MAX_ANSWER + b'"}'


@pytest.mark.parametrize("name", GOOD)
def test_good_answers_of_this_shape_are_taken(name: str) -> None:
    good = answer({**GOOD[name], "new": {"deep": [None]}, "lineId": 5}, X_New="1")
    vendor = answer(GOOD[name], kind="application/vnd.oci.v2+json; charset=UTF-8")
    silent = answer(GOOD[name], kind="")
    with RawServer(good, vendor, silent) as server:
        client = client_of(server.url)
        for _ in range(3):
            CALLS[name](client)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize(
    "wrong",
    [
        answer(HTML, kind="text/html"),
        answer(HTML),
        answer(GOOD_PUT, kind="text/html"),
        answer(GOOD_COUNTS, kind="text/plain; charset=utf-8"),
        answer({"errors": []}, kind="application/jsonp"),
        answer(b""),
        answer(b"{"),
        answer(b"null"),
        answer(b"[]"),
        answer(b"{}"),
        answer(b'"groups"'),
        answer(b"\xff\xfe"),
        answer(b'{"groups": NaN}'),
        answer(b"[" * 200_000),
        answer({"status": "ok"}),
        answer({"groups": "none", "errors": 5}),
        answer(GOOD_PUT, status=201),
        answer(GOOD_COUNTS, status=202),
        answer({"errors": []}, status=206),
        answer(HTML, status=404, kind="text/html"),
        answer({"type": "about:blank", "title": "Not Found"}, status=404),
        answer({"type": "about:blank", "errorCode": ""}, status=409),
        answer({"type": "about:blank", "errorCode": 5}, status=409),
        answer({"errorCode": "EntityExists"}, status=409, kind="text/html"),
        answer(status=405, kind=""),
        answer(status=302, kind="", Location="http://127.0.0.1:9/"),
        answer(status=304, kind=""),
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: -5\r\n\r\n",
        answer("\xff\xfe", status=400),
        answer(HTML, status=400, kind="text/html"),
        answer(["no object"], status=400),
        b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n\xff\xfe",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 500 + b"\r\n{}",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n{}",
        b"HTTP/1.1 999999 ???\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00" * 100,
    ],
)
def test_what_is_no_answer_to_the_question_is_none(name: str, wrong: bytes) -> None:
    witness = Witness()
    with RawServer(close_after(wrong)) as server:
        client = client_of(server.url, witness=witness)
        error = no_answer(CALLS[name], client)
        assert server.url not in str(error)
    assert (error.kind, error.sent) == ("malformed", True)
    assert witness.told == ["sent", "failed"]
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ],
)
def test_a_connection_that_ends_is_told_as_such(cut: bytes) -> None:
    with RawServer(close_after(cut)) as server:
        error = no_answer(CALLS["put"], client_of(server.url))
    assert (error.kind, error.sent) == ("broken", True)
    assert str(error) == "OCI ended the connection before its answer was complete."


@pytest.mark.parametrize(
    "huge",
    [
        answer(HUGE),
        endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536),
        endless(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"10000\r\n" + b"x" * 65_536 + b"\r\n",
        ),
    ],
    ids=["declared", "until closed", "chunked"],
)
def test_a_huge_answer_is_cut_off(huge: bytes | Script) -> None:
    with RawServer(huge) as server:
        error = no_answer(CALLS["availability"], client_of(server.url))
    assert error.kind == "malformed"
    assert f"longer than {MAX_ANSWER} bytes" in str(error)


ANOTHER = "0b7a3c52-6b0f-4b8e-9a53-6f1f0d3f9c11"


@pytest.mark.parametrize(
    "wrong",
    [
        answer({"groups": []}),
        answer({"reservationTime": GOOD_PUT["reservationTime"], "groups": []}),
        answer({"reservationTime": "soon", "groups": GOOD_PUT["groups"]}),
        answer({"groups": GOOD_PUT["groups"]}),
        answer({**GOOD_PUT, "reservationId": ANOTHER}),
        answer(GOOD_PUT, Location=f"/x/reservation-documents/{ANOTHER}?a=b"),
        answer(GOOD_PUT, Location=f"http://[/{ANOTHER}/"),
    ],
)
def test_an_answer_without_what_each_must_have_is_none(wrong: bytes) -> None:
    good = answer({**GOOD_PUT, "reservationId": "no id"}, Location="http://[/elsewhere")
    with RawServer(close_after(wrong), close_after(good)) as server:
        client = client_of(server.url)
        assert no_answer(CALLS["put"], client).kind == "malformed"
        CALLS["put"](client)


@pytest.mark.parametrize(
    "wrong",
    [
        answer(HTML, status=202, kind="text/html"),
        answer({"errorCode": "Unknown", "message": "no"}, status=202),
        answer({"errors": [{"errorCode": "Unknown"}]}, status=202),
    ],
)
def test_a_mark_that_tells_of_errors_is_no_cancel(wrong: bytes) -> None:
    with RawServer(close_after(wrong), close_after(answer({}, status=202))) as server:
        client = client_of(server.url)
        assert no_answer(CALLS["cancel"], client).kind == "malformed"
        CALLS["cancel"](client)


@pytest.mark.parametrize("status", [200, 201, 400, 404, 409])
def test_a_cancel_is_believed_by_its_status_and_by_oci_s_own_error(status: int) -> None:
    with RawServer(answer(HTML, status=status, kind="text/html")) as server:
        ask: Ask = CALLS["cancel"]
        with pytest.raises(OciNoAnswer):
            ask(client_of(server.url))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"errorCode": "ResourceNotFound", "message": "nothing there"}),
        (400, {"errorCode": "InvalidRequestParameter", "parameterName": "status"}),
        (400, {"errorCode": "InvalidRequestParameter"}),
        (409, {"errorCode": "ReservationInvalidState"}),
        (409, {"errorCode": "ConcurrentModification"}),
        (409, {"errorCode": "SomethingNew"}),
    ],
)
def test_a_cancel_that_leaves_open_what_is_held_is_a_refusal(
    status: int, body: dict[str, str]
) -> None:
    with RawServer(answer(body, status=status, kind="application/problem+json")) as server:
        error = refusal(CALLS["cancel"], client_of(server.url))
    assert (error.status, error.error_code) == (status, body["errorCode"])


@pytest.mark.parametrize(
    "code",
    [
        "ReservationInvalidState",
        "ReservationAlreadyFinalized",
        "ReservationCancelled",
        "ReservationOperationInProcess",
        "EntityExists",
        "EntityAlreadyExists",
        "ConcurrentModification",
        "PreviousRequestAborted",
        "PreviousRequestCancelled",
        "NeverHeardOf",
    ],
)
def test_every_409_of_a_reservation_is_a_refusal_with_its_code(code: str) -> None:
    body = {"type": "about:blank", "errorCode": code, "message": "a\x00\nb" + "c" * 5000}
    witness = Witness()
    with RawServer(answer(body, status=409, kind="application/problem+json")) as server:
        error = refusal(put, client_of(server.url, witness=witness))
    assert (error.status, error.error_code, error.operation) == (409, code, "put")
    assert error.message == "a b" + "c" * 497
    assert (error.parameter, error.place) == ("", "")
    in_process = code in {"ReservationOperationInProcess", "ConcurrentModification"}
    assert error.is_in_process is in_process
    assert witness.told == ["sent", "undecided" if in_process else "answered"]


@pytest.mark.parametrize(
    "groups",
    [
        [{"id": "site-us", "records": [{"sku": "TEE", **COUNTS, "ato": None}]}],
        [{"id": "site-us", "records": [{"sku": "TEE", **COUNTS, "ato": "5"}]}],
        [{"id": "site-us", "records": [{"sku": "TEE", **COUNTS, "atf": True}]}],
        [{"id": "site-us", "records": [{"sku": "TEE", **COUNTS, "onHand": -1}]}],
        [{"id": "site-us", "records": [{"sku": "TEE", **COUNTS, "reserved": 1e300}]}],
        [{"id": "site-us", "records": [{"sku": "TEE"}]}],
        [{"id": "site-us", "records": [{**COUNTS}]}],
        [{"id": "site-us", "records": [{"sku": "", **COUNTS}]}],
        [{"id": "site-us", "records": [{"sku": "OTHER", **COUNTS}]}],
        [{"id": "site-us", "records": [{"sku": "TEE", **COUNTS}, {"sku": "tee", **COUNTS}]}],
        [
            {
                "id": "site-us",
                "records": [{"sku": "TEE", **COUNTS}, {"sku": "TEE", **COUNTS, "ato": 2}],
            }
        ],
        [{"id": "site-eu", "records": [{"sku": "TEE", **COUNTS}]}],
        [{"id": "site-eu", "records": []}],
        [{"records": [{"sku": "TEE", **COUNTS}]}],
        [{"id": "site-us", "records": {}}],
        [None],
        {},
    ],
)
def test_counts_that_cannot_be_right_are_none(groups: Any) -> None:
    with RawServer(answer({"groups": groups})) as server:
        error = no_answer(CALLS["availability"], client_of(server.url))
    assert error.kind == "malformed"


def test_an_error_after_the_first_hundred_skus_drops_what_was_read(oci: SimulatorProcess) -> None:
    client, _ = ready(oci)
    oci.fault("5xx", every=2, operations=["availability"])
    error = no_answer(
        lambda c: c.get_availability(place=US, skus=[f"S{n}" for n in range(150)]), client
    )
    assert error.kind == "server_error"


@pytest.mark.parametrize(
    "errors",
    [
        None,
        {},
        [None],
        [{"details": None}],
        [{"details": {"id": "x"}}],
        [{"details": {"id": "another", "sku": "TEE"}}],
        [{"details": {"id": "key", "sku": "OTHER"}}],
    ],
)
def test_a_failure_of_a_record_that_was_not_sent_cannot_be_trusted(errors: Any) -> None:
    with RawServer(answer({"errors": errors})) as server:
        record = release_of("TEE", 1, key="key")
        error = no_answer(lambda c: c.release([record]), client_of(server.url))
    assert (error.kind, error.sent) == ("malformed", True)


def test_a_failure_without_words_is_still_one() -> None:
    with RawServer(answer({"errors": [{"details": {"id": "key", "sku": "TEE"}}]})) as server:
        (failure,) = client_of(server.url).release([release_of("TEE", 1, key="key")])
    assert (failure.id, failure.error_code, failure.message) == ("key", "", "")


# Retry-After

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        (" 2.5 ", 2.5),
        ("300", 300),
        ("301", 300),
        ("9" * 90, 300),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=900), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=900), usegmt=True), 300),
        ("Sun, 01 Mar 2026 12:00:10 -0000", 10),
        (None, 5),
        ("", 5),
        ("-3", 5),
        ("soon", 5),
        ("1e9", 5),
        ("nan", 5),
        ("٣", 5),
        ("Sun, 99 Mar 99999 12:00:10 GMT", 5),
    ],
)
def test_retry_after(header: str | None, seconds: float) -> None:
    assert retry_after(header, now=NOW) == seconds


def test_a_date_in_retry_after_is_understood() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    throttled = answer(status=429, kind="", Retry_After=later)
    with RawServer(throttled) as server, pytest.raises(OciThrottled) as caught:
        put(client_of(server.url))
    assert 50 < caught.value.retry_after <= 60


@pytest.mark.parametrize(
    ("status", "kind"), [(408, "timeout"), (502, "server_error"), (599, "server_error")]
)
def test_other_statuses_of_a_gateway(status: int, kind: str) -> None:
    with RawServer(answer(HTML, status=status, kind="text/html")) as server:
        error = no_answer(put, client_of(server.url))
    assert (error.kind, error.status) == (kind, status)


def test_errors_have_one_family() -> None:
    for kind in (OciNoAnswer, OciThrottled, OciConfigurationFault, OciRefused):
        assert issubclass(kind, OciError)
