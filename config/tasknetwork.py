"""The settings of what tasks may reach over the network."""

from dataclasses import dataclass

from config import values
from config.declaring import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNetwork:
    """A part of `config.env.Env`."""

    task_network_allow: tuple[str, ...] = setting(
        "TASK_NETWORK_ALLOW",
        "",
        values.places,
        "Private networks and hosts that tasks may reach with `WebFetch`, such as `10.1.0.0/16,wiki.corp.example`. "
        "Empty: public addresses only.",
    )
    task_network_ports: tuple[int, ...] = setting(
        "TASK_NETWORK_PORTS", "443,80", values.ports, "The only ports that tasks may connect to with `WebFetch`."
    )
    task_network_ca: str = setting(
        "TASK_NETWORK_CA",
        "",
        values.text,
        "A file of certificates (PEM) that tasks and the service's way to MCP servers believe beside the usual ones.",
    )
    task_network_mb: int = setting(
        "TASK_NETWORK_MB",
        "256",
        values.count,
        "How many megabytes one task may move over the network, both ways together.",
    )
