"""A station becomes known: its name and its public key, as a command gives them to a running server. Knows no HTTP."""

import msgspec

from sync.wire import PUBLIC_KEY_BYTES, WireError, check_station_id

STATIONS_PATH = "/v1/stations"


class Enrolment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A station and its public key in hex, as `hq enrol` posts it to a running server."""

    station: str
    public_key: str
    replace: bool = False

    def checked_key(self) -> bytes:
        """The key's bytes. WireError if the station or the key is none."""
        check_station_id(self.station)
        try:
            key = bytes.fromhex(self.public_key)
        except ValueError:
            key = b""
        if len(key) != PUBLIC_KEY_BYTES:
            raise WireError(f"a public key is {2 * PUBLIC_KEY_BYTES} hex digits")
        return key
