"""URLs of the console."""

from __future__ import annotations

from django.contrib.auth import views as auth
from django.urls import path

from coc_admin.console import (
    alerts,
    connection,
    home,
    inventory,
    order_exports,
    orders,
    outages,
    remedies,
    reports,
    runs,
)

urlpatterns = [
    path(
        "login/",
        auth.LoginView.as_view(redirect_authenticated_user=True),
        name="login",
    ),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("", home.home, name="home"),
    path("live/home/", home.home_live, name="home_live"),
    path("live/frame/", home.frame_live, name="frame_live"),
    path("orders/", orders.order_list, name="orders"),
    path("orders/export.<str:form>", order_exports.export, name="order_export"),
    path("orders/<int:pk>/", orders.order_page, name="order"),
    path("orders/<int:pk>/cancel/", orders.cancel, name="order_cancel"),
    path("orders/<int:pk>/settle/", remedies.settle_outside, name="order_settle"),
    path("orders/<int:pk>/reopen/", remedies.reopen, name="order_reopen"),
    path("orders/<int:pk>/end-review/", orders.end_review, name="order_end_review"),
    path("inventory/", inventory.stock_list, name="inventory"),
    path("inventory/<int:pk>/", inventory.stock_page, name="sku"),
    path("runs/", runs.run_list, name="runs"),
    path("runs/new/", runs.preview, name="run_new"),
    path("runs/<int:pk>/", runs.run_page, name="run"),
    path("live/runs/<int:pk>/", runs.run_live, name="run_live"),
    path("outages/", outages.outage_list, name="outages"),
    path("outages/<int:pk>/", outages.outage_page, name="outage"),
    path("reports/", reports.report_list, name="reports"),
    path("reports/<int:pk>.<str:form>", reports.download, name="report_download"),
    path("alerts/", alerts.alert_list, name="alerts"),
    path("connection/force-offline/", connection.force, name="force_offline"),
    path("connection/release/", connection.release, name="release_offline"),
]
