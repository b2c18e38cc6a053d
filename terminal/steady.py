"""Keeps the till alive: a fault in one handler becomes a line on the screen and in the log, not the end."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

_log = logging.getLogger(__name__)


class Complains(Protocol):
    """Who can tell the attendant of a fault."""

    def complain(self, text: str) -> None: ...


_Self = TypeVar("_Self", bound=Complains)
_Rest = ParamSpec("_Rest")


def steady(handler: Callable[Concatenate[_Self, _Rest], None]) -> Callable[Concatenate[_Self, _Rest], None]:
    """A handler that never raises. Textual ends the whole application on an exception in any of them."""

    @wraps(handler)
    def kept(self: _Self, /, *args: _Rest.args, **kwargs: _Rest.kwargs) -> None:
        try:
            handler(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - anything at all: a till at night has nobody to restart it
            _log.exception("A handler of the terminal failed")
            self.complain(
                f"The terminal stumbled ({type(error).__name__}: {error}): look whether it was done, and report it"
            )

    return kept
