"""The page in a real browser: it opens without an error, its plots have data, and they react."""

from __future__ import annotations

import json
import re
import time
from itertools import pairwise

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.browser

PATIENCE_S = 60
SIZES = {"phone": (390, 844), "laptop": (1280, 800), "projector": (1920, 1080)}
DRAWN = "return arguments[0].querySelectorAll('.trace, .bars, .heatmaplayer image, canvas').length"


@pytest.fixture
def opened(chromium, pages):
    """Opens a page and waits until it is drawn."""

    def open_page(name: str, size: str = "laptop", scheme: str = "light"):
        width, height = SIZES[size]
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        show_in(chromium, scheme)
        chromium.get(pages[name].as_uri())
        WebDriverWait(chromium, PATIENCE_S).until(
            lambda driver: driver.execute_script("return document.documentElement.dataset.drawn") == "yes"
        )
        return chromium

    return open_page


def show_in(driver, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def complaints(driver):
    return [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def eventually(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("laptop", "light"), ("projector", "dark")])
@pytest.mark.parametrize("name", ["reference", "loihi", "crossbar", "osc", "all", "recovered"])
def test_page_opens_without_a_complaint_and_fits_the_screen(opened, name, size, scheme):
    driver = opened(name, size, scheme)
    assert complaints(driver) == []
    assert not driver.find_element(By.ID, "trouble").is_displayed()
    width = driver.execute_script("return document.documentElement.scrollWidth")
    assert width <= SIZES[size][0]
    for figure in driver.find_elements(By.TAG_NAME, "figure"):
        box = figure.rect
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= SIZES[size][0]
        drawn = driver.execute_script(DRAWN, figure)
        assert drawn > 0, figure.get_attribute("id")


def test_figures_do_not_cover_the_words(opened):
    driver = opened("loihi")
    boxes = sorted(
        (e.rect["y"], e.rect["y"] + e.rect["height"])
        for e in driver.find_elements(By.CSS_SELECTOR, "section > h2, section > p, section > figure")
    )
    for (_, end), (begin, _) in pairwise(boxes):
        assert begin >= end - 1


def test_nothing_is_asked_of_the_network(opened):
    driver = opened("all")
    assert driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)") == []


def test_hover_tells_the_value(opened):
    driver = opened("reference")
    figure = driver.find_element(By.ID, "figure-tracking-error")
    driver.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", figure)
    point = figure.find_elements(By.CSS_SELECTOR, ".trace.scatter .point")[-1]
    ActionChains(driver).move_to_element(point).perform()
    eventually(
        lambda: (
            "mm"
            in driver.execute_script("return arguments[0].querySelector('.hoverlayer').textContent", figure)
        )
    )


def test_button_magnifies_the_deviation(opened):
    driver = opened("reference")
    figure = driver.find_element(By.ID, "figure-path-3d")
    read = "return document.getElementById('figure-path-3d').data.map(t => Array.from(t.z))"
    before = driver.execute_script(read)
    button = figure.find_elements(By.CSS_SELECTOR, ".updatemenu-button")[1]
    driver.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", figure)
    ActionChains(driver).move_to_element(button).click().perform()
    eventually(lambda: driver.execute_script(read) != before)
    after = driver.execute_script(read)
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_click_on_the_legend_hides_a_line(opened):
    driver = opened("all")
    figure = driver.find_element(By.ID, "figure-tracking-error")
    driver.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", figure)
    ActionChains(driver).move_to_element(
        figure.find_element(By.CSS_SELECTOR, ".legendtoggle")
    ).click().perform()
    read = "return document.getElementById('figure-tracking-error').data[0].visible"
    eventually(lambda: driver.execute_script(read) == "legendonly")


def test_colours_follow_light_and_dark_while_it_is_open(opened):
    driver = opened("reference", scheme="light")
    read = "return document.getElementById('figure-tracking-error').layout.font.color"
    light = driver.execute_script(read)
    show_in(driver, "dark")
    eventually(lambda: driver.execute_script(read) != light)
    assert complaints(driver) == []


@pytest.mark.parametrize("name", ["tracking-error", "path-3d", "conductance-"])
def test_figure_is_saved_in_light_colours_under_its_name(opened, name):
    """For a paper; the screen stays as dark as it is."""
    read = "return document.querySelector(arguments[0]).layout.font.color"
    found = f"[id^=figure-{name}]"
    paint = "const paint = data => data.map(t => [t.line?.color, t.marker?.color, t.colorscale]);"
    painted = f"{paint} return paint(document.querySelector(arguments[0]).data)"
    driver = opened("crossbar", scheme="light")
    ink, light = driver.execute_script(read, found), driver.execute_script(painted, found)
    driver = opened("crossbar", scheme="dark")
    dark = driver.execute_script(read, found)
    driver.execute_script("window.saved = []; Plotly.downloadImage = (...given) => { saved.push(given) }")
    figure = driver.find_element(By.CSS_SELECTOR, found)
    driver.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", figure)
    button = figure.find_element(By.CSS_SELECTOR, ".modebar-btn")
    ActionChains(driver).move_to_element(figure).move_to_element(button).click().perform()
    eventually(lambda: driver.execute_script("return saved.length") == 1)
    layout, chosen = driver.execute_script("return [saved[0][0].layout, saved[0][1]]")
    assert layout["font"]["color"] == ink != dark
    assert driver.execute_script(f"{paint} return paint(saved[0][0].data)") == light
    assert dark not in json.dumps(layout)
    assert layout["updatemenus"] == []
    assert (chosen["format"], chosen["filename"]) == ("svg", figure.get_attribute("id"))
    assert driver.execute_script(read, found) == dark
    drawn = driver.execute_async_script(
        "const done = arguments[0]; Plotly.toImage(...saved[0]).then(done, (e) => done(String(e)))"
    )
    assert drawn.startswith("data:image/svg+xml,")
    assert complaints(driver) == []


def test_run_can_be_watched_while_it_lasts(chromium, process, tmp_path, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    words = ("run", "--view", "--controller", "osc", "--trials", 1, "--duration-s", 2, "--json")
    with process(*words, "--out", tmp_path) as running:
        said = next(line for line in running.stderr if "view: open" in line)
        chromium.get(re.search(r"http://localhost:\d+", said).group())
        WebDriverWait(chromium, PATIENCE_S).until(lambda driver: driver.find_elements(By.TAG_NAME, "canvas"))
        out, _ = running.communicate(timeout=PATIENCE_S)
    assert json.loads(out)["n_ticks"] == 2000
