"""Tables as files: CSV and XLSX, from one definition of columns. The only writer of such files.

`table_file` writes for people: headings, decimals and dates in the reader's language and zone.
`sheet_file` writes for programs, in a form that never changes: the field's names, ISO 8601 in UTC.
"""

from __future__ import annotations

from orders.tables.columns import Column, Kind, Value
from orders.tables.files import ENDINGS, Form, Table, table_file
from orders.tables.guard import is_formula, neutral, original
from orders.tables.plain import sheet_file
from orders.tables.reader import Reader

__all__ = [
    "ENDINGS",
    "Column",
    "Form",
    "Kind",
    "Reader",
    "Table",
    "Value",
    "is_formula",
    "neutral",
    "original",
    "sheet_file",
    "table_file",
]
