"""What capture over HTTP is measured against: `python -m tests.benchmarks.bare_view FD`.

The product's web server with a view that reads an order and executes one prepared statement, which
writes the rows of an order captured offline: no middleware, no checks, no answer about shortfalls.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, JsonResponse
from django.urls import path

ONE_STATEMENT = """
WITH want AS (
    SELECT sku, q, pos FROM unnest(%s::text[], %s::bigint[]) WITH ORDINALITY AS x(sku, q, pos)
), w AS (
    SELECT id, sku FROM orders_inventoryrecord
    WHERE inventory_list_id = 'bench-stock' AND sku = ANY(%s) ORDER BY sku FOR UPDATE
), u AS (
    UPDATE orders_inventoryrecord r SET ato = r.ato - want.q, held = r.held + want.q,
        updated_at = now()
    FROM w JOIN want USING (sku) WHERE r.id = w.id AND r.ato >= want.q
    RETURNING r.id, want.q
), o AS (
    INSERT INTO orders_order (site_id, order_no, status, reservation_state, export_status,
        captured_offline, captured_at, creation_date, currency, order_total, customer, payload_hash,
        generation, claim, needs_review_reason, resolution, resolution_by, resolution_note)
    SELECT 'bench', %s, 'new', 'RESERVATION_MISSING', 'not_exported', true, now(), '', 'EUR',
        300000, %s::jsonb, '', 0, '', '', '', '', ''
    WHERE (SELECT count(*) FROM u) = %s
    RETURNING id
), p AS (
    INSERT INTO orders_orderpayload (order_id, body) SELECT id, %s FROM o
), i AS (
    INSERT INTO orders_orderitem (order_id, position, item_id, sku, product_name,
        inventory_list_id, quantity, reserved_quantity, cancelled_quantity, replaced_quantity,
        unit_price)
    SELECT o.id, pos, pos::text, sku, '', 'bench-stock', q, 0, 0, 0, 100000 FROM o, want
), e AS (
    INSERT INTO orders_orderevent (order_id, at, kind, actor_kind, actor, reason, data, projected)
    SELECT id, now(), 'captured_offline', 'api', 'bench', '', '{}'::jsonb, false FROM o
), h AS (
    INSERT INTO orders_hold (order_id, record_id, quantity, state)
    SELECT o.id, u.id, u.q, 'waiting' FROM o, u RETURNING id, record_id, quantity
), m AS (
    INSERT INTO orders_movement (record_id, reason, ato_change, held_change, hold_id, at)
    SELECT record_id, 'captured', -quantity, quantity, id, now() FROM h
)
SELECT id FROM o
"""

_links = threading.local()


def _link() -> Any:
    import psycopg

    if not hasattr(_links, "one"):
        _links.one = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    return _links.one


def place(request: HttpRequest, **_: str) -> JsonResponse:
    """Store an order."""
    body = request.body.decode()
    order = json.loads(body)
    units: dict[str, int] = {}
    for item in order["productItems"]:
        units[item["productId"]] = units.get(item["productId"], 0) + 1000 * item["quantity"]
    skus = sorted(units)
    values = (
        *(skus, [units[sku] for sku in skus], skus, order["orderNo"]),
        *(json.dumps(order["customerInfo"]), len(skus), body),
    )
    found = _link().execute(ONE_STATEMENT, values, prepare=True).fetchone()
    return JsonResponse({"orderNo": order["orderNo"], "id": found[0]}, status=201)


urlpatterns = [path("api/v1/sites/<siteId>/orders", place)]


def main() -> None:
    """Serve until SIGTERM."""
    settings.configure(
        ROOT_URLCONF=__name__,
        MIDDLEWARE=[],
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="a key for nothing",
        COC_SILENT_SECONDS=10,
    )
    django.setup()
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # more clients than threads
    from coc_admin.web_server import process
    from coc_admin.web_server.limits import Limits
    from coc_admin.web_server.server import Server

    listener = socket.socket(fileno=int(sys.argv[1]))
    threads = int(os.environ["COC_WEB_THREADS"])
    process.run(Server(WSGIHandler(), listener, threads=threads, limits=Limits(request_seconds=60)))


if __name__ == "__main__":
    main()
