"""Our own bytes, heard again: on a current loop, or with a converter that listens while it speaks.

What was sent is expected back, byte for byte and before anything else, and is taken out. Where something else comes,
two have spoken at once or nothing is echoed: then it is handed on as it is, and whoever reads it will refuse it.
Sans-IO; knows no port and no protocol.
"""


class Echo:
    """The echo of one line. Tell it what is `sent`; `heard` gives what is left of what came."""

    def __init__(self) -> None:
        self._owed = b""

    @property
    def owed(self) -> bool:
        """Bytes of ours are still to come back."""
        return bool(self._owed)

    def sent(self, data: bytes) -> None:
        """These bytes go out now; an older echo that has not come will not come any more."""
        self._owed = data

    def heard(self, data: bytes) -> bytes:
        """What came, without what was ours."""
        count = min(len(data), len(self._owed))
        if data[:count] != self._owed[:count]:
            self._owed = b""
            return data
        self._owed = self._owed[count:]
        return data[count:]
