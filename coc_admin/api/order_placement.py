"""`POST /api/v1/sites/{siteId}/orders`: the storefront places an order.

A plain view, unlike the other operations, because it takes the body unchanged, byte for byte.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from coc_admin.api import bodies, problems
from coc_admin.api.access import BearerToken, actor_of, site_of
from coc_admin.models import TokenScope
from orders.capture import CaptureBusy
from orders.errors import OrderRefused
from orders.payload import MAX_BYTES
from orders.serializers import order_answer
from reconciliation.reservation.placement import place_order

RULE = BearerToken(TokenScope.ORDERS_WRITE)


@csrf_exempt
def place(request: HttpRequest, *, siteId: str) -> HttpResponse:
    """Place an order: 201 when it is stored, 200 when the same order was stored before."""
    try:
        token = RULE(request)
        site = site_of(token, siteId)
        raw = bodies.read(request, limit=MAX_BYTES)
        placement = place_order(raw=raw, site=site, actor=actor_of(token))
    except problems.ApiProblem as problem:
        return problems.answer(problem)
    except CaptureBusy:
        return problems.answer(problems.Unavailable("Too many orders are arriving. Try again."))
    except OrderRefused as refused:
        return problems.answer_refusal(refused)
    # Plain values need no encoder of Django's, which JsonResponse creates for each answer.
    response = HttpResponse(
        json.dumps(order_answer(placement.order, placement.items)),
        content_type="application/json",
        status=201 if placement.created else 200,
    )
    response["Location"] = f"{request.path}/{quote(placement.order.order_no, safe='')}"
    return response
