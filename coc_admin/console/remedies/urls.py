"""URLs of the remedies for one order."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.remedies import adjust_views, item_views, order_views, promise_views

urlpatterns = [
    path("orders/<int:pk>/cancel/", order_views.cancel, name="order_cancel"),
    path("orders/<int:pk>/cancel-items/", order_views.cancel_items, name="order_cancel_items"),
    path("orders/<int:pk>/replace/", item_views.replace, name="order_replace"),
    path(
        "orders/<int:pk>/documents/<int:document_pk>/give-back/",
        item_views.give_back,
        name="order_give_back",
    ),
    path(
        "orders/<int:pk>/documents/<int:document_pk>/adjust/",
        adjust_views.adjust,
        name="order_adjust",
    ),
    path("orders/<int:pk>/settle/", order_views.settle_outside, name="order_settle"),
    path("orders/<int:pk>/promise/", promise_views.promise, name="order_promise"),
    path("orders/<int:pk>/reopen/", order_views.reopen, name="order_reopen"),
]
