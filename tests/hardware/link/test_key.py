from __future__ import annotations

import stat

import pytest

from spikearm.errors import KeyFileError
from spikearm.hardware.link.key import load_key, make_key_file


def test_new_key_is_random_and_for_its_owner_only(tmp_path):
    make_key_file(tmp_path / "a")
    make_key_file(tmp_path / "b")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    first, second = load_key(tmp_path / "a"), load_key(tmp_path / "b")
    assert len(first) == len(second) == 32
    assert first != second


def test_no_file_means_no_key():
    assert load_key(None) == b""


def test_key_is_never_overwritten(tmp_path):
    make_key_file(tmp_path / "a")
    before = load_key(tmp_path / "a")
    with pytest.raises(KeyFileError, match=r"exists already; a key is never overwritten"):
        make_key_file(tmp_path / "a")
    assert load_key(tmp_path / "a") == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620])
def test_key_that_others_may_touch_is_refused(tmp_path, mode):
    make_key_file(tmp_path / "a")
    (tmp_path / "a").chmod(mode)
    with pytest.raises(KeyFileError, match=rf"has mode 0{mode:o}: others may read it.*chmod 600"):
        load_key(tmp_path / "a")


@pytest.mark.parametrize(
    ("size", "said"), [(0, "0"), (31, "31"), (33, "more than 32"), (4096, "more than 32")]
)
def test_key_of_another_length_is_refused(tmp_path, size, said):
    path = tmp_path / "a"
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=f"has {said} bytes, a key has exactly 32"):
        load_key(path)


def test_missing_key_is_named(tmp_path):
    with pytest.raises(KeyFileError, match=r"cannot be read: No such file.*spikearm robot key"):
        load_key(tmp_path / "none")
