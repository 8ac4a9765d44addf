"""`manage.py demo`: what `make demo` starts."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from coc_admin.demo import environment, outcome, prepare
from coc_admin.demo.plan import Plan, replay_plan, shop_plan
from coc_admin.demo.real_orders import UnreadableFile
from coc_admin.demo.simulator import SimulatorControl
from coc_admin.demo.storefront import Storefront
from coc_admin.demo.story import Pace, Story, StoryStopped
from coc_admin.management.commands.serve import NOT_READY, run, stop_on_signals
from coc_admin.processes import preflight, programs
from coc_admin.processes.children import Program
from coc_admin.processes.console import Console, LogFolder
from coc_admin.processes.supervise import Supervisor

# A story of two minutes, and one for tests.
TOLD = (240, Pace(per_second=3.2))
FAST = (64, Pace(per_second=12.0))
READY_SECONDS = 60.0


class Command(BaseCommand):
    """The demo: a simulated inventory service, two sites, an outage, and its reconciliation."""

    help = (
        "Starts the product with a simulated inventory service and data of its own, and tells the "
        "story of an outage. Then everything keeps running until Ctrl-C. Exit codes: 0 stopped, "
        "1 the story went wrong, 2 something is missing (one line says what)."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--folder", type=Path, default=settings.BASE_DIR / "var" / "demo")
        parser.add_argument(
            "--orders",
            type=Path,
            default=os.environ.get("ORDERS") or None,
            help="replay the orders of a CSV (.csv or .csv.gz) instead; also ORDERS=path",
        )
        parser.add_argument(
            "--keep",
            action="store_true",
            help="go on with the data of the last demo and tell no story",
        )
        parser.add_argument("--no-story", action="store_true", help="only start everything")
        parser.add_argument("--fast", action="store_true", help="tell it in about 20 seconds")
        parser.add_argument(
            "--exit-after-story",
            action="store_true",
            help="stop when it is told; exit code 0 if everything is as it should be",
        )
        parser.add_argument(
            "--with-parent",
            action="store_true",
            help="stop when the process that started this one ends (make uses it)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Start again in the demo's own environment, or, there already, run the demo."""
        folder = options["folder"].resolve()
        if os.environ.get(environment.READY) != str(folder):
            inner = environment.build(folder=folder, outer=os.environ)
            # Line by line, also into a file or a pipe.
            inner["PYTHONUNBUFFERED"] = "1"
            os.execve(sys.executable, [sys.executable, *sys.argv], inner)  # noqa: S606
        stop = stop_on_signals(with_parent=options["with_parent"])
        try:
            raise SystemExit(Demo(options, folder, stop).run())
        except (preflight.NotReady, UnreadableFile) as error:
            self.stderr.write(str(error))
            raise SystemExit(NOT_READY) from None


class Demo:
    """One demo from preparation to the end."""

    def __init__(self, options: dict[str, Any], folder: Path, stop: threading.Event) -> None:
        self._options = options
        self._folder = folder
        self._stop = stop
        self._console = Console()
        self._control_port = int(os.environ[environment.CONTROL_PORT])
        self._tells = not (options["no_story"] or options["keep"])
        number, self._pace = FAST if options["fast"] else TOLD
        path = options["orders"]
        self._plan: Plan = replay_plan(path) if path else shop_plan(orders=number)
        everywhere = settings.COC_BIND in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
        host = "127.0.0.1" if everywhere else settings.COC_BIND
        self._address = f"http://{host}:{settings.PORT}"

    def run(self) -> int:
        """Prepare, start, play the story, and keep running; return the exit code."""
        listener = preflight.take_port(settings.COC_BIND, settings.PORT)
        with prepare.take_folder(self._folder, keep=self._options["keep"]):
            self._say("preparing the database, users, sites and stock")
            logins, tokens = self._prepare()
            logs = LogFolder(self._folder / "logs")
            preflight.listen(listener)
            supervisor = Supervisor(
                self._programs(listener.fileno()),
                sink=logs.line,
                say=self._say,
                listener=listener,
                silent_seconds=settings.COC_SILENT_SECONDS,
                lock_watch=programs.lock_watch(self._say),
                hold_seconds=settings.COC_WATCHDOG_SECONDS,
            )
            ended = threading.Event()
            runner = threading.Thread(
                target=run, args=(supervisor,), kwargs={"stop": ended, "watch_worker": True}
            )
            runner.start()
            try:
                return self._go(logins, tokens)
            finally:
                ended.set()
                runner.join()
                self._say("everything has been stopped")

    def _prepare(self) -> tuple[list[prepare.Login], dict[str, str]]:
        environment.keep_secret_key(self._folder)
        prepare.write_stock(self._plan, self._folder)
        preflight.prepare_database()
        preflight.prepare_static_files()
        logins = prepare.make_users()
        prepare.make_sites(self._plan)
        tokens = prepare.make_tokens(self._plan)
        connection.close()
        return logins, tokens

    def _programs(self, listener: int) -> list[Program]:
        simulator = Program(
            "oci",
            (
                sys.executable,
                "-m",
                "reconciliation.simulator",
                f"--port={os.environ[environment.SIMULATOR_PORT]}",
                f"--control-port={self._control_port}",
                f"--stock={self._folder / prepare.STOCK_FILE}",
                f"--tenant-group-id={environment.TENANT_GROUP_ID}",
                f"--client-id={environment.CLIENT_ID}",
                f"--client-secret={settings.COC_OCI_CLIENT_SECRET}",
            ),
            beats=False,
        )
        product = programs.chosen(names=list(programs.NAMES), listener=listener)
        return [simulator, *product]

    def _go(self, logins: list[prepare.Login], tokens: dict[str, str]) -> int:
        simulator = SimulatorControl(self._control_port)
        if not self._wait_until_ready(simulator):
            return 0 if self._stop.is_set() else 1
        simulator.lag(environment.READ_LAG_MS)
        self._introduce(logins, simulator)
        code = 0
        if self._tells:
            code = self._tell(simulator, Storefront(self._address, tokens))
        if not self._options["exit_after_story"]:
            self._say("everything keeps running; stop with Ctrl-C")
            self._stop.wait()
            return 0
        return code

    def _tell(self, simulator: SimulatorControl, storefront: Storefront) -> int:
        story = Story(
            self._plan,
            pace=self._pace,
            simulator=simulator,
            storefront=storefront,
            stop=self._stop,
            tell=self._console.print,
        )
        try:
            story.run()
        except (StoryStopped, requests.RequestException) as error:
            if not self._stop.is_set():
                self._say(f"the story cannot go on: {error}")
            return 0 if self._stop.is_set() else 1
        for line in outcome.lines(storefront.answers):
            self._console.print(line)
        short = outcome.an_order_that_went_short()
        if short is not None:
            self._console.print(
                f"What happened to order {short.order_no}, and why: "
                f"{self._address}/orders/{short.pk}/"
            )
        self._console.print(f"OCI is yours now; take it down and up again: {simulator.page}")
        faults = outcome.faults(every_outcome=self._options["orders"] is None)
        for fault in faults:
            self._say(f"not as it should be: {fault}")
        connection.close()
        return 1 if faults else 0

    def _wait_until_ready(self, simulator: SimulatorControl) -> bool:
        deadline = time.monotonic() + READY_SECONDS
        while not (simulator.is_up() and self._web_is_up()):
            if self._stop.wait(0.2):
                return False
            if time.monotonic() > deadline:
                self._say(
                    f"the product has not come up within {READY_SECONDS:.0f} s; "
                    f"see {self._folder / 'logs'}"
                )
                return False
        return True

    def _web_is_up(self) -> bool:
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(f"{self._address}/readyz", timeout=5)
                return answer.ok and answer.json()["checks"]["console"] == "ok"
        except requests.RequestException:
            return False

    def _introduce(self, logins: list[prepare.Login], simulator: SimulatorControl) -> None:
        lines = ["", f"Console           {self._address}/"]
        lines += [f"  log in as       {login.name:14}{login.password}" for login in logins]
        lines += [
            f"OCI simulator     {simulator.page}",
            f"Logs              {self._folder / 'logs'}",
            "",
        ]
        for line in lines:
            self._console.print(line)

    def _say(self, text: str) -> None:
        self._console.line("demo", text)
