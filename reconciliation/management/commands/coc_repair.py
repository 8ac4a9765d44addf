"""`manage.py coc_repair`: propose repairs for what `coc_check` finds, and do what is asked."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders.actors import at_the_command_line
from reconciliation.maintenance import repair
from reconciliation.maintenance.repair import Proposal

# A repair may show what another one hid, and a repaired order is told to its reports.
_ROUNDS = 4


class Command(BaseCommand):
    """Exit code 0: no findings (left); 1: findings."""

    help = (
        "Proposes a repair for each row that coc_check finds, where one is safe, and says what a"
        " person should do where none is. Changes nothing unless told to: --apply does the repairs"
        " that are named by their ids, --apply-all every safe one. Each is looked at again under a"
        " lock, and is left out when its row has changed meanwhile. Exit code 0 if nothing is"
        " broken (any more), else 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what to do."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--dry-run", action="store_true", help="Propose only (the default).")
        what.add_argument("--apply", nargs="+", metavar="ID", default=[], help="Do these repairs.")
        what.add_argument("--apply-all", action="store_true", help="Do every safe repair.")
        what.add_argument(
            "--give-up",
            metavar="SITE/ORDERNO",
            default="",
            help="Stop asking for an order that vanished and cannot be restored.",
        )
        parser.add_argument("--yes", action="store_true", help="Do not ask before --apply-all.")
        parser.add_argument("--reason", default="", help="Why; kept in the history of orders.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Propose, apply the requested repairs, and end with the exit code."""
        acts = options["apply"] or options["apply_all"] or options["give_up"]
        if acts and not options["reason"].strip():
            raise CommandError("A repair needs a reason. Use --reason.")
        if options["give_up"]:
            self._give_up(options["give_up"], reason=options["reason"])
            return
        found = repair.proposals(now=timezone.now())
        if not found:
            self.stdout.write("Nothing is broken; there is nothing to repair.")
            return
        for proposal in found:
            self._show(proposal)
        if options["apply_all"]:
            self._apply_all(found, yes=options["yes"], reason=options["reason"])
        elif options["apply"]:
            self._apply(options["apply"], reason=options["reason"])
        else:
            self.stdout.write("Nothing was changed. To repair: coc_repair --apply ID... --reason R")
            raise SystemExit(1)
        self._end()

    def _show(self, proposal: Proposal) -> None:
        self.stdout.write(f"{proposal.row}: {'; '.join(proposal.found)}")
        if not proposal.id:
            self.stdout.write(f"  no safe repair. {proposal.advice}")
            return
        self.stdout.write(f"  repair {proposal.id}")
        self.stdout.write(f"    now:   {proposal.before}")
        self.stdout.write(f"    after: {proposal.after}")
        self.stdout.write(f"    why:   {proposal.why}")

    def _apply_all(self, found: list[Proposal], *, yes: bool, reason: str) -> None:
        safe = sum(1 for proposal in found if proposal.id)
        if safe and not yes:
            answer = input(f"Do all {safe} repairs, and those that they bring to light? [y/N] ")
            if answer.strip().lower() not in ("y", "yes"):
                raise CommandError("Nothing was changed.")
        for _ in range(_ROUNDS):
            ids = [proposal.id for proposal in found if proposal.id]
            if not ids or not self._apply(ids, reason=reason):
                return
            found = repair.proposals(now=timezone.now())

    def _give_up(self, key: str, *, reason: str) -> None:
        actor = at_the_command_line()
        if not repair.give_up(key=key, actor=actor, reason=reason, now=timezone.now()):
            raise CommandError(f"{key!r} is no vanished order. coc_check lists them.")
        self.stdout.write(f"{key}: given up. Its files and traces stay.")

    def _apply(self, ids: list[str], *, reason: str) -> int:
        done = 0
        actor = at_the_command_line()
        for proposal_id in dict.fromkeys(ids):
            won = repair.apply(
                proposal_id=proposal_id, actor=actor, reason=reason, now=timezone.now()
            )
            done += won
            told = "done" if won else "left out: the row is not (any more) as this id says"
            self.stdout.write(f"{proposal_id}: {told}")
        return done

    def _end(self) -> None:
        left = repair.proposals(now=timezone.now())
        if left:
            self.stdout.write(f"{len(left)} rows are still broken; run coc_repair again.")
            raise SystemExit(1)
        self.stdout.write("Nothing is broken any more.")
