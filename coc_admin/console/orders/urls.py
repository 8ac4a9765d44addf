"""URLs of the pages of orders."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.orders import export_views, handover_views, payload_views, views

urlpatterns = [
    path("orders/", views.order_list, name="orders"),
    path("orders/export.<str:form>", export_views.export, name="order_export"),
    path("orders/resubmit/", handover_views.resubmit_all, name="orders_resubmit"),
    path("orders/<int:pk>/", views.order_page, name="order"),
    path("live/orders/<int:pk>/", views.order_live, name="order_live"),
    path("orders/<int:pk>/payload/", payload_views.payload, name="order_payload"),
    path("orders/<int:pk>/hand-over/", handover_views.hand_over, name="order_hand_over"),
    path("orders/<int:pk>/hold/", handover_views.hold, name="order_hold"),
    path("orders/<int:pk>/resubmit/", handover_views.resubmit, name="order_resubmit"),
    path("orders/<int:pk>/end-review/", views.end_review, name="order_end_review"),
]
