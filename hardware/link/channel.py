"""Datagrams in and out, without ever blocking on sending."""

from __future__ import annotations

import select
import socket
from collections.abc import Hashable
from typing import Protocol

from spikearm.hardware.link.address import Address, close_socket, open_client_socket, open_server_socket

Peer = Hashable
"""Who sent a packet; only ever compared and answered to."""


class Channel(Protocol):
    """Where packets come from and go to."""

    def send(self, packet: bytes, peer: Peer = None) -> bool:
        """Send without waiting; whether the packet left this machine's hands.

        Args:
            packet: The bytes.
            peer: Where to; None at the end that has one peer only.
        """
        ...

    def receive(self, timeout_s: float = 0.0) -> tuple[bytes, Peer] | None:
        """The oldest packet and its sender; None if none came within the time."""
        ...

    def close(self) -> None:
        """Stop; closing twice is not an error."""
        ...


class DatagramChannel:
    """A datagram socket.

    Args:
        sock: Bound or connected, non-blocking; it is closed with the channel.
        max_bytes: Longer packets are cut to this, and so refused by whoever checks their size.
    """

    def __init__(self, sock: socket.socket, *, max_bytes: int = 2048) -> None:
        self._sock = sock
        self._max_bytes = max_bytes

    @property
    def endpoint(self) -> tuple[str, int] | str:
        """The address it is bound to, as the kernel says."""
        name: tuple[str, int] | str = self._sock.getsockname()
        return name

    def send(self, packet: bytes, peer: Peer = None) -> bool:
        """Send without waiting."""
        try:
            if peer is None:
                self._sock.send(packet)
            else:
                self._sock.sendto(packet, peer)  # type: ignore[call-overload]
        except OSError:
            # The peer is gone, frozen or not there yet: a lost packet, for the watchdogs to judge.
            return False
        return True

    def receive(self, timeout_s: float = 0.0) -> tuple[bytes, Peer] | None:
        """The oldest packet and its sender; None if none came within the time."""
        if timeout_s > 0.0:
            # Not epoll or poll, whose time is in whole milliseconds: a tick has only one.
            select.select([self._sock], [], [], timeout_s)
        try:
            return self._sock.recvfrom(self._max_bytes)
        except OSError:
            # Nothing there; or, on a connected UDP socket, the peer's port was closed for a moment.
            return None

    def close(self) -> None:
        """Close the socket."""
        close_socket(self._sock)


def listen(address: Address) -> DatagramChannel:
    """The robot's end of a link.

    Raises:
        AddressError: The address cannot be bound.
    """
    return DatagramChannel(open_server_socket(address))


def dial(address: Address) -> DatagramChannel:
    """The client's end of a link.

    Raises:
        AddressError: There is no such address.
    """
    return DatagramChannel(open_client_socket(address))
