"""What the link tells the application. Every change of what is shown begins with one of these."""

from textual.message import Message

from controller.domain.desk import Command, CommandResult, Snapshot


class TillKnown(Message):
    """The station has said which till this is."""

    def __init__(self, till: str) -> None:
        super().__init__()
        self.till = till


class SnapshotArrived(Message):
    """A snapshot, and when it came by this machine's monotonic clock."""

    def __init__(self, snapshot: Snapshot, arrived_ms: int) -> None:
        super().__init__()
        self.snapshot = snapshot
        self.arrived_ms = arrived_ms


class LinkLost(Message):
    """The stream broke or never began. `text` says what to do."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class CommandAnswered(Message):
    """The station has answered a command: done or not."""

    def __init__(self, command: Command, result: CommandResult) -> None:
        super().__init__()
        self.command = command
        self.result = result


class CommandUnanswered(Message):
    """Nobody knows whether this command was done. Sending the same one again is safe."""

    def __init__(self, command: Command, text: str) -> None:
        super().__init__()
        self.command = command
        self.text = text
