"""What ADR 12 quotes: the size of reports, and how long the viewer takes for a frame (needs Chromium)."""

import shutil
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from playwright.sync_api import sync_playwright

from gaussmix import GaussianMixture
from gaussmix.report.html.page import asset, viewer_script

DATA = Path(__file__).parent.parent / "tests" / "data"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FRAMES = """(() => {
  const slider = document.querySelector("#slider");
  return Array.from({ length: 30 }, (_, i) => {
    const began = performance.now();
    slider.value = String(i % (Number(slider.max) + 1));
    slider.dispatchEvent(new Event("input"));
    return performance.now() - began;
  });
})()"""


def tables():
    """Name, rows and K."""
    yield "heights", np.loadtxt(DATA / "heights.csv", skiprows=1)[:, None], 2
    for name, n_components in (("faithful", 2), ("iris", 3)):
        yield name, np.loadtxt(DATA / f"{name}.csv", delimiter=",", skiprows=1), n_components
    rng = np.random.default_rng(0)
    yield "600 x 60", rng.normal(size=(600, 60)), 3
    centres = rng.normal(0, 4, (5, 6))
    yield "100,000 x 6", centres[rng.integers(5, size=100_000)] + rng.normal(size=(100_000, 6)), 5


def main():
    """Print a line for each table."""
    print(f"viewer {len(viewer_script()) / 1000:.0f} kB, style {len(asset('style.css')) / 1000:.0f} kB")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name, rows, n_components in tables():
            path = Path(folder) / "report.html"
            GaussianMixture(n_components, trace=True).fit(rows).report(rows).save(path)
            page = browser.new_page(viewport={"width": 1100, "height": 900})
            page.goto(path.as_uri())
            size = path.stat().st_size / 1000
            print(f"{name}: {size:.0f} kB, {median(page.evaluate(FRAMES)):.0f} ms a frame")
        browser.close()


if __name__ == "__main__":
    main()
