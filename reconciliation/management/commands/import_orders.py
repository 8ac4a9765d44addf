"""Place the orders of a file, as the storefront would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orders.actors import at_the_command_line
from orders.errors import OrderRefused
from orders.imports.csv_profiles import PLAIN, PROFILES
from orders.imports.found_orders import FoundOrder, OrderFileRefused
from orders.imports.gzip_files import DAMAGED, open_file
from orders.imports.order_csv import FIELDS, CsvOptions, profile_of
from orders.imports.order_files import FileKind, kind_of, read_orders
from orders.models import Site
from orders.texts import made_visible
from reconciliation.management.reject_files import RejectFile, reject_file
from reconciliation.reservation import imported_orders
from reconciliation.reservation.intake import TOGETHER, place_orders

_SHOWN = 50
_STEP = 500
_NOTHING = "nothing was placed"
_CHANGED = "it changed while it was read, and may be imported again"
_SAYS = {
    "reserved": "reserved at OCI",
    "offline": "captured offline",
    "there": "there already",
    "skipped": "passed over",
    "good": "to be placed",
    "refused": "refused",
}

Act = Callable[[list[FoundOrder], Site], Iterator["str | OrderRefused"]]


class Command(BaseCommand):
    """Exit code 0: every order is accepted, 1: some are refused, 2: file or site is no good."""

    help = (
        "Places the orders of a file, each like one that a storefront sends: it is checked, taken"
        " off ATO, and reserved at OCI or captured offline. An order that is there already is left"
        " as it is, so an import that was broken off can be repeated. The file, plain or .gz and in"
        " UTF-8, holds JSON (lines or a list, of the API's shape or OCAPI's), B2C Commerce's order"
        " XML, or CSV with a line for each item; exports of known shops are recognised. The whole"
        " file is read before the first order is placed. Exit code 0: all accepted, 1: some"
        " refused, each with its line and the reason, 2: the file or the site cannot be used and"
        " nothing was placed."
    )

    _rejects = RejectFile(None)
    _left_out = 0

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the file, the site, and how the file is to be read."""
        parser.add_argument("file", type=Path, metavar="FILE", help="the file; .gz is unpacked")
        parser.add_argument("--site", required=True, help="the site that takes the orders")
        parser.add_argument(
            "--format", choices=[kind.value for kind in FileKind], help="else seen from the file"
        )
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="FIELD=COLUMN,...",
            help="what a CSV file calls its columns, where that is not the field's own name: "
            + ", ".join(FIELDS)
            + ". orderNo, sku and quantity must be there. Without currency it is the site's;"
            " without orderTotal the items are added up. Other columns are not read.",
        )
        parser.add_argument(
            "--profile",
            choices=[PLAIN.name, *PROFILES],
            default="",
            help="whose CSV file it is; else seen from its columns, and told",
        )
        parser.add_argument(
            "--dates",
            choices=["mdy", "dmy"],
            help="what 12/1/2010 means in a CSV file: month or day first",
        )
        parser.add_argument(
            "--rejects",
            type=Path,
            metavar="FILE",
            help="write what is refused to this CSV file: line, order number, reason, raw",
        )
        parser.add_argument(
            "--skip",
            type=int,
            default=0,
            metavar="N",
            help="pass over the first N orders, which an import that was broken off has placed",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only check the orders; stock is not looked at"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Read the file to its end, then place its orders."""
        site = Site.objects.filter(pk=options["site"]).first()
        if site is None:
            known = ", ".join(Site.objects.order_by("pk").values_list("pk", flat=True)[:20])
            raise _unusable(f"There is no site {options['site']!r}. Known: {known or 'none'}.")
        columns = _columns(options["map"])
        path: Path = options["file"]
        with ExitStack() as stack:
            if options["rejects"] and options["rejects"].resolve() == path.resolve():
                raise _unusable("--rejects names the file that is to be imported.")
            try:
                self._rejects = stack.enter_context(reject_file(options["rejects"]))
            except OSError as error:
                raise _unusable(f"{options['rejects']} cannot be written: {error}.") from None
            with self._refused_if_unreadable(path):
                file = stack.enter_context(open_file(path))
                kind = FileKind(options["format"] or kind_of(file, name=path.name))
            how = _csv_options(options, site)
            if kind != FileKind.CSV and (columns or options["profile"] or options["dates"]):
                what = "--map" if columns else "--profile" if options["profile"] else "--dates"
                raise _unusable(f"{what} is for CSV files; {path.name} is read as {kind}.")
            with self._refused_if_unreadable(path):
                self._tell_profile(file, kind, columns, how)

            def orders(end: str = _NOTHING) -> Iterator[FoundOrder]:
                with self._refused_if_unreadable(path, end):
                    yield from read_orders(
                        file, kind=kind, columns=columns, currency=site.currency, options=how
                    )

            total = sum(1 for _ in orders())
            act = _check if options["dry_run"] else _place
            counts = self._each(orders(_CHANGED), total, site, act, options)
        if counts.total() != total:
            raise _unusable(f"{path.name}: {_CHANGED}.")
        parts = [f"{counts[key]:,} {says}" for key, says in _SAYS.items() if counts[key]]
        self.stdout.write(f"{total:,} order{'s' if total > 1 else ''}: {', '.join(parts)}.")
        if self._left_out:
            one = self._left_out == 1
            what = "line takes no stock and was" if one else "lines take no stock and were"
            self.stdout.write(f"{self._left_out:,} {what} left out.")
        if counts["refused"]:
            raise SystemExit(1)

    def _tell_profile(
        self, file: IO[bytes], kind: FileKind, columns: dict[str, str], how: CsvOptions
    ) -> None:
        """Print the detected profile, if none was given."""
        profile = profile_of(file, columns=columns, options=how) if kind == FileKind.CSV else ""
        if profile and not how.profile:
            self.stdout.write(f"Read with the profile {profile}.")

    def _each(
        self,
        orders: Iterator[FoundOrder],
        total: int,
        site: Site,
        act: Act,
        options: dict[str, Any],
    ) -> Counter[str]:
        skip = options["skip"]
        counts: Counter[str] = Counter(skipped=sum(1 for _ in islice(orders, skip)))
        ends = (end for many in _batches(orders) for end in _ends(many, site, act))
        try:
            for number, (found, end) in enumerate(ends, start=counts["skipped"] + 1):
                self._count(found, end, counts)
                if options["verbosity"] and number % _STEP == 0 and number < total:
                    self.stdout.write(f"{number:,} of {total:,} orders")
        except KeyboardInterrupt:
            done = counts.total()
            raise CommandError(
                f"Stopped after {done:,} of {total:,} orders. Import the file again, or go on with"
                f" --skip {done}.",
                returncode=130,
            ) from None
        more = counts["refused"] - _SHOWN
        if more > 0:
            self.stderr.write(f"... and {more:,} more refused")
        return counts

    def _count(self, found: FoundOrder, end: str | OrderRefused, counts: Counter[str]) -> None:
        """Count an order's outcome, and print a refusal."""
        if isinstance(end, str) and end in _SAYS:
            counts[end] += 1
            self._left_out += len(found.left_out)
            self._rejects.left_out(found)
            return
        refusal = imported_orders.reason(end, found) if isinstance(end, OrderRefused) else end
        counts["refused"] += 1
        self._rejects.order(found, refusal)
        if counts["refused"] <= _SHOWN:
            self.stderr.write(f"line {found.line}: {_name(found)}: {refusal}")

    @contextmanager
    def _refused_if_unreadable(self, path: Path, end: str = _NOTHING) -> Iterator[None]:
        """Print the fault of the whole file; `end` describes the outcome of its orders."""
        try:
            yield
        except OrderFileRefused as refused:
            self._rejects.lines(refused.bad)
            for line in refused.bad[:_SHOWN]:
                self.stderr.write(f"line {line.number}: {line.message}")
            more = len(refused.bad) - _SHOWN
            if more > 0:
                self.stderr.write(f"... and {more:,} more")
            raise _unusable(f"{path.name} cannot be read as orders; {end}.") from None
        except DAMAGED:
            raise _unusable(f"{path.name} is no whole gzip file; {end}.") from None
        except OSError as error:
            why = error.strerror or error
            raise _unusable(f"{path} cannot be read: {why}.") from None


def _unusable(message: str) -> CommandError:
    return CommandError(message, returncode=2)


def _columns(maps: list[str]) -> dict[str, str]:
    """Return the columns of `--map`, by field."""
    columns: dict[str, str] = {}
    for part in ",".join(maps).split(",") if maps else ():
        name, _, column = (text.strip() for text in part.partition("="))
        if name not in FIELDS or not column:
            raise _unusable(
                f"--map cannot use {part!r}; write FIELD=COLUMN with a field of --help."
            )
        if name in columns:
            raise _unusable(f"--map names a column for {name} twice.")
        columns[name] = column
    return columns


def _csv_options(options: dict[str, Any], site: Site) -> CsvOptions:
    return CsvOptions(
        profile=options["profile"],
        zone=ZoneInfo(site.time_zone),
        month_first={"mdy": True, "dmy": False}.get(options["dates"] or ""),
        keeps_raw=options["rejects"] is not None,
        site_id=site.pk,
    )


def _batches(orders: Iterator[FoundOrder]) -> Iterator[list[FoundOrder]]:
    """Yield what comes in lists of TOGETHER; the last may be shorter."""
    while many := list(islice(orders, TOGETHER)):
        yield many


def _ends(
    many: list[FoundOrder], site: Site, act: Act
) -> Iterator[tuple[FoundOrder, str | OrderRefused]]:
    """Yield each order with what became of it: a key of `_SAYS`, a refusal, or a sentence."""
    ends = act([found for found in many if not found.fault], site)
    for found in many:
        yield found, found.fault or next(ends)


def _place(many: list[FoundOrder], site: Site) -> Iterator[str | OrderRefused]:
    raws = [found.body for found in many]
    placements = place_orders(raws=raws, site=site, actor=at_the_command_line())
    return map(imported_orders.outcome, placements)


def _check(many: list[FoundOrder], site: Site) -> Iterator[str | OrderRefused]:
    return imported_orders.checked(many, site=site)


def _name(found: FoundOrder) -> str:
    number = found.order_no[:60]
    if not number:
        return "an order without a number"
    return f"order {made_visible(number)}"
