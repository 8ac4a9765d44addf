"""The control page: the fault switch, the stock and the requests. Works without scripts."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from html import escape
from typing import Any
from urllib.parse import urlencode

from .answers import Answer
from .faults import MODES, OPERATIONS
from .page_assets import POLICY, SCRIPT, STYLE
from .simulator import Simulator

SKUS_SHOWN = 25
REQUESTS_SHOWN = 50

# Name, effect, and the fault that the button sends.
SWITCHES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Online", "answers as it should", {"mode": "none"}),
    ("Down", "every connection is reset", {"mode": "down"}),
    ("Refuse", "the port is closed", {"mode": "refuse"}),
    ("Hang", "takes the request and never answers", {"mode": "hang"}),
    ("Slow", "3 seconds for each answer", {"mode": "slow", "delayMs": "3000"}),
    ("Errors", "503 to everything", {"mode": "5xx"}),
    ("Too many requests", "429, try again in 2 seconds", {"mode": "429", "retryAfter": "2"}),
    ("Wrong token", "401 to every token", {"mode": "badtoken"}),
    (
        "Lost answers",
        "every tenth answer is lost after its commit",
        {"mode": "drop", "every": "10"},
    ),
    ("Flap", "3 seconds down, 3 seconds up", {"mode": "flap"}),
)
_NAMES = {fault["mode"]: name for name, _, fault in SWITCHES}
_TEXTS = {
    "down": "Every connection is reset.",
    "refuse": "The port of the API is closed.",
    "hang": "Requests are taken and never answered.",
    "slow": "Answers take long.",
    "5xx": "Requests end in a server error.",
    "429": "Requests are told to come back later.",
    "badtoken": "No token is accepted.",
    "forbidden": "The tenant group is refused.",
    "drop": "Requests are carried out, and their answers are lost.",
    "cut": "Requests are carried out, and half of each answer arrives.",
    "drip": "Answers arrive byte by byte.",
    "garbage": "A page of somebody else is sent for an answer.",
    "wrongtype": "Answers are JSON of the wrong shape.",
    "wrongquantities": "Answers tell other quantities than the books hold.",
    "empty": "Answers are 200 and lack what every answer must have.",
    "flap": "The service goes and comes back in turn.",
}
_WHOLE = frozenset({"every", "retryAfter", "delayMs", "status", "onMs", "offMs"})
_DECIMAL = frozenset({"seconds", "probability", "quantity", "onHand", "safetyStockCount"})


def form_value(name: str, text: str) -> Any:
    """A form field as the JSON value that the control API expects; invalid input stays text."""
    text = text.strip()
    if name in _WHOLE and text.isascii() and text.isdigit() and len(text) < 12:
        return int(text)
    if name in _DECIMAL:
        try:
            return Decimal(text)
        except InvalidOperation:
            return text
    if name == "operations":
        return [part for part in text.replace(",", " ").split() if part]
    return True if name in ("commit", "force") and text == "on" else text


def stock_rows(simulator: Simulator, skus: list[str]) -> list[dict[str, Any]]:
    """Live figures (no read lag) of known SKUs, by location and by group."""
    books = simulator.books
    rows = []
    with books.lock:
        books.sweep()
        for sku in skus:
            book = books.skus.get(sku)
            if book is None:
                continue
            places = {place: book.location_figures(place, sku) for place in book.records}
            groups = {g: book.group_figures(g, sku, books.graph) for g in books.graph.groups}
            known = {group: figures for group, figures in groups.items() if figures}
            rows.append({"sku": sku, "locations": places, "groups": known})
    return rows


def answer(simulator: Simulator, query: dict[str, str]) -> Answer:
    """The page as HTML."""
    body = "".join(
        (
            _notes(query),
            _state(simulator),
            _switches(simulator),
            _channels(),
            _stock(simulator, query),
            _counters(simulator),
            _requests(simulator),
            _settings(simulator),
        )
    )
    html = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>OCI simulator</title><style>{STYLE}</style></head><body>"
        "<header><h1>OCI simulator</h1><p class=soft>A stand-in for the inventory service, for "
        f"practice. Tenant group {escape(simulator.api.tenant_group_id)}, API on port "
        f"{simulator.api_port}, this page also on port {simulator.control_port}.</p></header>"
        f"<main>{body}</main><script>{SCRIPT}</script></body></html>"
    )
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return Answer(200, html.encode(), "text/html; charset=utf-8", headers)


def _notes(query: dict[str, str]) -> str:
    notes = ""
    if query.get("problem"):
        notes += f'<p class="note problem" role="alert">{escape(query["problem"][:300])}</p>'
    if query.get("done"):
        notes += f'<p class="note" role="status">{escape(query["done"][:300])}</p>'
    return notes


def _state(simulator: Simulator) -> str:
    rules = simulator.faults.as_list()
    names = [_NAMES.get(rule["mode"], rule["mode"].capitalize()) for rule in rules]
    title = " and ".join(names) or "Online"
    text = " ".join(_rule_text(rule) for rule in rules) or "It answers as it should."
    # Screen readers announce only the state's name, because the details may count down seconds.
    return (
        '<section aria-labelledby="h-state"><h2 id="h-state">Now</h2><div aria-live="polite">'
        f'<div id="state" data-live class="banner {"bad" if rules else "good"}">'
        f'<p class="state">{escape(title)}</p></div></div>'
        f'<p id="state-told" data-live>{escape(text)}</p></section>'
    )


def _rule_text(rule: dict[str, Any]) -> str:
    members: dict[str, Any] = {
        name: rule[name]
        for name in ("every", "delayMs", "status", "style", "commit")
        if name in rule
    }
    if set(rule["operations"]) != set(MODES[rule["mode"]]):
        members["operations"] = ", ".join(rule["operations"])
    if rule["secondsLeft"] is not None:
        members["seconds left"] = rule["secondsLeft"]
    details = "; ".join(f"{name} {value}" for name, value in members.items())
    return f"{_TEXTS[rule['mode']]} ({details})" if details else _TEXTS[rule["mode"]]


def _switches(simulator: Simulator) -> str:
    active = {rule["mode"] for rule in simulator.faults.as_list()} or {"none"}
    buttons = "".join(
        '<form method="post" action="/_sim/fault">'
        + "".join(f'<input type="hidden" name="{k}" value="{v}">' for k, v in fault.items())
        + f'<button id="switch-{fault["mode"]}" aria-pressed="{_bool(fault["mode"] in active)}" '
        f'title="{escape(text)}">{escape(name)}</button></form>'
        for name, text, fault in SWITCHES
    )
    options = "".join(f"<option>{mode}</option>" for mode in MODES)
    fields = "".join(
        _field(f"fault-{name}", name, label, "number")
        for name, label in (
            ("seconds", "For seconds (empty: until changed)"),
            ("every", "Every n-th request"),
            ("delayMs", "Delay in ms"),
            ("retryAfter", "Retry-After in seconds"),
            ("status", "Status"),
        )
    )
    return (
        '<section aria-labelledby="h-switch"><h2 id="h-switch">Switch</h2>'
        f'<div class="row" id="switches" data-live>{buttons}</div>'
        "<details><summary>Any fault, with details</summary>"
        '<form method="post" action="/_sim/fault" class="row">'
        f'<div><label for="fault-mode">Fault</label><select id="fault-mode" name="mode">{options}'
        f"</select></div>{fields}"
        + _field("fault-operations", "operations", f"Operations ({', '.join(OPERATIONS[:4])}, ...)")
        + "<button>Set</button></form></details></section>"
    )


def _channels() -> str:
    return (
        '<section aria-labelledby="h-sell"><h2 id="h-sell">Other channels</h2>'
        '<form method="post" action="/_sim/sell" class="row">'
        + _field("sell-sku", "sku", "SKU", required=True)
        + _field("sell-quantity", "quantity", "Units sold elsewhere", "number", required=True)
        + _field("sell-location", "location", "Location (empty: any)")
        + '<button class="main">Sell</button></form>'
        '<form method="post" action="/_sim/stock" class="row">'
        + _field("stock-location", "location", "Location", required=True)
        + _field("stock-sku", "sku", "SKU", required=True)
        + _field("stock-on-hand", "onHand", "On hand", "number", required=True)
        + _field("stock-safety", "safetyStockCount", "Safety stock", "number")
        + "<button>Set stock</button></form></section>"
    )


def _stock(simulator: Simulator, query: dict[str, str]) -> str:
    wanted = query.get("q", "").strip()
    with simulator.books.lock:
        found = sorted(sku for sku in simulator.books.skus if wanted.lower() in sku.lower())
    pages = max(1, -(-len(found) // SKUS_SHOWN))
    number = query.get("p", "1")
    whole = number.isascii() and number.isdigit() and len(number) < 9
    page = min(pages, max(1, int(number))) if whole else 1
    shown = stock_rows(simulator, found[(page - 1) * SKUS_SHOWN : page * SKUS_SHOWN])
    lines = []
    for row in shown:
        for kind, place, figures in [
            *(("group", *item) for item in row["groups"].items()),
            *(("location", *item) for item in row["locations"].items()),
        ]:
            names = ("onHand", "reserved", "safetyStockCount", "atf", "ato")
            numbers = [f'<td class="n">{figures[name]}</td>' for name in names]
            start = f"<td>{escape(row['sku'])}</td><td>{kind} {escape(place)}</td>"
            lines.append(f"<tr>{start}{''.join(numbers)}</tr>")
    links = " ".join(
        f'<a href="/_sim/?{urlencode({"q": wanted, "p": other})}">{text}</a>'
        for other, text in ((page - 1, "Previous"), (page + 1, "Next"))
        if 1 <= other <= pages
    )
    head = ("On hand", "Reserved", "Safety", "ATF", "ATO")
    return (
        '<section aria-labelledby="h-stock"><h2 id="h-stock">Stock</h2>'
        '<form method="get" action="/_sim/" class="row" role="search">'
        + _field("stock-q", "q", "Find a SKU", value=wanted)
        + "<button>Find</button></form>"
        f'<div class="wide" id="stock" data-live tabindex="0" role="group" aria-label="Stock">'
        f"<table><caption>{len(found)} SKUs, page {page} of {pages}</caption><thead><tr>"
        "<th scope=col>SKU</th><th scope=col>Place</th>"
        + "".join(f'<th scope=col class="n">{name}</th>' for name in head)
        + f"</tr></thead><tbody>{''.join(lines)}</tbody></table>{links}</div></section>"
    )


def _counters(simulator: Simulator) -> str:
    lines = "".join(
        f'<tr><td>{escape(operation)}</td><td>{escape(status)}</td><td class="n">{number}</td></tr>'
        for operation, by_status in simulator.log.counters()["sinceReset"].items()
        for status, number in by_status.items()
    )
    return (
        '<section aria-labelledby="h-count"><h2 id="h-count">Requests since the last reset</h2>'
        '<div class="wide" id="counters" data-live><table><thead><tr><th scope=col>Operation</th>'
        f"<th scope=col>Status</th><th scope=col class=n>Number</th></tr></thead><tbody>{lines}"
        '</tbody></table></div><form method="post" action="/_sim/reset">'
        '<input type="hidden" name="what" value="requests"><button>Count from 0</button></form>'
        "</section>"
    )


def _requests(simulator: Simulator) -> str:
    lines = "".join(
        f"<tr><td>{entry['at'][11:23]}</td><td>{escape(entry['operation'])}</td>"
        f"<td>{entry['status'] or 'no answer'}</td><td>{'yes' if entry['committed'] else 'no'}</td>"
        f"<td>{escape(entry['fault'])}</td><td>{escape(_short(entry['path']))}</td></tr>"
        for entry in simulator.log.last(REQUESTS_SHOWN)
    )
    heads = ("Time (UTC)", "Operation", "Answer", "Carried out", "Fault", "Path")
    return (
        '<section aria-labelledby="h-log"><h2 id="h-log">Last requests</h2>'
        '<div class="wide" id="log" data-live tabindex="0" role="group" '
        'aria-label="Last requests">'
        "<table><thead><tr>"
        + "".join(f"<th scope=col>{head}</th>" for head in heads)
        + f"</tr></thead><tbody>{lines}</tbody></table></div></section>"
    )


def _settings(simulator: Simulator) -> str:
    fields = "".join(
        _field(f"set-{name}", name, name, value=str(value))
        for name, value in simulator.settings.as_dict().items()
    )
    return (
        '<section aria-labelledby="h-set"><h2 id="h-set">Settings</h2><details>'
        "<summary>How it answers when nothing is wrong</summary>"
        f'<form method="post" action="/_sim/settings" class="row">{fields}<button>Change</button>'
        '</form></details><form method="post" action="/_sim/expire-tokens">'
        "<button>Expire all tokens</button></form></section>"
    )


def _field(
    field_id: str,
    name: str,
    label: str,
    kind: str = "text",
    *,
    value: str = "",
    required: bool = False,
) -> str:
    more = ' step="0.001" min="0"' if kind == "number" else ""
    more += " required" if required else ""
    return (
        f'<div><label for="{field_id}">{escape(label)}</label><input id="{field_id}" '
        f'name="{name}" type="{kind}" value="{escape(value)}"{more}></div>'
    )


def _short(path: str) -> str:
    """A path without the prefix common to all calls."""
    return path.rpartition("/organizations/")[2].partition("/")[2] or path


def _bool(value: bool) -> str:
    return "true" if value else "false"
