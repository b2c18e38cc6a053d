"""What the till wants done: commands to send, screens to open and close. Values only; the application does them."""

from collections.abc import Callable
from dataclasses import dataclass

from controller.domain.desk import Command


@dataclass(frozen=True, slots=True)
class Send:
    command: Command


@dataclass(frozen=True, slots=True)
class OpenPayment:
    pass


@dataclass(frozen=True, slots=True)
class OpenEntry:
    """Ask for one line; `then` says what becomes of it. `hidden`: nobody reads what is typed."""

    title: str
    hint: str
    then: Callable[[str], "Effects"]
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class OpenChoice:
    """Show the fuels to choose from."""


@dataclass(frozen=True, slots=True)
class OpenPaper:
    """Show a text. `help`: put the help under it."""

    title: str
    text: str
    help: bool = False


@dataclass(frozen=True, slots=True)
class Back:
    """Close what is on top; `all` closes everything above the pumps."""

    all: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    step: int


Effect = Send | OpenPayment | OpenEntry | OpenChoice | OpenPaper | Back | Turn
Effects = list[Effect]
