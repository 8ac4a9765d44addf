"""URLs of the inbox of alerts."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.alerts import preference_views, views

urlpatterns = [
    path("alerts/", views.alert_list, name="alerts"),
    path("alerts/<int:pk>/", views.alert_page, name="alert"),
    path("live/alerts/", views.alert_list_live, name="alerts_live"),
    path("live/alerts/<int:pk>/", views.alert_page_live, name="alert_live"),
    path("alerts/handle/", views.handle, name="alert_handle"),
    path("alerts/my-view/", preference_views.preferences, name="alert_preferences"),
]
