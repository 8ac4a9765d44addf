"""URL of the saved views."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.saved_views import views

urlpatterns = [path("views/", views.saved_views, name="saved_views")]
