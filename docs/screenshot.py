"""Makes a run and photographs its report, for the README and the tutorial: ``python docs/screenshot.py``.

Chromium and its driver have to be installed, and `pip install ".[dev]"`; the window is headless.
"""

from __future__ import annotations

import base64
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from spikearm.launch.config import RunConfig
from spikearm.launch.report.command import write_report
from spikearm.launch.run import execute

FILE = Path(__file__).parent / "report.png"
WIDTH_PX, SCALE = 1200, 1.5
LAST = "path"
"""The section of the page that the picture ends with."""
PATIENCE_S = 60
N_COLOURS = 128
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    # WebGL in software, for the path in 3-D.
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


def photograph(page: Path, file: Path) -> None:
    """The upper part of a report, in light colours.

    Args:
        page: The HTML file.
        file: The PNG file.
    """
    with chromium() as driver:
        driver.get(page.resolve().as_uri())
        WebDriverWait(driver, PATIENCE_S).until(
            lambda driver: driver.execute_script("return document.documentElement.dataset.drawn") == "yes"
        )
        end = "return document.getElementById(arguments[0]).getBoundingClientRect().bottom"
        bottom = driver.execute_script(end, LAST)
        clip = {"x": 0, "y": 0, "width": WIDTH_PX, "height": bottom, "scale": SCALE}
        shot = driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True, "clip": clip}
        )
    picture = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
    picture.quantize(N_COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)  # a third of the size


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """A browser without a window, as wide as the picture."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for switch in SWITCHES:
        options.add_argument(switch)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        screen = {"width": WIDTH_PX, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        colours = [{"name": "prefers-color-scheme", "value": "light"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": colours})
        yield driver
    finally:
        driver.quit()


def draw(config: RunConfig, file: Path) -> None:
    """A run of this configuration, and the picture of its report."""
    photograph(write_report([execute(config).folder], config.out / "report.html"), file)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as out:
        draw(RunConfig(out=Path(out)), FILE)
