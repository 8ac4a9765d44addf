"""Numbers in files: read exactly, or refused; never guessed."""

from __future__ import annotations

import re
from decimal import Decimal

from orders.imports.reasons import say

_PLAIN = re.compile(r"\A[+-]?[0-9]{1,12}(\.[0-9]{1,20})?\Z")
_COMMA = re.compile(r"\A[+-]?[0-9]{1,12},[0-9]{1,20}\Z")
# Readers disagree on 1.500 and 1,500: one and a half, or one thousand five hundred.
_EITHER = re.compile(r"\A[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}\Z")
_SHORTENED = re.compile(r"\A[+-]?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+\Z")
_GROUPED = re.compile(r"\A[+-]?[0-9]{1,3}([.,'’ \u00a0\u202f][0-9]{3})+([.,][0-9]+)?\Z")
# #REF!, #NAME? and their like in every language: #WERT!, #BEZUG!, #¡VALOR!; and "not available".
_CELL_ERROR = re.compile(r"\A#[¡¿]?[A-ZÀ-Þ0-9/.]{2,14}[!?]\Z|\A#(N/A|NV|N/D|N/B|N/V|I/T)\Z")
# Spreadsheets shorten a long number to one digit, decimals, and a signed exponent.
_MANGLED = re.compile(r"\A[0-9]([.,][0-9]+)?[Ee]\+[0-9]{2,3}\Z")
# Spreadsheets mark a number, or a formula that must not run, as text like this.
_MARKED_AS_TEXT = re.compile(r"\A'([0-9][0-9.,]*\Z|[=+@-])")
_IN_ODD_QUOTES = re.compile(r"\A[“”„«»].*[“”„«»]\Z", re.DOTALL)
_IN_QUOTES = re.compile(r'\A".*"\Z', re.DOTALL)

_DECIMAL = re.compile(r"\A[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})\Z")
_DOUBLE = re.compile(r"\A[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,2})?\Z")
# XML Schema strips these from a number before reading it.
_XML_SPACE = " \t\r\n"


def csv_number(text: str, *, has_commas: bool = False) -> Decimal:
    """Return the number in a cell; raises ValueError with the fault.

    `has_commas`: a comma may be a decimal sign, because another character separates the cells.
    """
    text = text.strip()
    if has_commas and _EITHER.match(text):
        raise ValueError(say("number_either"))
    if _PLAIN.match(text):
        return Decimal(text)
    if has_commas and _COMMA.match(text):
        return Decimal(text.replace(",", "."))
    if _SHORTENED.match(text):
        raise ValueError(say("number_shortened"))
    if has_commas and _GROUPED.match(text):
        raise ValueError(say("number_grouped"))
    if _GROUPED.match(text) or _COMMA.match(text):
        raise ValueError(say("number_comma"))
    raise ValueError(say("no_number"))


def mangled(text: str) -> str:
    """Return how a program has damaged a number or id in a CSV file, or ""."""
    if _MANGLED.match(text):
        return say("cell_shortened")
    if _CELL_ERROR.match(text) or (len(text) > 2 and set(text) == {"#"}):
        return say("cell_error")
    if _MARKED_AS_TEXT.match(text):
        return say("cell_apostrophe")
    if _IN_ODD_QUOTES.match(text):
        return say("cell_odd_quotes")
    if _IN_QUOTES.match(text):
        return say("cell_in_quotes")
    return ""


def xml_decimal(text: str) -> Decimal | None:
    """Return the xsd:decimal that `text` is, or None."""
    text = text.strip(_XML_SPACE)
    return Decimal(text) if _DECIMAL.match(text) else None


def xml_double(text: str) -> Decimal | None:
    """Return the finite xsd:double that `text` is, exactly as written, or None."""
    text = text.strip(_XML_SPACE)
    return Decimal(text) if _DOUBLE.match(text) else None


def xml_boolean(text: str) -> bool | None:
    """Return the xsd:boolean that `text` is, or None."""
    return {"true": True, "1": True, "false": False, "0": False}.get(text.strip(_XML_SPACE).lower())
