"""The language and time zone of the person who opens a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

from django.utils import timezone, translation


@dataclass(frozen=True, slots=True)
class _Habits:
    """How spreadsheets in one language read CSV files and show dates."""

    separator: str
    decimal_mark: str
    date: str  # for strftime
    sheet_date: str  # for XLSX


_HABITS = {
    "en": _Habits(",", ".", "%Y-%m-%d %H:%M:%S", "yyyy-mm-dd hh:mm:ss"),
    "de": _Habits(";", ",", "%d.%m.%Y %H:%M:%S", "dd.mm.yyyy hh:mm:ss"),
}


@dataclass(frozen=True, slots=True)
class Reader:
    """A person's language (a code of settings.LANGUAGES) and time zone."""

    language: str
    zone: tzinfo = UTC

    @classmethod
    def now(cls) -> Reader:
        """Return the reader of the current request: the active language and zone."""
        return cls(translation.get_language() or "en", timezone.get_current_timezone())

    @property
    def separator(self) -> str:
        """The character between the cells of a CSV file."""
        return self._habits.separator

    @property
    def sheet_date(self) -> str:
        """The date format of a workbook."""
        return self._habits.sheet_date

    def moment(self, value: datetime) -> str:
        """Return a time to the second, in the reader's zone."""
        return value.astimezone(self.zone).strftime(self._habits.date)

    def local(self, value: datetime) -> datetime:
        """Return a time in the reader's zone without its zone, which workbooks can't store."""
        return value.astimezone(self.zone).replace(tzinfo=None)

    def number(self, value: Decimal | int | float, *, decimals: int = 0) -> str:
        """Return a number without grouping, with at least this many decimals."""
        text = f"{Decimal(str(value)):f}"
        whole, _, fraction = text.partition(".")
        fraction = fraction.rstrip("0").ljust(decimals, "0")
        # Some read 1,125 as a thousand. Our import refuses it, and accepts 1,1250.
        if len(fraction) == 3 and self._habits.decimal_mark == ",":
            fraction += "0"
        return f"{whole}{self._habits.decimal_mark}{fraction}" if fraction else whole

    @property
    def _habits(self) -> _Habits:
        return _HABITS.get(self.language.partition("-")[0], _HABITS["en"])
