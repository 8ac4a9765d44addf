"""URLs of the pages for actions on many orders."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.bulk import replace_views, selection_views, views

urlpatterns = [
    path("desk/skus/replace/", replace_views.replace_sku, name="desk_sku_replace"),
    path("chosen/<str:listing>/", selection_views.choose, name="choose"),
    path(
        "chosen/<str:listing>/export.<str:form>",
        selection_views.chosen_export,
        name="chosen_export",
    ),
    path("bulk/<uuid:pk>/", views.bulk, name="bulk"),
    path("bulk/<uuid:pk>/undo/", views.bulk_undo, name="bulk_undo"),
    path("bulk/<uuid:pk>/tell-again/", views.bulk_tell_again, name="bulk_tell_again"),
    path("live/bulk/<uuid:pk>/", views.bulk_live, name="bulk_live"),
]
