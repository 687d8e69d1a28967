"""The key that both ends of a link share, and the file it is kept in."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from hashlib import blake2s
from pathlib import Path

from spikearm.errors import KeyFileError

KEY_BYTES = 32
TAG_BYTES = 16

NO_KEY = b""
"""On loopback and Unix sockets the tag may do without a key: it then finds damage, not intruders."""


def tag_of(body: bytes | memoryview, key: bytes) -> bytes:
    """BLAKE2s-128 of a packet's body (RFC 7693), keyed if there is a key, shape: 16 bytes."""
    return blake2s(body, digest_size=TAG_BYTES, key=key).digest()


def has_tag(packet: bytes, key: bytes) -> bool:
    """Whether a packet ends in the tag of what is before; takes the same time for every wrong tag."""
    return hmac.compare_digest(tag_of(packet[:-TAG_BYTES], key), packet[-TAG_BYTES:])


def make_key_file(path: Path) -> None:
    """Write a new random key that only its owner may read.

    Raises:
        KeyFileError: There is such a file already, or it cannot be written.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise KeyFileError(
            f"key file {path} exists already; a key is never overwritten: choose another name or delete it."
        ) from error
    except OSError as error:
        raise KeyFileError(f"key file {path} cannot be written: {error.strerror}.") from error
    with os.fdopen(fd, "wb") as file:
        os.fchmod(file.fileno(), 0o600)  # whatever the umask
        file.write(secrets.token_bytes(KEY_BYTES))


def load_key(path: Path | None) -> bytes:
    """The key in a file; None means no key.

    Raises:
        KeyFileError: It cannot be read, is not 32 bytes long, or others than its owner may touch it.
    """
    if path is None:
        return NO_KEY
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            key = file.read(KEY_BYTES + 1)
    except OSError as error:
        raise KeyFileError(
            f"key file {path} cannot be read: {error.strerror}; `spikearm robot key {path}` makes one."
        ) from error
    if mode & 0o077:
        raise KeyFileError(
            f"key file {path} has mode {mode:04o}: others may read it. Make a new key, or, if nobody has "
            f"seen this one, `chmod 600 {path}`."
        )
    if len(key) != KEY_BYTES:
        size = "more than 32" if len(key) > KEY_BYTES else str(len(key))
        raise KeyFileError(
            f"key file {path} has {size} bytes, a key has exactly 32; `spikearm robot key FILE` makes one."
        )
    return key
