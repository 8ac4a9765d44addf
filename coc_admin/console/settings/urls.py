"""URLs of the settings."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.settings import (
    audit_log_views,
    interval_views,
    invitation_views,
    list_views,
    oci_views,
    people_views,
    person_action_views,
    schedule_views,
    sections,
    site_views,
    token_views,
)

urlpatterns = [
    path("settings/", sections.index, name="settings"),
    path("settings/sites/", site_views.site_list, name="settings_sites"),
    path("settings/sites/new/", site_views.site_new, name="settings_site_new"),
    path("settings/sites/edit/<str:pk>/", site_views.site_page, name="settings_site"),
    path("settings/lists/", list_views.inventory_lists, name="settings_lists"),
    path("settings/lists/new/", list_views.list_new, name="settings_list_new"),
    path("settings/lists/edit/<str:pk>/", list_views.list_page, name="settings_list"),
    path("settings/schedules/", schedule_views.schedule_page, name="settings_schedules"),
    path("settings/schedules/<str:name>/", interval_views.interval_page, name="settings_interval"),
    path("settings/oci/", oci_views.oci_page, name="settings_oci"),
    path("settings/tokens/", token_views.token_list, name="settings_tokens"),
    path("settings/tokens/new/", token_views.token_new, name="settings_token_new"),
    path(
        "settings/tokens/<int:pk>/revoke/", token_views.token_revoke, name="settings_token_revoke"
    ),
    path("settings/people/", people_views.person_list, name="settings_people"),
    path("settings/people/new/", people_views.person_new, name="settings_person_new"),
    path("settings/people/<int:pk>/", people_views.person_page, name="settings_person"),
    path(
        "settings/people/<int:pk>/invite/",
        invitation_views.person_invite,
        name="settings_person_invite",
    ),
    path(
        "settings/people/<int:pk>/link/",
        person_action_views.person_link,
        name="settings_person_link",
    ),
    path(
        "settings/people/<int:pk>/<str:act>/",
        person_action_views.person_act,
        name="settings_person_act",
    ),
    path("settings/audit/", audit_log_views.audit_list, name="settings_audit"),
    path("settings/audit.<str:form>", audit_log_views.audit_export, name="settings_audit_export"),
]
