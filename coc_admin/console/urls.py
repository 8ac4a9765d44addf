"""URLs of the console; each room has its own."""

from __future__ import annotations

from django.urls import include, path

from coc_admin.console import connection, me, sign_in_views

ROOMS = (
    "alerts",
    "bulk",
    "channels",
    "desk",
    "help",
    "home",
    "maintenance",
    "messages",
    "orders",
    "outages",
    "remedies",
    "reports",
    "runs",
    "saved_views",
    "search",
    "settings",
    "stock",
)

urlpatterns = [
    path("login/", sign_in_views.SignIn.as_view(), name="login"),
    path("logout/", sign_in_views.SignOut.as_view(), name="logout"),
    path(
        "set-password/<str:uidb64>/<str:token>/",
        sign_in_views.SetPassword.as_view(),
        name="set_password",
    ),
    path("me/", me.me, name="me"),
    path("me/password/", me.change_password, name="change_password"),
    path("me/sign-out-elsewhere/", me.sign_out_elsewhere, name="sign_out_elsewhere"),
    path("site/", me.choose_site, name="choose_site"),
    path("connection/force-offline/", connection.force, name="force_offline"),
    path("connection/release/", connection.release, name="release_offline"),
    *(path("", include(f"coc_admin.console.{room}.urls")) for room in ROOMS),
]
