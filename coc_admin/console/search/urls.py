"""URLs of the search."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.search import views

urlpatterns = [
    path("search/", views.search, name="search"),
    path("live/search/", views.search_live, name="search_live"),
]
