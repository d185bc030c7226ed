"""What tests do at the page, in the words of somebody who uses it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import attrs

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page, Request


@attrs.frozen
class Studio:
    """Where the page is, and the sandbox behind it."""

    url: str
    sandbox: str

    def paid(self, prompt: str) -> int:
        """How many creates with this prompt the provider took."""
        return len(self._jobs(prompt))

    def pictures(self, prompt: str) -> int:
        """With how many pictures to go by it came, of one with this prompt."""
        [job] = self._jobs(prompt)
        return len(job["body"]["image_ref"])

    def _jobs(self, prompt: str) -> list[dict[str, Any]]:
        with urlopen(f"{self.sandbox}/sandbox/jobs") as answer:
            jobs: list[dict[str, Any]] = json.load(answer)["jobs"]
        return [job for job in jobs if (job["prompt"] or "").startswith(prompt)]


@attrs.frozen
class Window:
    """One window of a browser."""

    page: Page
    studio: Studio
    streams: list[str] = attrs.field(factory=list)
    """The addresses of the events that this window has listened to."""
    at_once: list[int] = attrs.field(factory=list)
    """How many it listened to at once, each time that there was another."""
    loads: list[str] = attrs.field(factory=list)

    @classmethod
    def open(cls, context: BrowserContext, studio: Studio) -> Window:
        """The page, with its models and the history."""
        window = cls(context.new_page(), studio)
        window._watch()
        window.page.on("domcontentloaded", lambda page: window.loads.append(page.url))
        window.page.goto(studio.url, wait_until="commit")
        window.is_ready()
        return window

    def _watch(self) -> None:
        open_now: set[str] = set()

        def begun(asked: Request) -> None:
            if asked.url.endswith("/events"):
                open_now.add(asked.url)
                self.streams.append(asked.url)
                self.at_once.append(len(open_now))

        self.page.on("request", begun)
        self.page.on("requestfinished", lambda asked: open_now.discard(asked.url))
        self.page.on("requestfailed", lambda asked: open_now.discard(asked.url))

    def is_ready(self) -> None:
        """The models are there to choose from."""
        self.page.wait_for_selector("#model:enabled")

    def ask(self, prompt: str) -> Locator:
        """For a picture, by the button; its card."""
        self.page.get_by_label("What should it show?").fill(prompt)
        self.page.get_by_role("button", name="Create").click()
        return self.card(prompt)

    def card(self, prompt: str) -> Locator:
        """What the grid has of it."""
        return self.page.get_by_role("listitem").filter(has_text=prompt.partition(" [[")[0])

    def is_known(self, prompt: str) -> None:
        """Waits until the server has it."""
        self.card(prompt).get_by_role("button", name="Cancel").or_(
            self.card(prompt).get_by_role("button", name="Look at")
        ).first.wait_for()

    def is_followed(self, prompt: str) -> None:
        """Waits until the provider has it."""
        card = self.card(prompt)
        card.get_by_text("Being made").or_(card.get_by_text("In the provider’s queue")).wait_for()

    def shows_picture(self, prompt: str) -> None:
        """Waits for it."""
        button = self.card(prompt).get_by_role("button", name="Look at")
        button.wait_for()
        image = button.locator("img")
        self.page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=image.element_handle())

    def post(self, what: Any) -> None:
        """What happens to requests for a picture on their way."""
        self.page.route("**/api/generations", lambda route: what(route) if _is_post(route) else route.fallback())


def _is_post(route: Any) -> bool:
    return bool(route.request.method == "POST")
