"""The control API under ``/_sim/`` for the demo, the tests and practice drills; loopback only."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from . import page, request_reader
from .amounts import number_of, read_json
from .answers import Answer, json_answer
from .api_stock import delta_token
from .documents import Refused
from .faults import FaultRefused
from .settings import SettingRefused
from .simulator import Simulator
from .stockfile import StockRefused, parse_graph, parse_rows, write_rows

PARTS = ("faults", "settings", "requests", "books")


@dataclass(frozen=True, slots=True)
class Request:
    """A control request; ``client`` is the caller's address."""

    method: str
    target: str
    headers: Mapping[str, str]
    raw: bytes
    client: str

    @property
    def path(self) -> str:
        """The path after ``/_sim``, decoded."""
        return unquote(urlsplit(self.target).path.removeprefix("/_sim")) or "/"

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; the last value of a name counts."""
        return {k: v[-1] for k, v in parse_qs(urlsplit(self.target).query).items()}

    @property
    def is_form(self) -> bool:
        """Whether a browser form was sent, which is answered by a redirect."""
        kind = self.headers.get("Content-Type") or ""
        return kind.startswith("application/x-www-form-urlencoded")


class ControlRefused(ValueError):
    """A control request that can't be carried out, with the reason in one sentence."""


def answer(simulator: Simulator, request: Request) -> Answer:
    """Answer a control request; callers from elsewhere get 403."""
    if not _is_local(request):
        return json_answer(403, {"error": "The control API answers this machine only."})
    if request.method == "GET":
        return _get(simulator, request)
    if request.method != "POST":
        return json_answer(405, {"error": "Use GET or POST."}, headers={"Allow": "GET, POST"})
    action = _POST.get(request.path.strip("/"))
    if action is None:
        return json_answer(404, {"error": "There is no such control."})
    errors = (ControlRefused, FaultRefused, SettingRefused, StockRefused)
    try:
        result = action(simulator, _form(request) if request.is_form else _json(request))
    except errors as error:
        return _refused(request, str(error))
    except Refused as refused:
        return _refused(request, f"{refused.message}.")
    return _see_page(simulator, request, result) if request.is_form else json_answer(200, result)


def _refused(request: Request, text: str) -> Answer:
    if request.is_form:
        return Answer(303, headers={"Location": f"/_sim/?problem={quote(text)}"})
    return json_answer(400, {"error": text})


def _see_page(simulator: Simulator, request: Request, result: Any) -> Answer:
    done = "Done."
    if "sold" in result:
        done = f"{result['sold']} sold elsewhere."
    where = f"/_sim/?done={quote(done)}"
    # While the API port is closed, only the control port can show the page.
    if simulator.faults.refusing():
        host = urlsplit(f"//{request.headers.get('Host') or ''}").hostname or "127.0.0.1"
        shown = f"[{host}]" if ":" in host else host
        where = f"http://{shown}:{simulator.control_port}{where}"
    return Answer(303, headers={"Location": where})


def _is_local(request: Request) -> bool:
    """Loopback address and Host, and no request from another host's page."""
    hosts = [request.client, urlsplit(f"//{request.headers.get('Host') or ''}").hostname]
    origin = request.headers.get("Origin")
    if origin is not None:
        hosts.append(urlsplit(origin).hostname)
    return all(_is_loopback(host) for host in hosts)


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _json(request: Request) -> Any:
    if not request.raw:
        return {}
    try:
        return read_json(request.raw)
    except ValueError:
        raise ControlRefused("The body is not JSON.") from None


def _form(request: Request) -> Any:
    """Form fields as JSON values: numeric text becomes a number, empty fields are left out."""
    fields = parse_qs(request.raw.decode("utf-8", "replace"))
    return {name: page.form_value(name, values[-1]) for name, values in fields.items()}


def _get(simulator: Simulator, request: Request) -> Answer:
    path, query = request.path.strip("/"), request.query
    books = simulator.books
    if path == "":
        return page.answer(simulator, query)
    if path == "state":
        return json_answer(200, state(simulator))
    if path == "books":
        with books.lock:
            documents = [document.as_dict() for document in books.documents.by_id.values()]
            return json_answer(200, {"documents": documents, "reserved": books.reserved()})
    if path.startswith("books/orders/"):
        with books.lock:
            books.sweep()
            found = books.documents.by_reference.get(path.removeprefix("books/orders/"), [])
            return json_answer(200, {"documents": [document.as_dict() for document in found]})
    if path == "requests":
        since = query.get("since", "0")
        number = int(since) if since.isascii() and since.isdigit() and len(since) < 16 else 0
        entries = simulator.log.since(number)
        last = simulator.log.counters()["requests"]
        return json_answer(200, {"requests": entries, "last": last})
    if path == "stock":
        with books.lock:
            skus = [query["sku"]] if "sku" in query else sorted(books.skus)
            return json_answer(200, {"stock": page.stock_rows(simulator, skus)})
    return json_answer(404, {"error": "There is no such control."})


def state(simulator: Simulator) -> dict[str, Any]:
    """Faults, settings, counters and the size of the books."""
    books = simulator.books
    faults = simulator.faults.as_list()
    with books.lock:
        books.sweep()
        documents = {"OPEN": 0, "CANCELLED": 0, "EXPIRED": 0}
        for document in books.documents.by_id.values():
            documents[document.state] += 1
        token = delta_token(books.change_number, simulator.clock())
        skus = len(books.skus)
        locations, groups = list(books.graph.locations), dict(books.graph.groups)
    return {
        "tenantGroupId": simulator.api.tenant_group_id,
        "listening": simulator.is_listening(),
        "healthy": not faults,
        "faults": faults,
        "settings": simulator.settings.as_dict(),
        "counters": simulator.log.counters(),
        "documents": documents,
        "skus": skus,
        "locations": locations,
        "groups": groups,
        "deltaToken": token,
    }


def _fault(simulator: Simulator, body: Any) -> Any:
    simulator.faults.replace(body)
    return {"faults": simulator.faults.as_list()}


def _faults(simulator: Simulator, body: Any) -> Any:
    if not isinstance(body, list):
        raise ControlRefused("Send a list of faults.")
    return _fault(simulator, body)


def _sell(simulator: Simulator, body: Any) -> Any:
    fields = _object(body)
    location = fields.get("location")
    taken = simulator.books.sell(
        request_reader.sku(fields.get("sku")),
        request_reader.quantity(fields.get("quantity")),
        None if location is None else request_reader.place(location, "location"),
        force=request_reader.flag(fields, "force", False),
    )
    return {"sold": number_of(taken)}


def _stock(simulator: Simulator, body: Any) -> Any:
    rows = parse_rows(body if isinstance(body, list) else _object(body).get("rows", [body]))
    write_rows(simulator.books, rows)
    return {"rows": len(rows)}


def _graph(simulator: Simulator, body: Any) -> Any:
    locations, groups = parse_graph(_object(body))
    simulator.books.set_graph(locations, groups)
    return {"locations": locations, "groups": groups}


def _reset(simulator: Simulator, body: Any) -> Any:
    what = _object(body).get("what", list(PARTS))
    what = [what] if isinstance(what, str) else what
    known = {*PARTS, "reservations"}
    if not isinstance(what, list) or not all(part in known for part in what):
        raise ControlRefused(f"what takes a list of: {', '.join(sorted(known))}.")
    simulator.reset(what)
    return {"reset": what}


def _settings(simulator: Simulator, body: Any) -> Any:
    simulator.settings.change(body)
    return {"settings": simulator.settings.as_dict()}


def _expire_tokens(simulator: Simulator, body: Any) -> Any:
    return {"expired": simulator.tokens.expire_all()}


def _expire_deltas(simulator: Simulator, body: Any) -> Any:
    simulator.books.expire_deltas()
    return {"expired": True}


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ControlRefused("Send a JSON object.")
    return body


_POST: dict[str, Callable[[Simulator, Any], Any]] = {
    "fault": _fault,
    "faults": _faults,
    "sell": _sell,
    "stock": _stock,
    "graph": _graph,
    "reset": _reset,
    "settings": _settings,
    "expire-tokens": _expire_tokens,
    "expire-deltas": _expire_deltas,
}
