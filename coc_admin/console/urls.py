"""URLs of the console."""

from __future__ import annotations

from django.contrib.auth import views as auth
from django.urls import path

from coc_admin.console import alerts, connection, home, orders, reports, runs

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
    path("orders/<int:pk>/", orders.order_page, name="order"),
    path("orders/<int:pk>/cancel/", orders.cancel, name="order_cancel"),
    path("runs/", runs.run_list, name="runs"),
    path("runs/new/", runs.preview, name="run_new"),
    path("runs/<int:pk>/", runs.run_page, name="run"),
    path("live/runs/<int:pk>/", runs.run_live, name="run_live"),
    path("reports/", reports.report_list, name="reports"),
    path("reports/<int:pk>.<str:form>", reports.download, name="report_download"),
    path("alerts/", alerts.alert_list, name="alerts"),
    path("connection/force-offline/", connection.force, name="force_offline"),
    path("connection/release/", connection.release, name="release_offline"),
]
