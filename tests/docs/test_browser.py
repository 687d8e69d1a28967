"""The site in a real browser, opened from the file system: no complaint, no request, and search finds."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.browser

PATIENCE_S = 60
SIZES = {"phone": (390, 844), "laptop": (1280, 800), "projector": (1920, 1080)}
PAGES = (
    "index.html",
    "tutorial.html",
    "crossbar.html",
    "api/crossbar.html",
    "datasheets.html",
    "commands.html",
)


@pytest.fixture
def opened(chromium, site):
    """Opens a page of the site in a window of some size."""

    def open_page(name: str, size: str = "laptop", scheme: str = "light"):
        width, height = SIZES[size]
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        colours = [{"name": "prefers-color-scheme", "value": scheme}]
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": colours})
        chromium.get((site.folder / name).as_uri())
        return chromium

    return open_page


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("laptop", "light"), ("projector", "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_page_opens_without_a_complaint_and_fits_the_screen(opened, name, size, scheme):
    driver = opened(name, size, scheme)
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert driver.execute_script("return document.documentElement.scrollWidth") <= SIZES[size][0]
    broken = "return [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    assert driver.execute_script(broken) == []
    shown = driver.execute_script("return document.body.dataset.mdColorScheme")
    assert shown == {"light": "default", "dark": "slate"}[scheme]


def test_everything_that_is_loaded_lies_in_the_site(opened, site):
    driver = opened("index.html")
    everything = "[...document.querySelectorAll('script[src], link[href], img[src], iframe[src]')]"
    loaded = driver.execute_script(f"return {everything}.map(e => e.src || e.href)")
    assert len(loaded) > 5
    assert all(url.startswith(site.folder.as_uri()) for url in loaded), loaded


def test_search_finds_without_a_server(opened):
    driver = opened("index.html")
    driver.find_element(By.CSS_SELECTOR, ".md-search__input").send_keys("write-verify")
    found = WebDriverWait(driver, PATIENCE_S).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, ".md-search-result__link")
    )
    assert any("crossbar" in link.get_attribute("href") for link in found)
