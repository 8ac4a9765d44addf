"""What people keep beside short orders."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from orders.models.orders import Order


class DeskEntry(models.Model):
    """What people keep beside a short order on the oversold desk.

    Written by `orders.desk.entries`. An order without a row has no assignee and no note.
    """

    order = models.OneToOneField(
        Order, on_delete=models.CASCADE, primary_key=True, related_name="desk_entry"
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="desk_entries",
    )
    assigned_at = models.DateTimeField(null=True)
    assigned_by = models.CharField(max_length=150, blank=True)
    note = models.CharField(max_length=1000, blank=True)
    noted_at = models.DateTimeField(null=True)
    noted_by = models.CharField(max_length=150, blank=True)

    class Meta:
        db_table = "coc_admin_deskentry"  # its name when it shipped
        default_permissions = ()

    def __str__(self) -> str:
        return f"order {self.order_id} on the desk"
