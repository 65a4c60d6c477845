"""A seat's way to the network: the door in its jail and the proxy behind it. Made only where a grant needs it."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from apps.claude.jail import EGRESS_INSIDE, JAIL_UID
from apps.claude.network import door
from apps.claude.network.bridge import Bridge
from apps.claude.network.door import Door
from apps.claude.network.proxy import Proxy
from apps.claude.network.reach import Reach
from apps.claude.network.servers import Remote

_CA_NAME = "ca.pem"


class Line:
    """Made before the jail is started, opened once it has. Belongs to the engine's loop. Raises OSError, JailBroken."""

    def __init__(
        self,
        directory: Path,
        uid: int | None,
        reach: Reach,
        *,
        web: bool,
        remotes: Iterable[Remote] = (),
    ) -> None:
        served = tuple(remotes)
        bridge = Bridge(served, reach.ca_file) if served else None
        self.proxy = Proxy(reach, web=web, bridge=bridge)
        self._web, self._bridged = web, bridge is not None
        self._ca = reach.ca_file is not None
        if reach.ca_file:
            shutil.copyfile(reach.ca_file, directory / _CA_NAME)
            (directory / _CA_NAME).chmod(0o444)
        self._door = Door(directory, uid)
        self.uid_outside = JAIL_UID if uid is None else uid

    def environment(self) -> dict[str, str]:
        """What the CLI in the jail is told of it."""
        told = {"NO_PROXY": "egress.invalid"}
        if self._web:
            told["HTTPS_PROXY"] = door.ADDRESS
            if self._ca:
                told["NODE_EXTRA_CA_CERTS"] = f"{EGRESS_INSIDE}/{_CA_NAME}"
        if self._bridged:
            told["HTTP_PROXY"] = door.ADDRESS
        return told

    @staticmethod
    def first_command() -> str:
        """What the jail's process 1 runs before anything else, as shell text."""
        return door.first_command()

    async def open(self) -> None:
        """Take the socket that the jail, which was just started, hands out. Raises DoorShut."""
        await self.proxy.listen(await self._door.opened())

    async def cut(self) -> None:
        """End every connection, have all of them told, take no more."""
        await self.proxy.cut()

    async def close(self) -> None:
        """Leave nothing behind."""
        self._door.close()
        await self.proxy.close()
