"""What a two-wire pump's core tells: events in order, and what goes on for a while only once.

Knows no phase, no words of the wire and no clock.
"""

from controller.pumps.words import LinkFault, PumpEvent


class Telling:
    """`events` are taken by whoever passes them on."""

    def __init__(self) -> None:
        self.events: list[PumpEvent] = []
        self._said: tuple[str, int] | None = None

    def tell(self, event: PumpEvent) -> None:
        self.events.append(event)

    def fault(self, kind: str, detail: str) -> None:
        self.tell(LinkFault(kind, detail))

    def once(self, what: tuple[str, int], event: PumpEvent) -> None:
        """Unless it was the last such thing that was told."""
        if self._said != what:
            self._said = what
            self.tell(event)

    def anew(self) -> None:
        """Something has changed: it may be told again."""
        self._said = None
