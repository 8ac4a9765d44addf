"""URLs of the console."""

from __future__ import annotations

from django.urls import path

from coc_admin.console import connection, home, me, sign_in
from coc_admin.console.alerts import preferences as alert_preferences
from coc_admin.console.alerts import views as alerts
from coc_admin.console.bulk import replace_views, selection_views
from coc_admin.console.bulk import views as bulk_pages
from coc_admin.console.channels import views as channels
from coc_admin.console.desk import assignment_views as desk_assigning
from coc_admin.console.desk import views as desk
from coc_admin.console.messages import template_views as message_templates
from coc_admin.console.messages import views as customer_messages
from coc_admin.console.orders import exports as order_exports
from coc_admin.console.orders import payloads as order_payloads
from coc_admin.console.orders import views as orders
from coc_admin.console.outages import files as outage_files
from coc_admin.console.outages import views as outages
from coc_admin.console.remedies import adjust_views as adjusting_pages
from coc_admin.console.remedies import item_views as item_remedies
from coc_admin.console.remedies import settlement_views as remedies
from coc_admin.console.reports import calendar as report_calendar
from coc_admin.console.reports import content_views as report_pages
from coc_admin.console.reports import views as reports
from coc_admin.console.runs import details as run_details
from coc_admin.console.runs import views as runs
from coc_admin.console.settings.urls import urlpatterns as settings_urls
from coc_admin.console.stock import compare_views as stock_pages
from coc_admin.console.stock import import_views as stock_import_pages
from coc_admin.console.stock import views as inventory

urlpatterns = [
    path("login/", sign_in.SignIn.as_view(), name="login"),
    path("logout/", sign_in.SignOut.as_view(), name="logout"),
    path(
        "set-password/<str:uidb64>/<str:token>/",
        sign_in.SetPassword.as_view(),
        name="set_password",
    ),
    path("me/", me.me, name="me"),
    path("me/password/", me.change_password, name="change_password"),
    path("me/sign-out-elsewhere/", me.sign_out_elsewhere, name="sign_out_elsewhere"),
    path("site/", me.choose_site, name="choose_site"),
    path("", home.home, name="home"),
    path("live/home/", home.home_live, name="home_live"),
    path("live/frame/", home.frame_live, name="frame_live"),
    path("orders/", orders.order_list, name="orders"),
    path("orders/export.<str:form>", order_exports.export, name="order_export"),
    path("orders/<int:pk>/", orders.order_page, name="order"),
    path("orders/<int:pk>/payload/", order_payloads.payload, name="order_payload"),
    path("orders/<int:pk>/cancel/", orders.cancel, name="order_cancel"),
    path("orders/<int:pk>/cancel-items/", item_remedies.cancel_items, name="order_cancel_items"),
    path("orders/<int:pk>/replace/", item_remedies.replace, name="order_replace"),
    path(
        "orders/<int:pk>/documents/<int:document_pk>/give-back/",
        item_remedies.give_back,
        name="order_give_back",
    ),
    path(
        "orders/<int:pk>/documents/<int:document_pk>/adjust/",
        adjusting_pages.adjust,
        name="order_adjust",
    ),
    path("orders/<int:pk>/settle/", remedies.settle_outside, name="order_settle"),
    path("orders/<int:pk>/reopen/", remedies.reopen, name="order_reopen"),
    path("orders/<int:pk>/end-review/", orders.end_review, name="order_end_review"),
    path("desk/", desk.desk_orders, name="desk"),
    path("desk/skus/", desk.desk_skus, name="desk_skus"),
    path("desk/skus/replace/", replace_views.replace_sku, name="desk_sku_replace"),
    path("desk/assign/", desk_assigning.desk_assign, name="desk_assign"),
    path("desk/orders/<int:pk>/", desk.desk_order, name="desk_order"),
    path("chosen/<str:listing>/", selection_views.choose, name="choose"),
    path(
        "chosen/<str:listing>/export.<str:form>",
        selection_views.chosen_export,
        name="chosen_export",
    ),
    path("bulk/<uuid:pk>/", bulk_pages.bulk, name="bulk"),
    path("bulk/<uuid:pk>/undo/", bulk_pages.bulk_undo, name="bulk_undo"),
    path("live/bulk/<uuid:pk>/", bulk_pages.bulk_live, name="bulk_live"),
    path("inventory/", inventory.stock_list, name="inventory"),
    path("inventory/compare/", stock_pages.compare_list, name="stock_compare"),
    path("inventory/refresh/", stock_pages.refresh_list, name="stock_refresh"),
    path("inventory/import/", stock_import_pages.upload, name="stock_import"),
    path("inventory/import/<int:pk>/", stock_import_pages.confirm, name="stock_import_confirm"),
    path("inventory/<int:pk>/", inventory.stock_page, name="sku"),
    path("inventory/<int:pk>/compare/", stock_pages.compare_sku, name="sku_compare"),
    path("inventory/<int:pk>/refresh/", stock_pages.refresh_sku, name="sku_refresh"),
    path("runs/", runs.run_list, name="runs"),
    path("runs/new/", runs.preview, name="run_new"),
    path("runs/<int:pk>/", runs.run_page, name="run"),
    path("runs/<int:pk>/batches/", run_details.batches, name="run_batches"),
    path("runs/<int:pk>/calls/", run_details.attempts, name="run_attempts"),
    path("live/runs/<int:pk>/", runs.run_live, name="run_live"),
    path("outages/", outages.outage_list, name="outages"),
    path("outages/<int:pk>/", outages.outage_page, name="outage"),
    path("outages/<int:pk>/reports.zip", outage_files.outage_zip, name="outage_zip"),
    path("reports/", reports.report_list, name="reports"),
    path("live/reports/", reports.reports_live, name="reports_live"),
    path("reports/calendar/", report_calendar.calendar, name="report_calendar"),
    path("reports/<int:pk>/", report_pages.report_page, name="report"),
    path("reports/<int:pk>/rebuild/", report_pages.rebuild, name="report_rebuild"),
    path("reports/<int:pk>.<str:form>", reports.download, name="report_download"),
    path("orders/<int:pk>/message/", customer_messages.write, name="order_message"),
    path(
        "orders/<int:pk>/message/<int:message>/again/",
        customer_messages.send_again,
        name="order_message_again",
    ),
    path("messages/", message_templates.template_list, name="message_templates"),
    path(
        "messages/<str:site>/template/<str:kind>/",
        message_templates.template_edit,
        name="message_template",
    ),
    path("messages/<str:site>/sending/", message_templates.route_edit, name="message_route"),
    path("alerts/", alerts.alert_list, name="alerts"),
    path("alerts/<int:pk>/", alerts.alert_page, name="alert"),
    path("alerts/handle/", alerts.handle, name="alert_handle"),
    path("alerts/my-view/", alert_preferences.preferences, name="alert_preferences"),
    path("alerts/channels/", channels.channel_list, name="channels"),
    path("alerts/channels/new/", channels.channel_new, name="channel_new"),
    path("alerts/channels/log/", channels.delivery_log, name="deliveries"),
    path("alerts/channels/<int:pk>/", channels.channel_page, name="channel"),
    path("alerts/channels/<int:pk>/edit/", channels.channel_edit, name="channel_edit"),
    path("alerts/channels/<int:pk>/test/", channels.channel_test, name="channel_test"),
    path("alerts/channels/<int:pk>/delete/", channels.channel_delete, name="channel_delete"),
    path("connection/force-offline/", connection.force, name="force_offline"),
    path("connection/release/", connection.release, name="release_offline"),
    *settings_urls,
]
