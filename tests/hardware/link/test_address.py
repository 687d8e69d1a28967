from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from spikearm.errors import AddressError
from spikearm.hardware.link.address import Address, parse_address, require_safe
from spikearm.hardware.link.channel import dial, listen
from spikearm.hardware.link.private_folder import private_folder


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("udp://127.0.0.1:5000", Address("127.0.0.1", 5000)),
        ("udp://localhost", Address("127.0.0.1", 47001)),
        ("udp://192.168.1.7:0", Address("192.168.1.7", 0)),
        ("unix:/tmp/a.sock", Address(path=Path("/tmp/a.sock"))),  # noqa: S108 - not opened
        ("unix:///tmp/a.sock", Address(path=Path("/tmp/a.sock"))),  # noqa: S108 - not opened
    ],
)
def test_address_is_understood(text, address):
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("127.0.0.1:5000", "is no address of a link; write local:NAME"),
        ("local:", "is no address of a link"),
        ("local:../arm", "is no address of a link"),
        ("tcp://127.0.0.1:5000", "is no address of a link"),
        ("udp:127.0.0.1", "is no address of a link"),
        ("unix:", "is no address of a link"),
        ("udp://robot:5000", "'robot' in .* is no IPv4 address; .*names are not looked up"),
        ("udp://127.0.0.1:x", "'x' in .* is no port"),
        ("udp://127.0.0.1:65536", "is no port; it is a number from 0 to 65535"),
        ("unix:/" + 90 * "a", "longer than a Unix socket's name"),
    ],
)
def test_address_that_is_none_is_explained(text, said):
    with pytest.raises(AddressError, match=said):
        parse_address(text)


@pytest.mark.parametrize("text", ["udp://0.0.0.0:5000", "udp://192.168.1.7:5000", "udp://8.8.8.8:1"])
def test_address_others_can_reach_needs_a_key(text):
    address = parse_address(text)
    with pytest.raises(
        AddressError, match=r"reached from other machines; give a 32-byte key with --key-file"
    ):
        require_safe(address, has_key=False)
    require_safe(address, has_key=True)


@pytest.mark.parametrize("text", ["udp://127.0.0.1:5000", "udp://127.3.2.1:5000", "unix:/tmp/a.sock"])
def test_address_on_this_machine_needs_none(text):
    require_safe(parse_address(text), has_key=False)


@pytest.mark.parametrize("kind", ["udp", "unix"])
def test_packets_go_both_ways(short_path, kind):
    address = parse_address("udp://127.0.0.1:0" if kind == "udp" else f"unix:{short_path}/a.sock")
    server = listen(address)
    if kind == "udp":
        host, port = server.endpoint
        address = Address(str(host), int(port))
    client = dial(address)
    try:
        assert client.send(b"hello")
        packet, peer = server.receive(1.0)
        assert packet == b"hello"
        assert server.send(b"welcome", peer)
        assert client.receive(1.0)[0] == b"welcome"
        assert client.receive() is None
        assert server.receive(1e-4) is None
    finally:
        client.close()
        server.close()
        server.close()
    assert list(short_path.iterdir()) == []


def test_unix_sockets_are_for_their_owner_only(short_path):
    address = parse_address(f"unix:{short_path}/a.sock")
    server, client = listen(address), dial(address)
    assert {stat.S_IMODE(path.stat().st_mode) for path in short_path.iterdir()} == {0o600}
    client.close()
    server.close()


@pytest.fixture
def folder(short_path, monkeypatch):
    """The folder of local addresses, for this test alone."""
    folder = short_path / "own"
    monkeypatch.setattr("spikearm.hardware.link.address.private_folder", lambda: folder)
    return folder


def test_local_address_is_in_a_folder_of_this_user_alone(folder):
    arm = parse_address("local:robot")
    assert arm == Address(path=folder / "robot.sock")
    with pytest.raises(AddressError, match=r"cannot reach .*start the other end first"):
        dial(arm)
    assert not folder.exists()
    server = listen(arm)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    client = dial(arm)
    assert client.send(b"hello")
    assert server.receive(1.0)[0] == b"hello"
    client.close()
    server.close()


@pytest.mark.parametrize("end", [listen, dial])
def test_folder_that_others_may_open_is_not_trusted(folder, end):
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(AddressError, match=r"not a folder of yours alone .*mode 0755.*unix:PATH"):
        end(parse_address("local:robot"))
    folder.chmod(0o700)
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))
    with pytest.raises(AddressError, match="not a folder of yours alone"):
        end(parse_address("local:robot"))


def test_folder_of_local_addresses_does_not_depend_on_where_one_stands(monkeypatch, tmp_path):
    before = private_folder()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert private_folder() == before
    assert str(os.getuid()) in str(before)


def test_name_left_by_a_killed_robot_is_taken_over(short_path):
    path = short_path / "a.sock"
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(path))
    dead.close()
    listen(parse_address(f"unix:{path}")).close()


def test_address_in_use_is_refused(short_path):
    for address in (parse_address(f"unix:{short_path}/a.sock"), parse_address("udp://127.0.0.1:0")):
        first = listen(address)
        taken = address if address.path else Address("127.0.0.1", int(first.endpoint[1]))
        with pytest.raises(AddressError, match=r"cannot listen on .* in use.*another robot served there"):
            listen(taken)
        first.close()


def test_file_that_is_no_socket_is_left_alone(short_path):
    path = short_path / "a.sock"
    path.write_text("mine")
    with pytest.raises(AddressError, match=r"cannot listen on .*no socket"):
        listen(parse_address(f"unix:{path}"))
    assert path.read_text() == "mine"


def test_nobody_there_is_said_at_once(short_path):
    with pytest.raises(AddressError, match=r"cannot reach .*start the other end first"):
        dial(parse_address(f"unix:{short_path}/a.sock"))
    assert list(short_path.iterdir()) == []


def test_sending_to_nobody_does_not_raise(short_path):
    address = parse_address(f"unix:{short_path}/a.sock")
    server = listen(address)
    client = dial(address)
    server.close()
    assert not client.send(b"anyone?")
    client.close()


def test_sending_to_a_frozen_peer_does_not_block(short_path):
    address = parse_address(f"unix:{short_path}/a.sock")
    server, client = listen(address), dial(address)
    sent = [client.send(bytes(1000)) for _ in range(2000)]
    assert sent[0]
    assert not sent[-1]
    client.close()
    server.close()
