"""URLs of the alert channels."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.channels import views

urlpatterns = [
    path("alerts/channels/", views.channel_list, name="channels"),
    path("alerts/channels/new/", views.channel_new, name="channel_new"),
    path("alerts/channels/log/", views.delivery_log, name="deliveries"),
    path("alerts/channels/<int:pk>/", views.channel_page, name="channel"),
    path("alerts/channels/<int:pk>/edit/", views.channel_edit, name="channel_edit"),
    path("alerts/channels/<int:pk>/test/", views.channel_test, name="channel_test"),
    path("alerts/channels/<int:pk>/delete/", views.channel_delete, name="channel_delete"),
]
