"""URLs of the console, the API and the back office."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("coc_admin.console.urls")),
]
