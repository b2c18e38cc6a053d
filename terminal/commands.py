"""The command `terminal`: reads its options, and starts the application with this machine's clock and chance."""

import os
import secrets
import time
from pathlib import Path

import click

TOKEN_VARIABLE = "FORECOURT_TILL_TOKEN"
ID_BYTES = 16
"""Enough that no two commands of any two tills ever have the same id."""


def monotonic_ms() -> int:
    """This machine's monotonic clock."""
    return time.monotonic_ns() // 1_000_000


def new_command_id() -> str:
    """A fresh random id for a command."""
    return secrets.token_hex(ID_BYTES)


@click.command("terminal")
@click.option("--station", default="http://127.0.0.1:7733", show_default=True, help="Address of the station's API.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"File with this till's token. Without it the token is taken from {TOKEN_VARIABLE}.",
)
def terminal(station: str, token_file: Path | None) -> None:
    """Run the attendant's terminal."""
    if not station.startswith(("http://", "https://")):
        raise click.BadParameter(
            f"{station!r} is no address: write it as http://127.0.0.1:7733", param_hint="'--station'"
        )
    token = _token(token_file)
    from controller.api.client import StationClient
    from terminal.app import TerminalApp

    TerminalApp(lambda: StationClient(station, token), monotonic_ms=monotonic_ms, new_id=new_command_id).run()


def _token(token_file: Path | None) -> str:
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise click.ClickException(
                f"The token file {token_file} cannot be read ({error}): "
                "write the token of this till from station.toml into it, readable by this user only"
            ) from error
        if not token:
            raise click.ClickException(f"The token file {token_file} is empty: write this till's token into it")
        return token
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise click.ClickException(
            f"This till has no token: give --token-file FILE, or set {TOKEN_VARIABLE} to the token from station.toml"
        )
    return token
