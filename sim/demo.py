"""The command `forecourt demo`: a whole simulated station, with its terminal or without a screen.

Without a screen a simulated attendant serves, and at the end the books of station, pumps and headquarters are held
against each other.
"""

import asyncio
import contextlib
import signal
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import click
import msgspec

from sim.backstage import TILL, Backstage, BackstageError, Cast

SALE_WAIT_S = 120
"""From one sale to the next."""
HEADQUARTERS_WAIT_S = 60
FLOW_EASY_ML_PER_S = 600
FLOW_BRISK_ML_PER_S = 3_000


class Summary(msgspec.Struct, frozen=True):
    """What station, pumps and headquarters say; volumes in thousandths of a litre."""

    sales: int
    volume_ml: int
    totaliser_ml: int
    headquarters_sales: int
    headquarters_volume_ml: int
    journal_head: str

    @property
    def agrees(self) -> bool:
        return self.volume_ml == self.totaliser_ml == self.headquarters_volume_ml and (
            self.sales == self.headquarters_sales
        )


@click.command()
@click.option(
    "--headless", is_flag=True, help="Without a screen: serve --sales customers, print receipts and a summary."
)
@click.option(
    "--sales", type=click.IntRange(1, 10_000), default=5, show_default=True, help="With --headless: how many."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Which customers come.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Use this new folder and keep it.")
def demo(headless: bool, sales: int, seed: int, keep: Path | None) -> None:
    """A whole SIMULATED station: headquarters, controller, pumps, readers, printer, customers, terminal."""
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, _end)
    with _folder(keep) as folder:
        cast = (
            Cast(seed, "brisk", sales, questions=True, flow_ml_per_s=FLOW_BRISK_ML_PER_S)
            if headless
            else Cast(seed, "easy", 0, questions=False, flow_ml_per_s=FLOW_EASY_ML_PER_S)
        )
        with Backstage(folder, cast) as backstage:
            try:
                if headless:
                    _headless(backstage, sales)
                else:
                    _with_terminal(backstage)
            except BackstageError as error:
                click.echo(str(error), err=True)
                raise SystemExit(1) from error


def _end(number: int, _frame: object) -> None:
    """The window was closed, or somebody told us to end: what was started ends too."""
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="forecourt-demo-") as name:
            yield Path(name)
        return
    try:
        keep.mkdir(parents=True)
    except OSError as error:
        raise click.ClickException(f"{keep}: {error.strerror}: --keep takes a folder that is not there yet") from error
    yield keep


def _with_terminal(backstage: Backstage) -> None:
    """The terminal shows its first frame at once; everything else starts behind it."""
    # The package `terminal` settles how Textual reads the keyboard, before Textual is imported.
    from controller.api.client import StationClient, StationUnreachable
    from terminal.app import TerminalApp
    from terminal.commands import monotonic_ms, new_command_id

    ready = threading.Event()
    failed: list[BackstageError] = []

    def start() -> None:
        try:
            backstage.start()
        except BackstageError as error:
            failed.append(error)
        ready.set()

    def open_station() -> StationClient:
        if failed:
            raise StationUnreachable(str(failed[0]))
        if not ready.is_set():
            raise StationUnreachable("The simulated station is starting: a moment, please")
        return StationClient(backstage.station_url, backstage.till_token())

    starter = threading.Thread(target=start, name="backstage", daemon=True)
    TerminalApp(
        open_station,
        monotonic_ms=monotonic_ms,
        new_id=new_command_id,
        on_first_frame=starter.start,
        demonstration=True,
    ).run()
    starter.join()
    for error in failed:
        raise error


def _headless(backstage: Backstage, sales: int) -> None:
    click.echo("SIMULATION: no real pumps, no real money")
    backstage.start()
    meters_ml = asyncio.run(_serve(backstage, sales))
    if backstage.end_station() != 0:
        raise BackstageError(f"the station did not end in order:\n{backstage.log_of('station')}")
    summary = _summary(backstage, meters_ml)
    click.echo(msgspec.json.encode(summary).decode())
    if not summary.agrees:
        raise BackstageError("the books do not agree")


async def _serve(backstage: Backstage, sales: int) -> int:
    """Attend until `sales` are settled and headquarters has them; returns what the pumps' meters say."""
    from controller.machine import MachineClock
    from sim.attendant import Attendant
    from sim.chance import Chance
    from sim.club import SHOWN
    from sim.control import ControlClient
    from sim.till import RemoteTill

    clock = MachineClock()
    control = ControlClient(backstage.ports.control)
    till = RemoteTill(backstage.station_url, backstage.till_token(), control, clock)
    attendant = Attendant(till, till.window, clock, Chance(1, TILL), reaction_ms=(100, 400), shown=SHOWN)
    jobs = [asyncio.ensure_future(till.follow()), asyncio.ensure_future(attendant.run())]
    try:
        printed: set[str] = set()
        deadline_us = clock.now().mono_us + SALE_WAIT_S * 1_000_000
        while len(printed) < sales or till.snapshot().sales < sales:
            if clock.now().mono_us > deadline_us:
                late = f"{till.snapshot().sales} of {sales} sales, and no other within {SALE_WAIT_S} s"
                raise BackstageError(f"{late}:\n{backstage.log_of('station')}")
            for job in jobs:
                if job.done():
                    job.result()
            if _print_new_receipts(backstage.station_folder / "data" / "receipts", printed):
                deadline_us = clock.now().mono_us + SALE_WAIT_S * 1_000_000
            await clock.sleep_until(clock.now().mono_us + 100_000)
        deadline_us = clock.now().mono_us + HEADQUARTERS_WAIT_S * 1_000_000
        async for known in _headquarters_sales(backstage):
            if known >= sales or clock.now().mono_us > deadline_us:
                break
            await clock.sleep_until(clock.now().mono_us + 200_000)
        return (await control.totals()).totaliser_ml
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await till.close()
        await control.close()


def _print_new_receipts(folder: Path, printed: set[str]) -> bool:
    """Whether there were any."""
    known = len(printed)
    for path in sorted(folder.glob("receipt-*.txt")):
        if path.name not in printed:
            printed.add(path.name)
            click.echo(path.read_text(encoding="utf-8"))
    return len(printed) > known


async def _headquarters_sales(backstage: Backstage) -> AsyncIterator[int]:
    """What headquarters says, as often as it is asked."""
    while True:
        yield _totals(backstage)[0]


def _totals(backstage: Backstage) -> tuple[int, int]:
    """Headquarters' sales and their volume."""
    import httpx

    from sim.site import STATION_ID
    from sync.hq.store import Totals

    answer = httpx.get(
        f"{backstage.headquarters_url}/v1/stations/{STATION_ID}/totals",
        headers={"authorization": f"Bearer {backstage.read_token}"},
        trust_env=False,
    )
    totals = msgspec.json.decode(answer.raise_for_status().content, type=Totals)
    return totals.sales, totals.volume_ml


def _summary(backstage: Backstage, meters_ml: int) -> Summary:
    from controller.config import load
    from controller.daemon import JOURNAL_FILE
    from controller.station import read_books
    from controller.store.journal import Journal

    config = load(backstage.station_folder / "station.toml")
    journal = Journal(config.data / JOURNAL_FILE)
    try:
        books = read_books(journal, config)
        head = journal.head_hash.hex()
    finally:
        journal.close()
    sales, volume_ml = _totals(backstage)
    return Summary(books.sums.sales, books.sums.sales_volume_ml, meters_ml, sales, volume_ml, head)
