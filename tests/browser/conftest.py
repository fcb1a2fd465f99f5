"""Headless Chromium, driven from the command line: no further library is needed."""

import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from subsoil.reporting import leaderboard, page

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever the browser itself wants, it stays offline
    "--enable-logging=stderr", "--virtual-time-budget=5000",
)  # fmt: skip
# The page is opened in a frame of a stated width, because a window is never narrower than 500 px.
FRAME = """<!DOCTYPE html><meta charset="utf-8"><iframe src="{page}" width="{width}" height="900"
 style="border:0"></iframe><pre id="measured"></pre><script>addEventListener("message", (event) => {{
 document.getElementById("measured").textContent = event.data; }});</script>"""
MEASURE = """<script>
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.blockedURI));
addEventListener("load", () => setTimeout(() => {
  document.querySelectorAll("details").forEach((item) => { item.open = true; });
  const box = (node) => node.getBoundingClientRect();
  const hex = (node) => getComputedStyle(node).color;
  const root = document.documentElement;
  parent.postMessage(JSON.stringify({
    width: innerWidth, scroll: root.scrollWidth, violations,
    requests: performance.getEntriesByType("resource").map((entry) => entry.name),
    figures: [...document.querySelectorAll("figure svg, img")].map((node) => ({
      alt: node.getAttribute("aria-label") ?? node.alt ?? "", role: node.getAttribute("role"),
      width: box(node).width, height: box(node).height, right: box(node).right })),
    tables: [...document.querySelectorAll("table")].map((node) => ({
      caption: node.caption?.textContent ?? "", heads: node.querySelectorAll("th[scope=col]").length,
      box: box(node.parentElement).right })),
    headings: [...document.querySelectorAll("h1, h2, h3")].map((node) => Number(node.tagName[1])),
    ids: [...document.querySelectorAll("[id]")].map((node) => node.id),
    anchors: [...document.querySelectorAll('a[href^="#"]')].map((node) => node.getAttribute("href").slice(1)),
    buttons: document.querySelectorAll("nav button, th button").length,
    text: getComputedStyle(document.body).color, page: getComputedStyle(document.body).backgroundColor,
    colours: Object.fromEntries(["a", ".soft", ".bad", ".good", "td", "figcaption"].flatMap((selector) => {
      const node = document.querySelector("section " + selector);
      return node ? [[selector, hex(node)]] : []; })),
    card: getComputedStyle(document.querySelector("section")).backgroundColor,
    first: [...document.querySelectorAll("#summary tbody tr")].map((row) => row.cells[1].textContent.trim()),
    sorted: (() => {
      const button = document.querySelectorAll("#summary th button")[1];
      if (!button) return [];
      button.click();
      return [...document.querySelectorAll("#summary tbody tr")].map((row) => row.cells[1].dataset.sort);
    })(),
    filtered: (() => {
      const box = document.querySelector(".filter input"), table = document.querySelector("table.named");
      if (!box) return [];
      box.value = "model03";
      box.dispatchEvent(new Event("input"));
      return [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[0].textContent);
    })(),
    chosen: (() => {
      const select = document.querySelector(".filter select");
      if (!select) return [];
      select.value = "model-model03";
      select.dispatchEvent(new Event("change"));
      return [...document.querySelectorAll("svg .chosen path")].map((node) => getComputedStyle(node).stroke);
    })(),
  }), "*");
}, 50));
</script></head>"""


@dataclass(frozen=True)
class Seen:
    """What the browser measured on a page, and what it wrote to its console."""

    measured: dict[str, Any]
    console: list[str]


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium on this machine: the page is not opened")
    return path


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two reports: of measured and of simulated data, the second with nothing but two tables."""
    synthetic = runpy.run_path(str(Path(__file__).parents[1] / "reporting" / "synthetic.py"))
    measured = synthetic["write"](tmp_path_factory.mktemp("browser") / "measured")
    simulated = synthetic["write"](tmp_path_factory.mktemp("browser") / "simulated", simulated=True)
    for path in simulated.glob("*.csv"):
        if path.stem not in ("headline", "stocks", "rejects"):
            path.unlink()
    return {"measured": page.build(measured), "simulated": page.build(simulated)}


@pytest.fixture(scope="session")
def leaderboard_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a leaderboard of made-up models."""
    made = runpy.run_path(str(Path(__file__).parents[1] / "reporting" / "scoreboard.py"))
    return leaderboard.build(made["write"](tmp_path_factory.mktemp("browser") / "scores", models=9, sites=24))


@pytest.fixture(scope="session")
def look(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Seen]:
    """Open a page at a width and measure it."""

    def open_page(path: Path, width: int, dark: bool = False) -> Seen:
        folder = tmp_path_factory.mktemp("look")
        copy = folder / "page.html"
        text = path.read_text(encoding="utf-8")
        copy.write_text(text.replace("</head>", MEASURE, 1), encoding="utf-8")
        frame = folder / "frame.html"
        frame.write_text(FRAME.format(page=copy.name, width=width), encoding="utf-8")
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        command = [
            chromium,
            *FLAGS,
            scheme,
            f"--user-data-dir={folder / 'profile'}",
            "--window-size=1400,1000",
        ]
        result = subprocess.run(
            [*command, "--dump-dom", frame.as_uri()], capture_output=True, text=True, timeout=120, check=False
        )
        found = re.search(r'<pre id="measured">(.+?)</pre>', result.stdout, re.DOTALL)
        assert found, result.stderr[-2000:]
        console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
        return Seen(json.loads(unescape(found.group(1))), console)

    return open_page
