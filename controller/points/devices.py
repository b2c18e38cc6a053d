"""Devices that read plates at pumps: cameras, and readers of tags. Each has a token of its own, like a till, and says
nothing else; nobody else says what they have seen. Knows no decision and no HTTP.
"""

from collections.abc import Iterable, Mapping

import msgspec

from controller.config import TillTable
from controller.deciding.decisions import refuse
from controller.domain.desk import Command, CommandResult, SeePlate
from controller.domain.reasons import Reason
from controller.domain.tokens import Assurance
from controller.points.point import FuellingPoint
from controller.site import Site


class Devices:
    """Those of a station. `tills`: of station.toml; some of them are devices."""

    def __init__(self, site: Site, points: Mapping[int, FuellingPoint], tills: Iterable[TillTable]) -> None:
        self._site = site
        self._points = points
        self._sees = {till.id: Assurance(till.sees) for till in tills if till.sees}

    def may_say(self, till: str, command: Command) -> bool:
        """Whether this is for who says it: a device, or a till."""
        return isinstance(command, SeePlate) == (till in self._sees)

    def see(self, device: str, command: SeePlate) -> CommandResult:
        """A plate was read at a pump; it counts there for a while, as sure as the device is."""
        point = self._points.get(command.point)
        if point is None:
            return refuse(command.command_id, Reason.POINT_UNKNOWN)
        try:
            token = self._site.plate(command.plate)
        except ValueError:
            return refuse(command.command_id, Reason.PLATE_UNKNOWN)
        point.see_plate(msgspec.structs.replace(token, assurance=self._sees[device]))
        return CommandResult(command.command_id, done=True)
