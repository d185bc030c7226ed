"""Errors as exit codes and sentences."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from aiogen import errors
from aiogen.cli.exits import MEANINGS, Exit, exit_of, explain, gravest
from aiogen.models import Action, FailureCode, Generation, State


def refused(cause: errors.APIError) -> errors.GenerationRefused:
    error = errors.GenerationRefused(cause.message, code=cause.code)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InputError("no"), 2),
        (errors.Unsupported("no"), 2),
        (errors.ConfigurationError("no"), 3),
        (errors.AuthenticationError("no"), 3),
        (errors.StoreError("no"), 3),
        (errors.GenerationTimeout("no"), 4),
        (errors.InsufficientFunds("no"), 1),
        (errors.InvalidRequest("no"), 1),
        (errors.GenerationFailed("no"), 1),
        (refused(errors.InvalidRequest("no")), 1),
        (refused(errors.ProviderError("no")), 5),
        (errors.GenerationRefused("no"), 1),
        (errors.NotFound("no"), 5),
        (errors.RateLimited("no"), 5),
        (errors.ProviderError("no"), 5),
        (errors.ProtocolError("no"), 5),
        (errors.NetworkError("no"), 5),
        (errors.DownloadError("no"), 5),
        (errors.SubmissionUnknown("no"), 6),
    ],
)
def test_every_error_has_its_code(error: errors.AiogenError, code: int) -> None:
    assert exit_of(error) == code


def test_the_gravest_of_several_counts() -> None:
    order = [Exit.UNKNOWN, Exit.CONFIGURATION, Exit.USAGE, Exit.PROVIDER, Exit.DEADLINE, Exit.FAILED, Exit.OK]
    for graver, lighter in pairwise(order):
        assert gravest([lighter, graver, lighter]) is graver
    assert gravest([]) is Exit.OK


def test_the_page_has_the_same_table() -> None:
    page = Path(__file__, "../../../docs/cli.md").resolve().read_text()
    for code, meaning in MEANINGS.items():
        assert f"| {code} | {meaning} |" in page
    assert set(MEANINGS) == set(Exit)


def test_the_explanation_is_message_notes_and_what_helps_each_once() -> None:
    error = errors.ProviderError("Failed to retrieve.\n  API error 500: oops")
    error.add_note(Action.WAIT.help_text)
    error.add_note("The status page may know")
    assert explain(error) == ("Failed to retrieve. API error 500: oops. Wait, then try again. The status page may know")


def test_a_failure_that_says_already_what_helps_does_not_say_it_twice() -> None:
    generation = Generation(
        id="1", provider_id="2", provider="luma", connection="luma", model="uni-1", state=State.FAILED,
        failure_code=FailureCode.CONTENT_MODERATED,
    )  # fmt: skip
    assert explain(errors.GenerationFailed.of(generation)).count("Change the prompt") == 1


def test_what_was_refused_here_says_itself_what_would_be_right() -> None:
    assert explain(errors.InputError("Write it so!")) == "Write it so!"


def test_a_deadline_names_the_command_that_goes_on_if_there_is_something_to_follow() -> None:
    sent = errors.GenerationTimeout("Too late.", connection="luma", provider_id="abc")
    assert explain(sent).endswith("Follow it again with: aiogen wait luma abc")
    assert "aiogen wait" not in explain(errors.GenerationTimeout("Too late."))


def test_a_deadline_does_not_say_to_try_again_for_that_would_be_paid_twice() -> None:
    assert "try again" not in explain(errors.GenerationTimeout("Too late.", connection="luma", provider_id="abc"))


def test_an_id_that_is_not_there_may_be_mistyped_or_of_another_account() -> None:
    said = explain(errors.NotFound("Not there.", provider_id="abc", action=Action.GIVE_UP))
    assert said == "Not there. Check the id, and that the key belongs to the account that made it."


def test_a_file_that_cannot_be_opened_is_nothing_for_the_support_of_a_provider() -> None:
    said = explain(errors.StoreError("The ledger could not be opened."))
    assert said == ("The ledger could not be opened. --store FILE names another ledger, --store :memory: keeps none.")
    assert explain(errors.StoreError("It was removed.", job_id="1")) == "It was removed."
