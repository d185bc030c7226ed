"""Pictures of the studio, to be looked at: desk and phone, light and dark, and each state that a visitor can meet.

python -m web.screenshots FOLDER        # from the folder `tests`
python -m web.screenshots FOLDER full   # the full set; else only the four of the whole page
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
THEMES = ("light", "dark")
MADE = (
    "A lighthouse at dawn, seen from the water",
    "A fox asleep in autumn leaves",
    "A castle that is refused",
    "A small harbour town after rain",
)


def ask(page: Page, prompt: str) -> None:
    """For one picture."""
    page.fill("#prompt", prompt)
    page.click("#create")
    page.wait_for_function("() => document.getElementById('grid').children.length > 0")


def whole_page(page: Page, folder: Path) -> None:
    """Some that are ready, one that failed, and some on their way."""
    for prompt in MADE:
        ask(page, prompt)
    page.select_option("#provider", "leonardo")
    page.fill("#p-quantity", "4")
    ask(page, "Four little boats on a lake")
    page.wait_for_function("() => document.querySelectorAll('.there').length === 7", timeout=60_000)
    page.select_option("#provider", "luma")
    ask(page, "A tram on a steep street at night")
    page.wait_for_timeout(2500)
    page.fill("#prompt", "A paper boat in a puddle after rain")
    page.mouse.move(5, 5)
    page.wait_for_timeout(700)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        for size in (WIDE, PHONE):
            page.set_viewport_size(size)
            page.wait_for_timeout(150)
            page.screenshot(path=folder / f"page-{size['width']}-{theme}.png", full_page=size is PHONE)
    page.set_viewport_size(WIDE)


def states(page: Page, folder: Path) -> None:
    """One after the other; each wide and narrow, light and dark in turn."""

    def shoot(name: str, wait: int = 250) -> None:
        for size in (WIDE, PHONE):
            page.set_viewport_size(size)
            theme = THEMES[(len(shots) // 2 + len(shots)) % 2]  # the other one of each is another time
            shots.append(name)
            page.emulate_media(color_scheme=theme)
            page.wait_for_timeout(wait)
            page.screenshot(path=folder / f"{name}-{size['width']}-{theme}.png")

    shots: list[str] = []
    page.click(".picture.there")
    shoot("viewer")
    page.keyboard.press("Escape")
    page.set_viewport_size(WIDE)
    pictures = [
        {"name": f"{n}.png", "mimeType": "image/png", "buffer": page.request.get(page.url.rstrip("/") + link).body()}
        for n, link in enumerate(
            page.locator(".picture.there img").evaluate_all("all => all.map(i => i.getAttribute('src'))")
        )
    ]
    page.set_input_files("#reference-file", pictures[:5])
    page.wait_for_function(
        "() => [...document.querySelectorAll('#references img')].filter(i => i.naturalWidth).length === 5"
    )
    page.locator("#references").scroll_into_view_if_needed()
    shoot("references")
    while page.locator(".remove").count():
        page.locator(".remove").first.click()
    page.click("#more summary")
    page.fill("#prompt", "")
    page.click("#create")
    shoot("nothing-said")
    page.select_option("#provider", "leonardo")
    page.fill("#p-quantity", "40")
    page.fill("#prompt", "A cup")
    page.click("#create")
    shoot("wrong-number")
    page.fill("#p-quantity", "")

    def lost(route: Any) -> None:
        route.abort("connectionreset")

    page.route("**/api/**", lost)
    page.fill("#prompt", "A mill by a stream")
    page.click("#create")
    page.locator("#pictures").scroll_into_view_if_needed()
    shoot("lost")
    page.evaluate(
        "localStorage.setItem('studio.outbox.x', JSON.stringify("
        "{key: 'x', at: 0, body: {model: 'luma/uni-1', prompt: 'A letter of long ago', parameters: {}}}))"
    )
    page.unroute("**/api/**")
    page.route("**/api/generations?*", lost)
    page.reload()
    page.wait_for_selector("#model:enabled")
    shoot("unread")
    page.unroute("**/api/generations?*")
    page.reload()
    page.wait_for_selector("#model:enabled")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    for _ in range(3):
        page.keyboard.press("Tab")
    shoot("keyboard")


def main(folder: Path, *, full: bool) -> None:
    """Make them all."""
    folder.mkdir(parents=True, exist_ok=True)
    program = [sys.executable, "-m", "web.studio_server", "12"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        where = json.loads(server.stdout.readline())
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                page = browser.new_context(viewport=WIDE).new_page()  # type: ignore[arg-type]
                page.goto(where["studio"])
                page.wait_for_selector("#model:enabled")
                if full:
                    for size, theme in ((WIDE, "light"), (PHONE, "dark")):
                        page.set_viewport_size(size)  # type: ignore[arg-type]
                        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                        page.wait_for_timeout(500)
                        page.screenshot(path=folder / f"empty-{size['width']}-{theme}.png")
                    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
                whole_page(page, folder)
                if full:
                    states(page, folder)
                browser.close()
        finally:
            server.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), full="full" in sys.argv[2:])
