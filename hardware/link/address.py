"""Where the other end of a link is: UDP, or a Unix datagram socket on the same machine."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from spikearm.errors import AddressError
from spikearm.hardware.link.private_folder import private_folder, require_private

Endpoint = tuple[str, int] | str
"""What the kernel calls an address: (host, port), or the path of a Unix socket."""

DEFAULT_PORT = 47001
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_BUFFER_BYTES = 1 << 18
"""Bounds what a flood can pile up in the kernel; some 800 packets of a 7-joint arm."""


@dataclass(frozen=True)
class Address:
    """One end of a link.

    Attributes:
        host: IPv4 address; "" for a Unix socket.
        port: UDP port; 0 lets the kernel choose one.
        path: Path of a Unix datagram socket; None for UDP.
    """

    host: str = ""
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        return f"udp://{self.host}:{self.port}" if self.path is None else f"unix:{self.path}"

    @property
    def is_local(self) -> bool:
        """Whether packets never leave this machine."""
        return self.path is not None or ipaddress.ip_address(self.host).is_loopback

    @property
    def endpoint(self) -> Endpoint:
        """The address as the socket calls take it."""
        return (self.host, self.port) if self.path is None else str(self.path)


def parse_address(text: str) -> Address:
    """An address from ``local:NAME``, ``unix:PATH`` or ``udp://HOST[:PORT]``.

    ``local:NAME`` is a Unix socket in a folder that nobody else may open; HOST is an IPv4 address or
    ``localhost``.

    Raises:
        AddressError: It is none of them.
    """
    kind, _, rest = text.partition(":")
    if kind == "local" and _NAME.fullmatch(rest):
        return _unix(private_folder() / f"{rest}.sock", text)
    if kind == "unix" and rest:
        return _unix(Path(rest.removeprefix("//")), text)
    if kind != "udp" or not rest.startswith("//"):
        raise AddressError(
            f"{text!r} is no address of a link; write local:NAME, unix:/run/arm.sock or "
            f"udp://127.0.0.1:{DEFAULT_PORT}."
        )
    host, _, port = rest.removeprefix("//").partition(":")
    return Address(_ipv4("127.0.0.1" if host == "localhost" else host, text), _port(port, text))


def require_safe(address: Address, *, has_key: bool) -> None:
    """Refuse to use an address other machines can reach without a key.

    Raises:
        AddressError: It is neither loopback nor a Unix socket, and there is no key.
    """
    if not address.is_local and not has_key:
        raise AddressError(
            f"{address} can be reached from other machines; give a 32-byte key with --key-file "
            "(`spikearm robot key FILE` makes one), or use udp://127.0.0.1 or a Unix socket."
        )


def open_server_socket(address: Address) -> socket.socket:
    """A bound, non-blocking datagram socket.

    Raises:
        AddressError: The address is in use or cannot be bound.
    """
    sock = _socket(address)
    try:
        if address.path is not None:
            _require_own(address.path, make=True)
            _remove_dead_socket(address)
        sock.bind(address.endpoint)
        if address.path is not None:
            address.path.chmod(0o600)
    except AddressError:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        raise AddressError(
            f"cannot listen on {address}: {error.strerror or error}; is another robot served there? "
            "Choose another address."
        ) from error
    return sock


def open_client_socket(address: Address, *, served_by: str = "robot serve") -> socket.socket:
    """A non-blocking datagram socket that talks to one address only.

    Args:
        address: Where the other end is.
        served_by: The command that would be there.

    Raises:
        AddressError: There is no such address.
    """
    sock = _socket(address)
    try:
        if address.path is not None:
            _require_own(address.path, make=False)
            # A Unix datagram is answered at a name, so the client needs one of its own.
            own = address.path.with_name(f"{address.path.name}.{os.getpid()}-{secrets.token_hex(4)}")
            sock.bind(str(own))
            own.chmod(0o600)
        sock.connect(address.endpoint)
    except AddressError:
        sock.close()
        raise
    except OSError as error:
        close_socket(sock)
        raise AddressError(
            f"cannot reach {address}: {error.strerror or error}; start the other end first "
            f"(`spikearm {served_by} --listen {address}`)."
        ) from error
    return sock


def close_socket(sock: socket.socket) -> None:
    """Close, and remove the socket's name from the file system; twice is not an error."""
    if sock.fileno() < 0:
        return
    name = sock.getsockname()
    sock.close()
    if isinstance(name, str) and name:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _socket(address: Address) -> socket.socket:
    family = socket.AF_INET if address.path is None else socket.AF_UNIX
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    return sock


def _require_own(path: Path, *, make: bool) -> None:
    if path.parent == private_folder():
        require_private(path.parent, make=make)


def _remove_dead_socket(address: Address) -> None:
    """A killed server leaves its name behind; nobody answers there any more."""
    path = address.path
    if path is None or not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise OSError(0, "there is a file of this name that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()


def _unix(path: Path, text: str) -> Address:
    if len(os.fsencode(path)) > 80:
        # The kernel takes 107 bytes; a client adds a name of its own to it.
        raise AddressError(f"{text!r} is longer than a Unix socket's name may be; use a path below 80 bytes.")
    return Address(path=path)


def _ipv4(host: str, text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise AddressError(
            f"{host!r} in {text!r} is no IPv4 address; write four numbers, such as 127.0.0.1 (names are "
            "not looked up: a control loop must not depend on a name server)."
        ) from None


def _port(port: str, text: str) -> int:
    if not port:
        return DEFAULT_PORT
    if not port.isdecimal() or int(port) > 65535:
        raise AddressError(f"{port!r} in {text!r} is no port; it is a number from 0 to 65535.")
    return int(port)
