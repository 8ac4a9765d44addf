"""The web process answers itself what takes orders, by the URLs of the API, and no more."""

from __future__ import annotations

import pytest
from django.urls import resolve

from coc_admin.web_server.order_paths import takes_orders

SITE = "/api/v1/sites/shop"


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("POST", f"{SITE}/orders", "api/v1/sites/<siteId>/orders"),
        ("GET", f"{SITE}/orders/1001", "api/v1/sites/<siteId>/orders/<path:orderNo>"),
        ("HEAD", f"{SITE}/orders/1001", "api/v1/sites/<siteId>/orders/<path:orderNo>"),
        ("PATCH", f"{SITE}/orders/1001", "api/v1/sites/<siteId>/orders/<path:orderNo>"),
        ("POST", f"{SITE}/orders/a/b/cancel", "api/v1/sites/<siteId>/orders/<path:orderNo>/cancel"),
        ("GET", f"{SITE}/inventory/MUG", "api/v1/sites/<siteId>/inventory/<sku>"),
        ("GET", "/healthz", "healthz"),
        ("GET", "/readyz", "readyz"),
    ],
)
def test_taking_orders(method: str, path: str, route: str) -> None:
    assert takes_orders(method, path)
    assert takes_orders(method, f"//{path}")
    assert resolve(path).route == route


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{SITE}/orders"),
        ("HEAD", f"{SITE}/orders"),
        ("POST", f"{SITE}/orders\n"),
        ("POST", f"{SITE}/orders/"),
        ("POST", "/api/v1/sites/a/b/orders"),
        ("GET", f"{SITE}/orders/"),
        ("GET", f"{SITE}/orders/with\nlines"),
        ("POST", f"{SITE}/reconciliations"),
        ("GET", f"{SITE}/inventory/"),
        ("GET", f"{SITE}/inventory/a/b"),
        ("POST", f"{SITE}/inventory/MUG"),
        ("GET", "/api/v1/status"),
        ("GET", "/api/v1/docs"),
        ("GET", "/metrics"),
        ("GET", "/orders/1/"),
        ("POST", "/login/"),
        ("GET", "/admin/orders/order/"),
        ("GET", "/static/console/console.css"),
        ("GET", "/healthz/"),
        ("GET", "/x/api/v1/sites/shop/orders/1"),
        ("GET", ""),
    ],
)
def test_everything_else(method: str, path: str) -> None:
    assert not takes_orders(method, path)
