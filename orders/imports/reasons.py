"""Why a file of orders, one of its orders or lines is refused, by code; see `orders.reasons`.

A reason that ends with `:` or a name continues with another one: `join` combines them.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from orders.payload_reasons import why
from orders.reasons import Reason, in_words, join, register, say

__all__ = ["Reason", "in_words", "join", "say", "why"]

register(
    {
        # The file.
        "file_no_order": _("the file holds no order"),
        "file_packed": _("is packed (gzip). Unpack it first"),
        "file_spreadsheet": _("is a spreadsheet or an archive; save it as CSV in UTF-8"),
        "file_utf16": _("is in UTF-16; save it in UTF-8"),
        "file_too_many_orders": _("more than %(number)s orders; import the file in parts"),
        "file_unsorted": _(
            "too many orders have lines before and after this one; sort the file by order"
        ),
        "line_too_long": _("is longer than %(number)s characters"),
        "bytes_too_long": _("is longer than %(number)s bytes"),
        "line_no_csv": _("is not CSV: %(fault)s"),
        "line_values": _("has %(found)s values, not %(wanted)s"),
        "line_no_utf8": _("is not in UTF-8; save the file in UTF-8"),
        "line_no_order_number": _("has no order number"),
        "column_twice": _("names the column %(column)s more than once"),
        "column_missing": _(
            "has no column %(column)s for %(name)s (it has %(has)s); the first line names the"
            " columns, and --map of the command says what they are called"
        ),
        "heading_again": _(
            "names the columns again: tables were joined, so lines may stand in the file twice;"
            " import each table alone"
        ),
        "items_in_one_cell": _(
            "has all items of an order in one cell (%(column)s); export one line an item"
        ),
        "not_json_object": _("is not a JSON object"),
        "no_json": _("is not JSON"),
        "json_goes_on": _("continues after its list of orders"),
        "json_brackets": _("is not JSON: its brackets do not match"),
        "json_ends": _("is not JSON: it ends too early"),
        "no_xml": _("is not XML: %(fault)s"),
        "no_xml_token": _(
            "is not XML: a bare & or <, or bytes that are not in the encoding that the file names"
        ),
        "no_xml_more": _("is not XML: another document follows the first one; import each alone"),
        "xml_encoding": _("is in an encoding that cannot be read; use UTF-8"),
        "xml_tag_too_long": _("holds a tag or comment of more than %(number)s bytes"),
        "xml_doctype": _("contains a document type, which an order file never does"),
        "xml_other": _("is not an order export: it begins with <%(tag)s>, not <orders>"),
        "xml_too_deep": _("is nested more than %(levels)s deep"),
        # Faults that a program reports about an order.
        "order_ended": _("the order is %(status)s already"),
        "order_cancelled": _("the order was cancelled"),
        "order_cancelled_at": _("the order was cancelled at %(time)s"),
        "order_to_delete": _("the order is to be deleted (mode delete)"),
        "order_of_site": _("the order is of site %(site)s"),
        "mode_unknown": _("the mode %(mode)s is unknown"),
        "value_unknown": _("the %(column)s %(text)s is unknown"),
        "invoice_cancels": _("the invoice is a cancellation"),
        "units_back": _("units were given back: %(column)s is %(text)s"),
        "money_back": _("money was given back: %(column)s is %(text)s"),
        "units_left": _("units were given back: %(text)s are left"),
        "item_restocked": _("units were given back: the item was restocked"),
        "several_reports": _(
            "the file holds several reports, so items may stand in it twice; export one report"
        ),
        "has_bundles": _(
            "the order has bundles or options, which a table doesn't hold; import it as JSON"
        ),
        # Lines that take no stock.
        "names_no_item": _("names no item"),
        "not_shipped": _("has no SKU and is not shipped"),
        "takes_no_stock": _("is %(kind)s and takes no stock"),
        "has_own_lines": _("is %(kind)s: its products have lines of their own"),
        "code_no_product": _("the stock code %(text)s is not a product"),
        "may_count_twice": _(
            "the product in line %(line)s is %(kind)s, and other lines may be its parts, which"
            " would count twice; export the columns item_id and parent_item_id as well"
        ),
        "part_without_type": _(
            "the line is a part of another product, and both may be counted; export the column"
            " product_type as well"
        ),
        "sku_without_type": _(
            "lines %(before)s and %(line)s have the same SKU and may be a product and its variant,"
            " which would count twice; export the columns item_id and product_type as well"
        ),
        "line_twice": _(
            "the item %(text)s stands twice, in lines %(before)s and %(line)s; export again"
        ),
        "no_line_takes_stock": _("none of its lines takes stock: line %(line)s"),
        # The values of an order.
        "in_line": _("(line %(line)s)"),
        "the_order_number": _("the order number"),
        "line_no_sku": _("line %(line)s has no SKU"),
        "line_no_quantity": _("line %(line)s has no quantity"),
        "element_twice": _("line %(line)s gives %(name)s more than once"),
        "the_sku_in_line": _("the SKU in line %(line)s"),
        "the_quantity_in_line": _("the quantity %(text)s in line %(line)s"),
        "the_value": _("the %(column)s %(text)s"),
        "differs_from_before": _(
            "the %(column)s in line %(line)s is %(text)s, before it %(before)s"
        ),
        "order_too_long": _("an order has at most %(number)s bytes"),
        "no_total": _("has no orderTotal, and a price of its items is not a number"),
        # Numbers and dates; the name of the field comes first.
        "number_either": _("may have decimals or thousands; write it without a separator"),
        "number_shortened": _(
            "was shortened by a spreadsheet; format its column as text or number"
        ),
        "number_grouped": _("has a thousands separator; write it as 1500, 1.5 or 1,5"),
        "number_comma": _("has a comma or a thousands separator; write it as 1500 or 1.5"),
        "no_number": _("is not a number"),
        "cell_shortened": _("was shortened by a spreadsheet; format its column as text"),
        "cell_error": _("is an error of a spreadsheet"),
        "cell_apostrophe": _("begins with the apostrophe of a spreadsheet; save it without"),
        "cell_odd_quotes": _("is in typographic quotation marks; save it without"),
        "cell_in_quotes": _("includes its quotation marks; write no space before a quote"),
        "no_date": _("is not a date"),
        "date_serial": _("is a spreadsheet's number for a date; format its column as a date"),
        "date_unreadable": _("is not a readable date; write 2026-02-02T12:00:00Z"),
        "date_either": _("may have the day or the month first; --dates says which"),
        # The outcome of an order of a file.
        "stock_changes": _("Its stock changes all the time; import again."),
    }
)
