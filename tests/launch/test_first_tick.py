from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_no_tick_waits_for_a_compiler():
    """Compiling takes as long as hundreds of ticks: an arm would have stopped."""
    script = Path(__file__).with_name("first_ticks.py")
    words = [sys.executable, str(script), "reference", "loihi", "crossbar"]
    ended = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert json.loads(ended.stdout) == {"robot": [], "reference": [], "loihi": [], "crossbar": []}
