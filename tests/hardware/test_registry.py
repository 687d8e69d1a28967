from __future__ import annotations

import subprocess
import sys

import pytest

from spikearm.errors import UnknownNameError
from spikearm.hardware.registry import BACKENDS, make_backend


def test_backends_carry_the_name_they_are_found_by():
    assert set(BACKENDS) == {"reference", "loihi", "crossbar"}
    for name in BACKENDS:
        assert make_backend(name).name == name


def test_unknown_backend_is_refused_with_a_suggestion():
    with pytest.raises(UnknownNameError) as caught:
        make_backend("lohi")
    assert str(caught.value) == (
        "no backend named 'lohi'. Known: 'crossbar', 'loihi', 'reference'. Did you mean 'loihi'?"
    )


def test_making_the_reference_imports_no_other_substrate():
    code = (
        "import sys; from spikearm.hardware.registry import make_backend; make_backend('reference');"
        "print([m for m in sys.modules if m.startswith(('nengo_loihi', 'spikearm.hardware.crossbar'))])"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 our own code
    assert done.stdout.strip() == "[]"


def test_options_reach_the_backend():
    from spikearm.hardware.loihi.config import LoihiConfig

    config = LoihiConfig(pes_wgt_exp=4)
    assert make_backend("loihi", config=config).config is config
