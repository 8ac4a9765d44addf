"""URLs of the home page and of the live parts of every page."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.home import views

urlpatterns = [
    path("", views.home, name="home"),
    path("first-run/hide/", views.first_run_hide, name="first_run_hide"),
    path("live/home/", views.home_live, name="home_live"),
    path("live/frame/", views.frame_live, name="frame_live"),
]
