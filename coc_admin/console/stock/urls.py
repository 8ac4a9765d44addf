"""URLs of the pages of stock."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.stock import compare_views, import_views, views

urlpatterns = [
    path("inventory/", views.stock_list, name="inventory"),
    path("inventory/compare/", compare_views.compare_list, name="stock_compare"),
    path("inventory/refresh/", compare_views.refresh_list, name="stock_refresh"),
    path("inventory/import/", import_views.upload, name="stock_import"),
    path("inventory/import/<int:pk>/", import_views.confirm, name="stock_import_confirm"),
    path("inventory/<int:pk>/", views.stock_page, name="sku"),
    path("inventory/<int:pk>/compare/", compare_views.compare_sku, name="sku_compare"),
    path("inventory/<int:pk>/refresh/", compare_views.refresh_sku, name="sku_refresh"),
]
