"""What is told of a task's use of the network."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that a task made to the world outside its jail, or was refused; told once it is over."""

    id: str
    host: str
    """As it was asked for."""
    port: int
    address: str | None
    """The one it was connected to, or refused for."""
    allowed: bool
    reason: str | None
    """Why it was refused, failed or was cut off."""
    sent_bytes: int = 0
    received_bytes: int = 0
    seconds: float = 0.0
