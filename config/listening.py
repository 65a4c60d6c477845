"""The service's listening socket, opened before anything is started, so that a taken port is known at once."""

import errno
import ipaddress
import socket

from config.env import Misconfigured

BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. Raises Misconfigured saying why it cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, OverflowError):
        raise Misconfigured(f"--host {host} --port {port} is not an address of this machine") from None
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise Misconfigured(f"port {port} on {host} is taken; stop what uses it or choose another --port") from None
        raise Misconfigured(f"cannot listen on {host} port {port}: {error.strerror}") from None
    return listening


def url(host: str, port: int) -> str:
    """The address that a person on this machine types; for “all addresses” that is the loopback one."""
    name = host.strip("[]")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return f"http://{name}:{port}"
    if address.is_unspecified:
        return f"http://{'127.0.0.1' if address.version == 4 else '[::1]'}:{port}"
    return f"http://[{name}]:{port}" if address.version == 6 else f"http://{name}:{port}"
