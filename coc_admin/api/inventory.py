"""Units that the shop can still promise."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Path, Router
from pydantic import Field

from coc_admin.api.access import BearerToken, site_of, token_of
from coc_admin.api.pages import refuse_unknown
from coc_admin.api.problems import NotFound
from coc_admin.models import TokenScope
from orders import ledger
from orders.members import Members, MomentOrNull, Number, NumberOrNull, Read
from orders.texts import is_sku

router = Router(tags=["Inventory"])


class InventoryAnswer(Members):
    """Units of a SKU that the shop can still promise."""

    sku: str
    inventoryListId: str
    ato: Annotated[NumberOrNull, Read(lambda record: record.ato if record.is_tracked else None)] = (
        Field(description="Available to order; null while no figure is known.")
    )
    held: Number = Field(description="Held by orders on top of the figure.")
    snapshotAt: MomentOrNull = Field(description="When OCI was asked for the figure.")


@router.get(
    "/sites/{siteId}/inventory/{sku}",
    auth=BearerToken(TokenScope.INVENTORY_READ),
    response=InventoryAnswer,
    operation_id="getInventory",
)
def get_inventory(
    request: HttpRequest, site_id: Annotated[str, Path(alias="siteId")], sku: str
) -> Any:
    """Read the ATO of a SKU in the site's inventory list, as last known."""
    site = site_of(token_of(request), site_id)
    refuse_unknown(request)
    record = None
    if is_sku(sku):
        record = ledger.get_ato(site.inventory_list_id, sku)
    if record is None:
        raise NotFound("The site's inventory list has no such SKU.")
    return InventoryAnswer.of(record)
