"""What all commands of the card office share: the folder, the passphrase, the reader, and how an error is said.

Exit codes: 0 done; 1 not done, and the sentence says what to do; 2 a wrong command line; 3 a load whose outcome is not
known. The simulated reader is handed in by whoever starts the program: this package does not know the simulator.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn, TypeAlias

import click

from card_io.errors import CardError, ReaderGone
from card_io.pcsc_card import PcscCard
from card_io.vault import PASSPHRASE_MIN, Vault
from sync.hq.cards.folder import OfficeFolder, passphrase_from
from sync.hq.cards.network import OfficeError
from sync.hq.cards.office import CardOffice, CardSlot, LoadUnknown

SIMULATED_CARDS = "forecourt.simulated_cards"
"""The click context's `meta` holds a `SlotFactory` under this name."""
PASSPHRASE_VARIABLE = "FORECOURT_CARD_PASSPHRASE"
NEW_PASSPHRASE_VARIABLE = "FORECOURT_CARD_NEW_PASSPHRASE"
WAIT_S = 60
NOT_DONE, NOT_KNOWN = 1, 3

SlotFactory: TypeAlias = Callable[[Path], CardSlot]

office_option = click.option(
    "--office",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The card office's folder, as made by `forecourt keys init` (this one).",
)
passphrase_option = click.option(
    "--passphrase-file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"An owner-only file with the vault's passphrase. Else {PASSPHRASE_VARIABLE} is read, or it is asked for.",
)
reader_options: tuple[Callable[[Callable[..., None]], Callable[..., None]], ...] = (
    office_option,
    passphrase_option,
    click.option("--reader", metavar="PATTERN", help="A part of the PC/SC reader's name (a regular expression)."),
    click.option(
        "--simulated",
        metavar="FILE.card",
        type=click.Path(path_type=Path),
        help="A simulated card instead of a reader; for a batch a folder, where cards are made.",
    ),
    click.option(
        "--wait",
        "wait_s",
        type=click.IntRange(0, 3600),
        default=WAIT_S,
        show_default=True,
        help="How many seconds to wait for a card.",
    ),
)


def with_reader(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that needs a card."""
    for option in reversed(reader_options):
        command = option(command)
    return command


def fail(text: str, code: int = NOT_DONE) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(code)


@contextmanager
def said() -> Iterator[None]:
    """An error within is a sentence and an exit code."""
    try:
        yield
    except LoadUnknown as error:
        fail(str(error), NOT_KNOWN)
    except (CardError, OfficeError) as error:
        fail(str(error))


@contextmanager
def at_the_desk(
    folder: Path, passphrase_file: Path | None, reader: str | None, simulated: Path | None, wait_s: int
) -> Iterator[tuple[CardOffice, CardSlot]]:
    """The office with its keys, and the place for cards. Errors within are said."""
    if (reader is None) == (simulated is None):
        raise click.UsageError("say where the card is: --reader PATTERN, or --simulated FILE.card")
    with said(), ExitStack() as stack:
        files = OfficeFolder(folder)
        network = files.network()
        vault = opened(files, passphrase_file)
        log = files.log()
        stack.callback(log.close)
        slot = _slot(reader, simulated, wait_s)
        stack.callback(slot.close)
        yield CardOffice(network, vault, log, slot, os.urandom, now_ms), slot


def opened(files: OfficeFolder, passphrase_file: Path | None) -> Vault:
    """The vault. Raises OfficeError, CardError."""
    files.network()  # a wrong folder is said before anybody types a passphrase
    return files.vault(passphrase(passphrase_file, confirm=False))


def passphrase(file: Path | None, *, confirm: bool) -> str:
    """From the file, the environment, or the keyboard. Raises OfficeError, KeyFileRefused."""
    return _passphrase(file, PASSPHRASE_VARIABLE, "--passphrase-file", "passphrase", confirm=confirm)


def new_passphrase(file: Path | None) -> str:
    """As `passphrase`, for one that is to be. Raises OfficeError, KeyFileRefused."""
    return _passphrase(file, NEW_PASSPHRASE_VARIABLE, "--new-passphrase-file", "new passphrase", confirm=True)


def _passphrase(file: Path | None, variable: str, option: str, name: str, *, confirm: bool) -> str:
    if file is not None:
        text = passphrase_from(file)
    elif (text := os.environ.get(variable, "")) == "":
        try:
            text = click.prompt(f"{name} of the card keys", hide_input=True, confirmation_prompt=confirm, err=True)
        except click.Abort:
            raise OfficeError(f"the {name} is needed: type it, or give {option}, or set {variable}") from None
    if len(text) < PASSPHRASE_MIN:
        raise OfficeError(f"a passphrase has at least {PASSPHRASE_MIN} characters: choose a longer one")
    return text


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _slot(reader: str | None, simulated: Path | None, wait_s: int) -> CardSlot:
    if simulated is not None:
        make: SlotFactory | None = click.get_current_context().meta.get(SIMULATED_CARDS)
        if make is None:
            raise OfficeError("there are no simulated cards here: start it as forecourt card")
        return make(simulated)
    assert reader is not None
    try:
        return PcscCard(reader, wait_ms=wait_s * 1000)
    except re.error as error:
        raise ReaderGone(f"{reader!r} is no pattern for a reader's name ({error})") from None
