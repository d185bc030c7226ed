"""The studio in a browser: what its visitors do, and what they then see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pictures import png
from web.looking import Studio, Window

if TYPE_CHECKING:
    from playwright.sync_api import Page

FAST, SLOW = "[[processing=9]]", "[[processing=60]]"
"""Seconds at the vendor: 0.3 and 2 here."""


def test_a_picture_comes_without_a_reload(window: Window, studio: Studio) -> None:
    """From its words to the picture, with what it cost; the page is loaded once."""
    window.page.get_by_text("Costs about $0.04").wait_for()
    card = window.ask(f"a lighthouse {FAST}")
    card.get_by_role("button", name="Cancel").wait_for()
    window.shows_picture("a lighthouse")
    assert "luma/uni-1" in card.inner_text()
    assert "about $0.04" in card.inner_text()
    window.page.get_by_text("Spent so far: about $0.04").wait_for()
    assert window.page.get_by_role("status").filter(has_text="Ready: a lighthouse").count() == 1
    assert window.page.get_by_text("1 ready").is_visible()
    assert len(window.loads) == 1
    assert studio.paid("a lighthouse") == 1


def test_a_failure_says_what_helps(window: Window) -> None:
    """Its kind, the provider's words, and what to do; its words, which are text and nothing else, can be changed."""
    markup = "<img src=x onerror=alert(1)>"
    card = window.ask(f"a castle {markup} {FAST} [[fail=content_moderated]]")
    card.get_by_role("heading", name="Refused by the content rules").wait_for()
    assert "Change the prompt" in card.inner_text()
    window.page.get_by_label("What should it show?").fill("")
    card.get_by_role("button", name="Change it").click()
    assert window.page.get_by_label("What should it show?").input_value().startswith(f"a castle {markup}")
    assert markup in card.inner_text()
    assert window.page.locator("img[src=x]").count() == 0


def test_what_was_not_sent_is_said(window: Window) -> None:
    """The model takes a part of it: the card says so while it is made, and with the picture."""

    def with_a_seed(route: Any) -> None:
        body = json.loads(route.request.post_data)
        route.continue_(post_data=json.dumps(body | {"parameters": body["parameters"] | {"seed": 3}}))

    window.post(with_a_seed)
    card = window.ask(f"a lamp {SLOW}")
    card.get_by_text("Luma takes no seed: it was not sent").wait_for()
    card.get_by_role("button", name="Cancel").wait_for()
    window.shows_picture("a lamp")
    assert card.get_by_text("Luma takes no seed").count() == 1


def test_trying_again_is_another_job(window: Window, studio: Studio) -> None:
    """Where that may help, it is offered, and is a request of its own."""
    card = window.ask(f"a tower {FAST} [[fail=generation_failed]]")
    card.get_by_text("a new submission is a new charge").wait_for()
    card.get_by_role("button", name="Try again").click()
    window.page.wait_for_function("() => document.querySelectorAll('[data-state=failed]').length === 2")
    assert studio.paid("a tower") == 2


def test_a_reload_while_it_is_made(window: Window, studio: Studio) -> None:
    """It is there again with its words, and its picture comes by itself."""
    window.ask(f"a harbour {SLOW}")
    window.is_followed("a harbour")
    window.page.reload()
    window.shows_picture("a harbour")
    window.page.reload()
    window.shows_picture("a harbour")
    assert studio.paid("a harbour") == 1


def test_a_reload_before_the_answer(window: Window, studio: Studio) -> None:
    """The server has taken it and the page has not heard of it: it asks again by the same key, and pays once."""
    keys: list[str] = []

    def take(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()  # and no answer
        else:
            route.continue_()

    window.post(take)
    card = window.ask(f"a bridge {FAST}")
    while not studio.paid("a bridge"):
        window.page.wait_for_timeout(20)
    assert card.get_by_role("heading").inner_text() == "Sending"
    window.page.reload()
    window.shows_picture("a bridge")
    assert window.page.get_by_role("listitem").count() == 1
    assert (len(keys), len(set(keys))) == (2, 1)
    assert studio.paid("a bridge") == 1


def test_a_connection_that_is_lost(window: Window, studio: Studio) -> None:
    """The same, without a reload: it says that there was no answer, tries again, and pays once."""
    lost: list[str] = []

    def lose(route: Any) -> None:
        lost.append(route.request.headers["idempotency-key"])
        if len(lost) == 1:
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    window.post(lose)
    card = window.ask(f"a mill {FAST}")
    card.get_by_text("it is not paid for twice").wait_for()
    card.get_by_role("button", name="Try now").click()
    window.shows_picture("a mill")
    assert len(lost) == 2
    assert len(set(lost)) == 1
    assert studio.paid("a mill") == 1


def test_two_windows(window: Window, visitor: Any, browser: Any, studio: Studio) -> None:
    """Both show the same without a reload, one of them listens for both; somebody else sees nothing of it."""
    other = Window.open(visitor, studio)
    window.ask(f"a garden {FAST}")
    other.shows_picture("a garden")
    window.shows_picture("a garden")
    assert sorted(map(bool, (window.streams, other.streams))) == [False, True]
    window.page.close()
    other.ask(f"a meadow {FAST}")  # the one that listened is gone
    other.shows_picture("a meadow")
    assert other.streams
    links = [link.get_attribute("src") for link in other.page.locator(".picture img").all()]
    stranger = browser.new_context()
    page = stranger.new_page()
    page.goto(studio.url)
    page.get_by_text("Nothing here yet").wait_for()
    assert [page.request.get(f"{studio.url}{link}").status for link in links] == [404, 404]
    stranger.close()


def test_a_double_click_pays_once(window: Window, studio: Studio) -> None:
    """With the mouse, and with a key that is pressed twice; later the same words are another picture."""
    window.page.get_by_label("What should it show?").fill(f"a kite {FAST}")
    window.page.get_by_role("button", name="Create").dblclick()
    window.page.get_by_role("button", name="Create").press("Enter")
    window.shows_picture("a kite")
    assert studio.paid("a kite") == 1
    window.page.wait_for_timeout(1000)  # after which it is no double click any more
    window.page.get_by_role("button", name="Create").click()
    window.page.get_by_text("2 ready").wait_for()
    assert studio.paid("a kite") == 2


def test_more_than_a_browser_has_connections(window: Window) -> None:
    """It listens to the oldest three, and hears of the others all the same; the page stays usable."""
    for n in range(3):
        window.ask(f"balloon {n} [[processing=450]]")
    for n in range(3, 7):
        window.ask(f"balloon {n} {FAST}")
        window.is_known(f"balloon {n}")
    for n in range(3, 7):
        window.shows_picture(f"balloon {n}")
    assert window.page.get_by_text("3 in progress · 4 ready").is_visible()
    assert max(window.at_once) == 3


def test_with_the_keyboard_alone(window: Window) -> None:
    """In the order of the page, with the focus always to be seen; the large picture gives it back."""
    page = window.page
    seen = []
    for _ in range(8):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("() => document.activeElement.id || document.activeElement.textContent"))
        assert page.evaluate(
            "() => [document.activeElement, document.activeElement.parentElement]"
            ".some(each => getComputedStyle(each).outlineStyle !== 'none')"
        ), seen
    assert seen[:5] == ["Skip to the pictures", "prompt", "provider", "model", "add-reference"]
    assert seen[-1] == "create"
    for _ in range(6):
        page.keyboard.press("Shift+Tab")
    page.keyboard.type(f"a snail {FAST}")
    page.keyboard.press("Control+Enter")
    window.shows_picture("a snail")
    for _ in range(7):
        page.keyboard.press("Tab")
    assert "Look at: a snail" in page.evaluate("() => document.activeElement.ariaLabel")
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="a snail").wait_for()
    page.keyboard.press("Escape")
    assert "Look at: a snail" in page.evaluate("() => document.activeElement.ariaLabel")


def test_what_is_wrong_is_said_where_it_is(window: Window) -> None:
    """Before anything is sent, and the focus goes there; then what the form says is what is made."""
    page = window.page
    page.get_by_role("button", name="Create").click()
    page.get_by_text("Say what the picture should show.").wait_for()
    assert page.evaluate("() => document.activeElement.id") == "prompt"
    page.get_by_label("Provider").select_option("leonardo")
    page.get_by_label("What should it show?").fill("a cup")
    page.get_by_label("Quantity").fill("9")
    page.get_by_role("button", name="Create").click()
    page.get_by_text("Value must be less than or equal to 4").wait_for()
    assert page.evaluate("() => document.activeElement.id") == "p-quantity"
    assert page.get_by_role("listitem").filter(has_text="a cup").count() == 0
    page.get_by_label("Quantity").fill("4")
    window.ask(f"four cups {FAST}")
    page.wait_for_function("() => document.querySelectorAll('.picture.there').length === 4")


def test_cancelling_says_why_it_cannot(window: Window) -> None:
    """Luma has no such call."""
    card = window.ask(f"an anchor {SLOW}")
    window.is_followed("an anchor")
    card.get_by_role("button", name="Cancel").click()
    card.get_by_role("status").filter(has_text="cannot stop it").wait_for()
    window.shows_picture("an anchor")


def test_pictures_to_go_by(window: Window, studio: Studio, tmp_path: Path) -> None:
    """Shown small as they come, taken away with the keyboard, and there again after a reload; what is left is sent."""
    page = window.page
    for name in ("boat", "fox", "lake"):
        (tmp_path / f"{name}.png").write_bytes(png(400 + len(name)))
    (tmp_path / "words.png").write_text("no picture")
    choose(page, *(tmp_path / f"{name}.png" for name in ("boat", "fox", "lake")))
    field = page.get_by_role("group", name="Pictures to go by")
    for name in ("boat", "fox", "lake"):
        field.get_by_role("img", name=f"{name}.png").wait_for()
    page.wait_for_function("() => document.querySelectorAll('#references .sending').length === 0")
    page.get_by_role("button", name="Remove: fox.png").press("Enter")
    assert page.evaluate("() => document.activeElement.ariaLabel") == "Remove: lake.png"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.ariaLabel") == "Remove: boat.png"
    choose(page, tmp_path / "words.png")
    field.get_by_role("alert").filter(has_text="has to be the bytes of a picture").wait_for()
    assert field.get_by_role("img").count() == 1
    page.reload()
    window.is_ready()
    page.wait_for_function("() => document.querySelector('#references img')?.naturalWidth > 0")
    window.ask(f"a boat in the fog {FAST}")
    window.shows_picture("a boat in the fog")
    assert studio.pictures("a boat in the fog") == 1
    page.get_by_role("button", name="Remove: Picture").click()
    assert page.evaluate("() => document.activeElement.id") == "add-reference"
    window.card("a boat in the fog").get_by_role("button", name="Use again").click()
    page.get_by_role("button", name="Remove: Picture").wait_for()


def test_a_model_that_goes_by_a_picture_alone(window: Window, tmp_path: Path) -> None:
    """Then no words are asked for, and that the picture is missing is said before anything is sent."""
    page = window.page
    page.get_by_label("Provider").select_option("leonardo")
    page.get_by_label("Model").select_option("remove-bg")
    page.get_by_label("What should it show?").wait_for(state="hidden")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("alert").filter(has_text="Add a picture to go by.").wait_for()
    assert page.evaluate("() => document.activeElement.id") == "add-reference"
    (tmp_path / "boat.png").write_bytes(png(400))
    choose(page, tmp_path / "boat.png")
    page.get_by_role("img", name="boat.png").wait_for()
    page.get_by_role("button", name="Add a picture").wait_for(state="hidden")
    page.wait_for_function("() => document.querySelectorAll('#references .sending').length === 0")
    page.get_by_role("button", name="Create").click()
    window.shows_picture("leonardo/remove-bg")


def choose(page: Page, *paths: Path) -> None:
    """By the button, as the browser's own dialog has it."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add a picture").press("Enter")
    chooser.value.set_files(paths)
