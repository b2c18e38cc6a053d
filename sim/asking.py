"""How a command asks a running bench: where its control port is, who is meant, and what is said when it cannot be.

Knows the control port's client, and not what is asked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from sim.control import CONTROL_FILE, ControlClient, ControlError

T = TypeVar("T")

control_option = click.option("--control", metavar="HOST:PORT", help="The bench's control port, as it prints it.")
bench_option = click.option(
    "--bench",
    "folder",
    type=click.Path(path_type=Path),
    default=Path(),
    help="The folder of its bench.toml (this one); it keeps the control port in ports/control.",
)


def pump_number(word: str) -> int:
    """`pump3`, or `3`."""
    digits = word.removeprefix("pump")
    if not digits.isdecimal():
        raise click.UsageError(f"{word!r} is no pump: expected pump1, pump2 ...")
    return int(digits)


def asked(control: str | None, folder: Path, ask: Callable[[ControlClient], Awaitable[T]]) -> T:
    """Ask a running bench; what it cannot do is a sentence and exit code 1."""

    async def main(host: str, port: int) -> T:
        client = ControlClient(port, host)
        try:
            return await ask(client)
        finally:
            await client.close()

    host = port = ""
    try:
        host, _, port = (control or _control_of(folder)).strip().rpartition(":")
        if not host or not port.isdecimal():
            raise ControlError(f"{control!r} is no control port: expected HOST:PORT, as the bench prints it")
        return asyncio.run(main(host, int(port)))
    except OSError as error:
        click.echo(f"no bench answers at {host}:{port} ({error.strerror or error}): is it running?", err=True)
        raise SystemExit(1) from error
    except ControlError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from error


def _control_of(folder: Path) -> str:
    """What a bench has written; `folder` may also be the one of its links."""
    for path in (folder / "ports" / CONTROL_FILE, folder / CONTROL_FILE):
        if path.is_file():
            return path.read_text(encoding="ascii")
    raise ControlError(
        f"no bench runs in {folder.resolve()}: there is no ports/{CONTROL_FILE}; name its folder with --bench, or its "
        "control port with --control"
    )
