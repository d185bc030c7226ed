"""What helps is said in the language of the command line, whatever the package says to programs."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import aiogen as package
from aiogen import errors
from aiogen.cli.exits import explain
from aiogen.models import Action, Generation, State
from aiogen.providers.parameters import unknown

PYTHON = re.compile(r"\b[Ss]ession[.(]|=…|\w+=(True|False|\))|await |async with")
PACKAGE = Path(package.__file__).parent


def messages() -> list[str]:
    """Every sentence of the package that could be a message, with x for what is filled in."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        if {"sandbox", "cli"} & set(path.relative_to(PACKAGE).parts):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = list(ast.walk(tree))
        docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        docs |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in nodes:
            if isinstance(node, ast.JoinedStr):
                found.append("".join(p.value if isinstance(p, ast.Constant) else "x" for p in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                found.append(node.value)
    # Only a program can pass something that is not a provider.
    found = [text for text in found if not text.startswith("A provider must be an instance")]
    return [text for text in found if text.count(" ") > 3 and PYTHON.search(text)]


def test_no_message_of_the_package_names_python() -> None:
    """One test for all of them: each worker would read the whole package to list them."""
    said = messages()
    assert said
    assert [text for text in said if PYTHON.search(explain(errors.InputError(text)))] == []


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Copy it again (from LUMA_BASE_URL or base_url=).", "Copy it again (from LUMA_BASE_URL)."),
        ("Use https, or pass allow_insecure=True if you accept that.", "Use https."),
        ("Its request is gone (keep_requests=False). Submit it again.", "Its request is gone. Submit it again."),
        ("It may still finish. session.attach('luma', 'a.b') follows it again.", "It may still finish."),
        ("It is 3.5 s old. It is 16:9 (x).", "It is 3.5 s old. It is 16:9 (x)."),
    ],
)  # fmt: skip
def test_only_what_names_python_is_left_out(said: str, shown: str) -> None:
    assert explain(errors.InputError(said)) == shown


def test_a_vendor_s_words_are_left_alone() -> None:
    error = errors.InvalidRequest("API error 400: session.width( is not in (a=b)", action=None)
    assert explain(error) == "API error 400: session.width( is not in (a=b)"


@pytest.mark.parametrize("kind", [errors.NotFound, errors.InvalidRequest])
def test_of_two_who_say_what_helps_the_better_informed_is_heard(kind: type[errors.APIError]) -> None:
    """Of an id that cannot be one, too: there is no prompt to change."""
    error = kind("API error 400: no such thing", provider_id="x")
    assert error.action is not None
    error.add_note(error.action.help_text)
    assert explain(error) == (
        "API error 400: no such thing. Check the id, and that the key belongs to the account that made it."
    )


def test_an_unknown_parameter_tells_the_option_that_sends_it_all_the_same() -> None:
    """Any name of a parameter, and none of Python's words."""
    error = unknown("Luma", "aspectratio", ["aspect_ratio"])
    assert explain(error) == (
        "Luma has no parameter 'aspectratio'. Did you mean 'aspect_ratio'? To send it all the same: --extra "
        "aspectratio=…"
    )
    assert explain(unknown("Luma", r"a\1}b", ())).endswith(r"To send it all the same: --extra a\1}b=…")
    assert explain(errors.UnknownParameter("There is no slot 'x'.", parameter="x")) == "There is no slot 'x'."


def late(**more: Any) -> errors.GenerationTimeout:
    return errors.GenerationTimeout("…", connection="luma", job_id="ours", timeout=600.0, **more)


def test_a_deadline_tells_the_command_and_the_last_answer() -> None:
    error = late(provider_id="theirs")
    error.__cause__ = errors.ProviderError("API error 502: HTML page: Bad Gateway")
    assert explain(error) == (
        "Generation theirs at luma did not finish within 10 min; it may still finish. The last status request "
        "failed: API error 502: HTML page: Bad Gateway. Follow it again with: aiogen wait luma theirs"
    )


def test_a_turn_that_did_not_come_may_have_come_elsewhere() -> None:
    assert explain(late()).endswith("was not sent to luma within 10 min. See what became of it with: aiogen jobs")
    assert explain(late(action=Action.RETRY)).endswith("Nothing was charged; submit it again.")


def test_an_unknown_submission_tells_why_and_the_command() -> None:
    error = errors.SubmissionUnknown(
        "…", connection="luma", job_id="ours", submitted_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert "It is not known whether luma accepted job ours. It was sent at 2026-01-01T00:00:00+00:00" in explain(error)
    error.__cause__ = errors.NetworkError("The connection was lost.")
    assert explain(error).startswith("It is not known whether luma accepted job ours: The connection was lost. It was")
    assert explain(error).endswith("See what it could have become with: aiogen reconcile")
    assert explain(errors.SubmissionUnknown("No word.")) == (
        "No word. See what it could have become with: aiogen reconcile"
    )


# --- said once, on one stream


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("fail=content_moderated", "flagged by our content moderation"),
        ("create=cut-after", "It is not known whether luma accepted"),
        ("create=400", "Failed to create"),
    ],
)
def test_an_error_is_said_once(aiogen, vendors, fault: str, words: str) -> None:
    said = aiogen("generate", "luma/uni-1", f"a boat [[{fault}]]", "--no-download")
    assert (said.out + said.err).count(words) == 1
    assert said.out.count("\n") == 1


@pytest.mark.parametrize(
    "words", [("get", "luma", "x"), ("generate", "luma/uni-1", "a boat"), ("account",), ("doctor",)]
)
def test_without_any_key_there_is_something_to_see(aiogen, words: tuple[str, ...]) -> None:
    said = aiogen(*words)
    assert said.code == 3
    assert "aiogen demo" in said.err
    assert "aiogen sandbox" in said.err
    assert "LUMA_AGENTS_API_KEY" in said.err
    assert not PYTHON.search(said.err)


def test_with_one_key_the_other_is_named(aiogen, vendors, monkeypatch) -> None:
    monkeypatch.delenv("LEONARDO_API_KEY")
    said = aiogen("list", "leonardo")
    assert said.err.endswith("set the environment variable LEONARDO_API_KEY to your Leonardo AI API key.\n")
    assert "aiogen knows luma, leonardo" in aiogen("list", "elsewhere").err


def test_the_commands_that_are_named_are_about_the_same_ledger(aiogen, vendors, tmp_path: Path) -> None:
    store = tmp_path / "my boats.db"
    said = aiogen("generate", "luma/uni-1", "a boat [[create=cut-after]]", "--no-download", "--store", store)
    assert said.err.count(f"aiogen reconcile --store '{store}'") == 2
    assert f"aiogen reconcile --store '{store}'" in aiogen("jobs", "--store", store).err


def test_an_id_that_failed_is_named(aiogen, vendors) -> None:
    missing = "d290f1ee-6c54-4b01-90e6-d701748f0851"
    for words in (("get", "leonardo", missing), ("delete", "leonardo", missing, "--yes")):
        assert aiogen(*words).err.count(missing) == 1


def test_a_generation_says_itself_that_it_failed() -> None:
    generation = Generation(
        id="1", provider_id="2", provider="luma", connection="luma", model="m", state=State.FAILED
    )  # fmt: skip
    assert explain(errors.GenerationFailed.of(generation)).startswith("Generation 2 at luma failed")
