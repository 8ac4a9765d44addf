"""URLs of the oversold desk."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.desk import assignment_views, export_views, views

urlpatterns = [
    path("desk/", views.desk_orders, name="desk"),
    path("desk/export.<str:form>", export_views.desk_export, name="desk_export"),
    path("desk/skus/", views.desk_skus, name="desk_skus"),
    path("desk/assign/", assignment_views.desk_assign, name="desk_assign"),
    path("desk/orders/<int:pk>/", views.desk_order, name="desk_order"),
]
