"""`aiogen.errors`: the tree, and what each error carries."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from aiogen import errors
from aiogen.errors import (
    AiogenError,
    APIError,
    AuthenticationError,
    CancelTimeout,
    ConfigurationError,
    DownloadError,
    GenerationFailed,
    GenerationRefused,
    GenerationTimeout,
    InputError,
    InsufficientFunds,
    InvalidRequest,
    NetworkError,
    NotFound,
    OutputExpired,
    ProtocolError,
    ProviderError,
    RateLimited,
    SessionClosed,
    StoreError,
    SubmissionUnknown,
    Throttle,
    Unsupported,
)
from aiogen.models import Action, FailureCode, Generation, State

EVERY = [
    cls for cls in vars(errors).values() if inspect.isclass(cls) and issubclass(cls, AiogenError)
]  # in the order of the file


def drawn_tree() -> dict[str, str | None]:
    """Each class of the picture at the top of the module, with the class it hangs on."""
    tree: dict[str, str | None] = {}
    path: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]*)([A-Z]\w+)", line)
        if found and (found[1] or found[2] == "AiogenError"):
            depth, name = len(found[1]), found[2]
            path = [(d, n) for d, n in path if d < depth]
            tree[name] = path[-1][1] if path else None
            path.append((depth, name))
    return tree


def failed_generation(**changes: object) -> Generation:
    known = {
        "id": "j1",
        "provider_id": "p1",
        "provider": "luma",
        "connection": "luma-eu",
        "model": "uni-1",
        "state": State.FAILED,
        "failure_code": FailureCode.CONTENT_MODERATED,
        "failure_reason": "flagged",
        "action": Action.CHANGE_INPUT,
    }
    return Generation(**{**known, **changes})  # type: ignore[arg-type]


# --- the tree


def test_the_picture_shows_every_error() -> None:
    """The tree at the top of the module has every error of the module, and no other."""
    assert set(drawn_tree()) == {cls.__name__ for cls in EVERY}


@pytest.mark.parametrize(("name", "parent"), drawn_tree().items(), ids=drawn_tree())
def test_the_picture_is_true(name: str, parent: str | None) -> None:
    """Each error of the tree is a kind of the one it hangs on."""
    assert parent is None or issubclass(getattr(errors, name), getattr(errors, parent))


@pytest.mark.parametrize(
    ("cls", "guess"),
    [
        (InputError, ValueError),
        (ConfigurationError, ValueError),
        (Unsupported, ValueError),
        (NetworkError, ConnectionError),
        (GenerationTimeout, TimeoutError),
        (CancelTimeout, TimeoutError),
        (GenerationRefused, APIError),
        (GenerationRefused, GenerationFailed),
    ],
)
def test_errors_are_also_what_somebody_would_guess(cls: type, guess: type) -> None:
    """An error is caught by the built-in, or the cousin, that one would guess."""
    assert issubclass(cls, guess)


# --- what they carry

CARRIED = [
    (InputError, FailureCode.INVALID_REQUEST, Action.CHANGE_INPUT, False),
    (ConfigurationError, FailureCode.AUTH, Action.FIX_KEY, False),
    (Unsupported, FailureCode.INVALID_REQUEST, Action.GIVE_UP, False),
    (APIError, None, None, False),
    (AuthenticationError, FailureCode.AUTH, Action.FIX_KEY, False),
    (InsufficientFunds, FailureCode.BUDGET_EXHAUSTED, Action.ADD_FUNDS, False),
    (InvalidRequest, FailureCode.INVALID_REQUEST, Action.CHANGE_INPUT, False),
    (NotFound, FailureCode.NOT_FOUND, Action.GIVE_UP, False),
    (RateLimited, FailureCode.RATE_LIMITED, Action.WAIT, True),
    (ProviderError, FailureCode.PROVIDER_ERROR, Action.WAIT, True),
    (ProtocolError, FailureCode.PROVIDER_ERROR, Action.WAIT, True),
    (NetworkError, FailureCode.PROVIDER_ERROR, Action.WAIT, True),
    (GenerationTimeout, FailureCode.UNKNOWN, Action.WAIT, False),
    (CancelTimeout, None, Action.WAIT, False),
    (SubmissionUnknown, FailureCode.UNKNOWN, Action.GIVE_UP, False),
    (SessionClosed, None, Action.RETRY, True),
    (DownloadError, None, Action.WAIT, True),
    (OutputExpired, None, Action.GIVE_UP, False),
    (StoreError, None, Action.GIVE_UP, False),
]


@pytest.mark.parametrize(("cls", "code", "action", "retryable"), CARRIED, ids=lambda v: getattr(v, "__name__", ""))
def test_an_error_says_what_helps(
    cls: type[AiogenError], code: FailureCode | None, action: Action | None, retryable: bool
) -> None:
    """Each kind of error has its code, its action, and says whether doing it again may help."""
    error = cls("text")
    assert (error.code, error.action, error.retryable) == (code, action, retryable)
    assert (str(error), error.message) == ("text", "text")


def test_what_is_known_can_be_read() -> None:
    """What is given with an error is there to be read, and what is not known is None."""
    error = RateLimited("slow", provider="luma", request_id="r1", retry_after=3.0, throttle=Throttle.CREATES)
    assert (error.provider, error.request_id, error.retry_after, error.throttle) == ("luma", "r1", 3.0, "creates")
    assert (error.connection, error.job_id, error.provider_id, error.generation) == (None, None, None, None)


def test_nobody_knows_the_limit_unless_said() -> None:
    """A 429 that names no limit slows the whole account, and a lost answer counts as sent."""
    assert RateLimited("slow").throttle is Throttle.ACCOUNT
    assert NetworkError("gone").sent is True


def test_a_misspelt_attribute_is_refused() -> None:
    """An attribute that the error does not have is a programmer's mistake, and said at once."""
    with pytest.raises(TypeError, match="NotFound has no attribute 'throttle'"):
        NotFound("gone", throttle=Throttle.CREATES)


def test_a_code_brings_its_action() -> None:
    """A code that is given brings the action of the table, where the class has none of its own."""
    assert APIError("no", code=FailureCode.BUDGET_EXHAUSTED).action is Action.ADD_FUNDS


def test_an_action_that_is_given_stays() -> None:
    """An action that is given wins over the table's."""
    assert APIError("no", code=FailureCode.OUTPUT_NOT_FOUND, action=Action.CHANGE_INPUT).action is Action.CHANGE_INPUT


def test_an_action_that_is_ruled_out_stays_away() -> None:
    """Where a class's own action does not help, `action=None` says that none is known."""
    assert ConfigurationError("two of one name", action=None).action is None


HELPED_BY_REPEATING = {
    Action.RETRY: True,
    Action.WAIT: True,
    Action.CHANGE_INPUT: False,
    Action.ADD_FUNDS: False,
    Action.FIX_KEY: False,
    Action.GIVE_UP: False,
    None: False,
}
GOES_ON = (GenerationTimeout, CancelTimeout, SessionClosed)
"""What these tell of may still run while one waits."""


@pytest.mark.parametrize("action", [None, *Action])
@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_whether_to_repeat_it_is_what_the_action_says(cls: type[AiogenError], action: Action | None) -> None:
    """`retryable` says the same as `action`, of every kind of error; what may still run is not paid for again."""
    error = cls("text", action=action)
    may_run = isinstance(error, GOES_ON) and action is Action.WAIT
    assert error.retryable is (HELPED_BY_REPEATING[action] and not may_run)


@pytest.mark.parametrize("code", [None, *FailureCode])
@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_an_error_says_one_thing_about_repeating_it(cls: type[AiogenError], code: FailureCode | None) -> None:
    """With whatever code, and with what its class says by itself."""
    for error in (cls("text"), cls("text", code=code), GenerationFailed.of(failed_generation(failure_code=code))):
        may_run = isinstance(error, GOES_ON) and error.action is Action.WAIT
        assert error.retryable is (HELPED_BY_REPEATING[error.action] and not may_run)


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (StoreError("locked", retryable=True), Action.WAIT),
        (NetworkError("no host can be called so", retryable=False), Action.GIVE_UP),
        (DownloadError("cut", retryable=True), Action.WAIT),
        (StoreError("begins again", action=Action.RETRY, retryable=False), Action.RETRY),
        (InvalidRequest("no", retryable=False), Action.CHANGE_INPUT),
    ],
)
def test_whoever_says_retryable_says_an_action(error: AiogenError, action: Action) -> None:
    """A store of a user's own may say only that: the action follows from it, and is never contradicted."""
    assert error.action is action
    assert error.retryable is HELPED_BY_REPEATING[action]


def test_a_generation_is_named_once() -> None:
    """The message says which generation it is about, unless it does so already."""
    error = NotFound("Failed to delete generation. API error 404: gone")
    assert str(error.naming("p1")) == "Failed to delete generation. API error 404: gone (generation p1)."
    assert str(error.naming("p1")).count("p1") == 1
    assert (error.message, error.provider_id) == (str(error), "p1")
    assert str(NotFound("No p1.").naming("p1")) == "No p1."


def test_an_error_describes_itself() -> None:
    """All that it carries, one fact a line, and nothing that is not known."""
    error = RateLimited("slow", status=429, provider="luma", request_id="r1", retry_after=600.0)
    error.add_note("A note.")
    assert error.describe().splitlines() == [
        "RateLimited: slow",
        "  what helps   Wait, then try again.",
        "  code         rate_limited",
        "  action       wait",
        "  retryable    yes",
        "  retry after  10 min",
        "  HTTP status  429",
        "  provider     luma",
        "  request id   r1",
        "  notes        A note.",
    ]
    assert AiogenError("so").describe() == "AiogenError: so\n  retryable  no"


def test_about_adds_only_what_is_missing() -> None:
    """`about` adds ids that were not known, overwrites none, and returns the same error."""
    error = NotFound("gone", provider="luma")
    assert error.add_context(provider="other", job_id="j1", provider_id=None) is error
    assert (error.provider, error.job_id, error.provider_id) == ("luma", "j1", None)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_a_copy_of_an_error_is_as_good(cls: type[AiogenError], again: object) -> None:
    """An error survives copying and another process with all that it carries."""
    error = cls("text", provider="luma", job_id="j1", retry_after=2.0, generation=failed_generation())
    error.add_note("a note")
    twin = again(error)  # type: ignore[operator]
    assert type(twin) is cls
    assert (str(twin), twin.__dict__) == ("text", error.__dict__)


# --- GenerationFailed.of


def test_a_failure_tells_its_story() -> None:
    """The message names the generation, the code, the vendor's words and what helps; the error carries them."""
    generation = failed_generation()
    error = GenerationFailed.of(generation, request_id="r1")
    assert str(error) == (
        "Generation p1 at luma-eu failed with content_moderated: flagged. "
        "Change the prompt, the parameters or the references; the same input fails again."
    )
    assert (error.code, error.action, error.reason) == ("content_moderated", "change_input", "flagged")
    assert (error.provider, error.connection, error.job_id, error.provider_id) == ("luma", "luma-eu", "j1", "p1")
    assert error.generation is generation
    assert error.request_id == "r1"


def test_an_unknown_code_is_quoted() -> None:
    """A code that this version does not know is shown in the vendor's spelling."""
    error = GenerationFailed.of(
        failed_generation(failure_code=FailureCode.UNKNOWN, vendor_code="cosmic_ray", action=None, failure_reason=None)
    )
    assert "failed with unknown (cosmic_ray). Nothing is known to help" in str(error)
    assert error.action is Action.GIVE_UP


def test_a_known_code_is_not_said_twice() -> None:
    """The vendor's spelling is left out where ours says the same."""
    assert "(" not in str(GenerationFailed.of(failed_generation(vendor_code="content_moderated")))


def test_a_failure_without_a_code_is_unknown() -> None:
    """No code at all becomes `unknown`, and nothing is known to help."""
    error = GenerationFailed.of(failed_generation(failure_code=None, action=None))
    assert (error.code, error.action) == (FailureCode.UNKNOWN, Action.GIVE_UP)


def test_the_generation_may_know_a_better_action() -> None:
    """An action on the generation wins over the table's for its code."""
    generation = failed_generation(failure_code=FailureCode.OUTPUT_NOT_FOUND, action=Action.CHANGE_INPUT)
    assert GenerationFailed.of(generation).action is Action.CHANGE_INPUT
