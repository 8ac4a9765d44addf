"""URLs of the messages to customers."""

from __future__ import annotations

from django.urls import path

from coc_admin.console.messages import template_views, views

urlpatterns = [
    path("orders/<int:pk>/message/", views.write, name="order_message"),
    path(
        "orders/<int:pk>/message/<int:message>/again/",
        views.send_again,
        name="order_message_again",
    ),
    path("messages/", template_views.template_list, name="message_templates"),
    path(
        "messages/<str:site>/template/<str:kind>/",
        template_views.template_edit,
        name="message_template",
    ),
    path("messages/<str:site>/sending/", template_views.route_edit, name="message_route"),
]
