"""`forecourt sim card`: one simulated card from its file, in a virtual PC/SC reader; or made, or shown."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from sim.cards.broken import BREAKS, Tear, TornCard
from sim.cards.card import SimCard
from sim.cards.field import FieldCard, LeftField
from sim.cards.held import HeldCard
from sim.cards.make import new_state
from sim.cards.show import described
from sim.cards.state import CardFileError, CardState, MasterKind, load, save
from sim.cards.vpcd import serve_vpcd

RETRY_S = 0.5  # pcscd needs about as long to be up again
NXP = b"\x04"  # the first byte of a UID names its maker


@click.command()
@click.argument("path", metavar="FILE.card", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--vpcd", "reader", metavar="[HOST:]PORT", help="Put it into the virtual reader of a running pcscd.")
@click.option("--show", is_flag=True, help="Say what is on it; no keys and no data.")
@click.option("--new", is_flag=True, help="Make FILE.card first: a DESFire card as delivered, or what is said below.")
@click.option("--uid", metavar="HEX", help="With --new: the UID of the new card, instead of a random one.")
@click.option("--uid-only", is_flag=True, help="With --new: a card with nothing but a UID of 4, 7 or 10 bytes.")
@click.option(
    "--master",
    type=click.Choice(["3des", "aes"]),
    help="With --new: the kind of the new card's master key of zeros. Cards are delivered with 3des.",
)
@click.option("--break", "broken", type=click.Choice(list(BREAKS)), help="Let it be another card than it should be.")
@click.option(
    "--tear",
    metavar="N:before|after",
    help="Tear it out at its Nth frame, before or after it is done; commitN: at the Nth end of a transaction.",
)
def card(
    path: Path,
    reader: str | None,
    show: bool,
    new: bool,
    uid: str | None,
    uid_only: bool,
    master: MasterKind | None,
    broken: str | None,
    tear: str | None,
) -> None:
    """A simulated card, kept in FILE.card. Changes are in the file before the card answers."""
    if not (reader or show or new):
        raise click.UsageError("say what to do with the card: --vpcd PORT, --show or --new")
    if not new and (uid or uid_only or master):
        raise click.UsageError("--uid, --uid-only and --master are for a --new card")
    try:
        plan = None if tear is None else Tear.parse(tear)
        if new:
            _make(path, uid, uid_only, master)
        state = load(path)
        address = None if reader is None else _address(reader)
    except (CardFileError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if show:
        click.echo(described(state))
    if address is not None:
        try:
            with contextlib.closing(HeldCard(path)) as held:
                in_field = _in_field(held, broken, plan)
                asyncio.run(_hold(in_field, *address, partial(_say, held.state)))
        except CardFileError as error:
            raise click.ClickException(str(error)) from error


def _make(path: Path, uid: str | None, uid_only: bool, master: MasterKind | None) -> None:
    if uid_only and master:
        raise CardFileError("a card with nothing but a UID has no master key: leave --master out")
    try:
        raw = NXP + secrets.token_bytes(6) if uid is None else bytes.fromhex(uid)
    except ValueError:
        raise CardFileError(f"{uid!r} is no UID: expected hexadecimal digits") from None
    state = CardState(uid=raw, kind="uid_only") if uid_only else new_state(raw, master or "3des")
    if path.exists():
        raise CardFileError(f"{path} is there already: use another name, or delete it")
    _store(state, path)


def _store(state: CardState, path: Path) -> None:
    try:
        save(state, path)
    except OSError as error:
        raise CardFileError(f"{path} cannot be written ({error.strerror})") from None


def _address(reader: str) -> tuple[str, int]:
    host, _, port = reader.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) <= 0xFFFF:
        raise ValueError(f"{reader!r} is no virtual reader: expected [HOST:]PORT, such as 35963")
    return host or "127.0.0.1", int(port)


def _in_field(held: HeldCard, broken: str | None, tear: Tear | None) -> FieldCard:
    made: FieldCard = SimCard(held.state, secrets.token_bytes, held.store)
    if broken is not None:
        made = BREAKS[broken](held.state, secrets.token_bytes, held.store)
    return made if tear is None else TornCard(made, tear)


def _say(state: CardState, text: str) -> None:
    click.echo(f"{state.uid.hex().upper()} {text}")


async def _hold(in_field: FieldCard, host: str, port: int, say: Callable[[str], None]) -> None:
    """The card in the reader until a signal or its tear; again whenever pcscd comes back. Raises CardFileError.

    `say` is told what happens, each thing once.
    """
    holding = asyncio.ensure_future(_in_reader(in_field, host, port, say))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, holding.cancel)
    try:
        await holding
    except asyncio.CancelledError:
        say("is taken away")


async def _in_reader(in_field: FieldCard, host: str, port: int, say: Callable[[str], None]) -> None:
    said = ""

    def once(text: str) -> None:
        nonlocal said
        if text != said:
            said = text
            say(text)

    while True:
        inserted = asyncio.Event()
        telling = asyncio.ensure_future(_tell(inserted, lambda: once(f"is in the reader at {host}:{port}")))
        try:
            await serve_vpcd(in_field, host, port, inserted=inserted)
        except LeftField:
            say("is torn out of the reader")
            return
        except OSError:
            pass  # nobody listens, or pcscd went: both are waited out
        finally:
            telling.cancel()
        once(f"waits: no virtual reader listens at {host}:{port}; is pcscd running, with vpcd?")
        await asyncio.sleep(RETRY_S)


async def _tell(inserted: asyncio.Event, tell: Callable[[], None]) -> None:
    await inserted.wait()
    tell()
