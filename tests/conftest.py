"""For all tests."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nengo
import pytest

import spikearm

# Programs that tests start take the package from where it is taken here, wherever they are started. Python
# would look into their working folder first, and in a checkout find its sources: not what was installed to
# be tested, and with kernels of their own to compile.
os.environ["PYTHONSAFEPATH"] = "1"
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(Path(spikearm.__file__).parents[1]), os.environ.get("PYTHONPATH")))
)

# Nengo keeps solved decoders in the user's cache folder, behind a lock: tests that run side by side would
# wait for one another, and leave files behind.
nengo.rc.set("decoder_cache", "enabled", "False")

# Started with nohup, or in the background of a shell without job control, a process and its children ignore
# these, by which commands under test are to end. A handler, whatever it does, is not handed on to children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda number, frame: None)


SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # WebGL in software, for figures in 3-D.
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real browser without a window, which keeps what pages complain about."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for switch in SWITCHES:
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """An empty folder whose path leaves room for a Unix socket's name, however deep the others lie."""
    with tempfile.TemporaryDirectory(prefix="arm-") as folder:
        yield Path(folder)
