"""URLs of the help."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.help import views

urlpatterns = [
    path("help/glossary/", views.glossary, name="glossary"),
    path("help/guide/", views.guide, name="guide"),
]
