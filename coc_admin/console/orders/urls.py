"""URLs of the pages of orders."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.orders import export_views, payload_views, views

urlpatterns = [
    path("orders/", views.order_list, name="orders"),
    path("orders/export.<str:form>", export_views.export, name="order_export"),
    path("orders/<int:pk>/", views.order_page, name="order"),
    path("orders/<int:pk>/payload/", payload_views.payload, name="order_payload"),
    path("orders/<int:pk>/cancel/", views.cancel, name="order_cancel"),
    path("orders/<int:pk>/end-review/", views.end_review, name="order_end_review"),
]
