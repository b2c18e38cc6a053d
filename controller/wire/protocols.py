"""Which protocols can be listened to: by name, the decoder and the usual settings, loaded when they are asked for.

Knows no bytes and no port.
"""

import importlib
from dataclasses import dataclass
from typing import Protocol, cast

from controller.pumps.core import LineSettings
from controller.pumps.decoded import Decoder, Direction


class Directions(Protocol):
    """Cuts what a tap hears on a wire of both directions into frames, and says whose words each is."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that these bytes complete."""
        ...

    def flush(self) -> bytes:
        """What is left over."""
        ...

    def of(self, piece: bytes) -> Direction | None:
        """Who spoke; None where nothing tells. To be asked of every frame, in order."""
        ...

    def was(self, direction: Direction) -> None:
        """The last frame went this way after all."""
        ...


class UnknownProtocol(Exception):
    """There is no such protocol, or this installation has no decoder for it."""


@dataclass(frozen=True, slots=True)
class WireProtocol:
    """One protocol: where its parts are. `directions` is empty where frames alone do not tell who spoke."""

    name: str
    package: str
    decoder_class: str
    directions_class: str = ""
    hex_addresses: bool = False

    def decoder(self) -> Decoder:
        """A new decoder for one line."""
        return cast(Decoder, self._load("decode", self.decoder_class)())  # type: ignore[operator]

    def directions(self) -> Directions | None:
        """A new judge of directions for one line."""
        if not self.directions_class:
            return None
        return cast(Directions, self._load("decode", self.directions_class)())  # type: ignore[operator]

    def line(self) -> LineSettings:
        """How lines of this protocol are usually set."""
        return cast(LineSettings, self._load("protocol", "LINE"))

    def address_text(self, address: int | None) -> str:
        if address is None:
            return "-"
        return f"0x{address:02X}" if self.hex_addresses else str(address)

    def _load(self, module: str, name: str) -> object:
        try:
            return getattr(importlib.import_module(f"{self.package}.{module}"), name)
        except (ImportError, AttributeError) as error:
            raise UnknownProtocol(f"{self.name}: this installation has no decoder for it ({error})") from error


PROTOCOLS = {
    row.name: row
    for row in (
        WireProtocol("dart", "controller.pumps.dart", "DartDecoder", "Directions", hex_addresses=True),
        WireProtocol("two-wire", "controller.pumps.two_wire", "TwoWireDecoder"),
        WireProtocol("azt2", "controller.pumps.azt2", "AztDecoder"),
    )
}


def protocol_of(name: str) -> WireProtocol:
    """The protocol of this name, or `UnknownProtocol` with the names there are."""
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise UnknownProtocol(f"there is no protocol {name!r}: use one of {', '.join(PROTOCOLS)}") from None
