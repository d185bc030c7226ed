"""Everything that the sandbox can do wrong ends as docs/errors.md says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import aiogen
from aiogen import Action, FailureCode, State
from aiogen.models import ACTIONS
from aiogen.sandbox import LEONARDO_KEY, LUMA_KEY, LeonardoSettings, LumaSettings, Sandbox

DOC = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
MODELS = ["luma/uni-1", "leonardo/gemini-image-2", "leonardo/de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3"]


def connections(box: Sandbox, **leonardo: Any) -> list[aiogen.Provider]:
    return [
        aiogen.Luma(api_key=LUMA_KEY, base_url=box.luma_url),
        aiogen.Leonardo(api_key=LEONARDO_KEY, base_url=box.leonardo_url, **leonardo),
    ]


async def outcome(model: str, directive: str, **sandbox: Any) -> tuple[Any, list[Any]]:
    """How a job with that directive ends (a generation or an error), and the sandbox's jobs."""
    async with Sandbox(**sandbox) as box:
        async with aiogen.Session(connections(box), unreachable_timeout=300.0) as session:
            try:
                result: Any = await session.generate(model, f"a boat [[{directive}]]", timeout=900.0)
            except aiogen.AiogenError as error:
                result = error
        return result, box.jobs


SURELY_NOT_DONE = ["429@7", "429@date", "429", "rpm", "abuse", "error-200@429"]
OUTCOME_OPEN = [
    "500", "504", "500-after", "504-after", "cut-before", "cut-after", "hang", "html", "half-json", "empty", "list",
    "null", "wrong-types", "huge@20", "error-200@500",
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fault", SURELY_NOT_DONE)
async def test_a_create_that_was_surely_not_carried_out_is_sent_again(model: str, fault: str) -> None:
    """The caller notices nothing but the time."""
    if model.startswith("luma") and fault == "error-200@429":
        pytest.skip("Luma reports no errors inside HTTP 200")
    result, jobs = await outcome(model, f"create={fault}")
    assert isinstance(result, aiogen.Generation)
    assert len(jobs) == 1


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fault", OUTCOME_OPEN)
async def test_a_create_whose_outcome_is_open_is_never_repeated(model: str, fault: str) -> None:
    """There is at most one job at the vendor, and the caller hears of it."""
    result, jobs = await outcome(model, f"create={fault}")
    assert isinstance(result, aiogen.SubmissionUnknown), result
    assert len(jobs) == (
        fault.endswith("after") or fault in ("hang", "half-json", "empty", "list", "null", "wrong-types")
    )


@pytest.mark.parametrize(
    ("model", "fault", "kind", "code"),
    [
        ("luma/uni-1", "400", aiogen.GenerationRefused, FailureCode.INVALID_REQUEST),
        ("luma/uni-1", "401", aiogen.AuthenticationError, FailureCode.AUTH),
        ("luma/uni-1", "402", aiogen.InsufficientFunds, FailureCode.BUDGET_EXHAUSTED),
        ("luma/uni-1", "403", aiogen.AuthenticationError, FailureCode.AUTH),
        ("luma/uni-1", "413", aiogen.GenerationRefused, FailureCode.IMAGE_TOO_LARGE),
        ("luma/uni-1", "422", aiogen.GenerationRefused, FailureCode.INVALID_REQUEST),
        ("leonardo/gemini-image-2", "400", aiogen.GenerationRefused, FailureCode.INVALID_REQUEST),
        ("leonardo/gemini-image-2", "401", aiogen.AuthenticationError, FailureCode.AUTH),
        ("leonardo/gemini-image-2", "402", aiogen.InsufficientFunds, FailureCode.BUDGET_EXHAUSTED),
    ],
)
async def test_a_refusal_has_its_code(model: str, fault: str, kind: type[aiogen.APIError], code: FailureCode) -> None:
    """And says what helps."""
    result, jobs = await outcome(model, f"create={fault}")
    assert isinstance(result, kind)
    assert (result.code, result.action) == (code, ACTIONS[code])
    assert not jobs


@pytest.mark.parametrize("shape", ["array200", "errors200", "array", "errors", "object"])
async def test_leonardos_error_shapes(shape: Any) -> None:
    """All are read, inside HTTP 200 too."""
    settings = LeonardoSettings(error_shape=shape)
    result, _ = await outcome(MODELS[1], "create=402", leonardo=settings)
    assert isinstance(result, aiogen.InsufficientFunds)
    result, _ = await outcome(MODELS[1], "create=429", leonardo=settings)
    assert isinstance(result, aiogen.Generation)


@pytest.mark.parametrize("shape", ["generate", "flat", "sdGenerationJob", "array"])
@pytest.mark.parametrize("cost", ["dollars", "credits", "zero", "none"])
async def test_leonardos_create_answers(shape: Any, cost: Any) -> None:
    """Wherever the id stands; and 0 credits alone are no price."""
    result, _ = await outcome(MODELS[1], "processing=2", leonardo=LeonardoSettings(create_shape=shape, cost_mode=cost))
    assert result.state is State.COMPLETED
    unit = result.cost.unit if result.cost else None
    assert unit == {"dollars": "DOLLARS", "credits": "CREDITS"}.get(cost)


@pytest.mark.parametrize("shape", ["null", "404", "empty"])
async def test_leonardos_ways_to_say_not_found(shape: Any) -> None:
    """All mean the same; and just after the create they mean "not yet"."""
    settings = LeonardoSettings(not_found=shape, status_lag=6.0)
    async with Sandbox(leonardo=settings) as box, aiogen.Session(connections(box)) as session:
        assert (await session.generate(MODELS[1], "cat")).state is State.COMPLETED
        with pytest.raises(aiogen.NotFound):
            await session.get("leonardo", "1f0bba44-923a-69b0-b519-62a6710d46a9")


@pytest.mark.no_cover
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "faults",
    ["500*3", "502,503,504", "429@5*2", "abuse", "html*2", "half-json", "empty*3", "list", "null", "wrong-types",
     "huge@20", "cut-before", "cut-after", "hang", "slow@20", "error-200@500", "500@date"],
)  # fmt: skip
async def test_polls_that_fail_do_not_end_a_job(model: str, faults: str) -> None:
    """Each in turn, and the job still completes."""
    result, _ = await outcome(model, f"processing=20 poll={faults}")
    assert isinstance(result, aiogen.Generation), result


@pytest.mark.parametrize("model", MODELS[:2])
@pytest.mark.parametrize(
    "directive",
    ["state=pondering*3", "state=pondering", "not-found=2", "missing=empty*2", "missing=absent*2", "null-enums"],
)
async def test_oddities_that_pass(model: str, directive: str) -> None:
    """Unknown states, late knowledge, late outputs."""
    if model.startswith("leonardo") and directive.startswith("missing"):
        pytest.skip("COMPLETE without images is how Leonardo withholds what it moderates")
    result, _ = await outcome(model, f"processing=12 {directive}")
    assert isinstance(result, aiogen.Generation), result


@pytest.mark.parametrize("code", [*[code.value for code in FailureCode][:9], "null", "gremlins"])
async def test_lumas_failure_codes(code: str) -> None:
    """Nine known ones, none, and a new one."""
    result, _ = await outcome("luma/uni-1", f"fail={code}")
    assert isinstance(result, aiogen.GenerationFailed)
    known = code not in ("null", "gremlins")
    assert result.code == (code if known else "unknown")
    assert result.action is ACTIONS[FailureCode(code) if known else FailureCode.UNKNOWN]


@pytest.mark.parametrize(
    ("directive", "code", "action"),
    [
        ("fail=generation_failed", FailureCode.GENERATION_FAILED, Action.RETRY),
        ("fail=content_moderated", FailureCode.CONTENT_MODERATED, Action.CHANGE_INPUT),
        ("fail=generation_failed moderation=NSFW,EXTREME_VIOLENCE", FailureCode.CONTENT_MODERATED, Action.CHANGE_INPUT),
        ("outputs=0", FailureCode.OUTPUT_NOT_FOUND, Action.CHANGE_INPUT),
        ("outputs=0 moderation=NSFW", FailureCode.CONTENT_MODERATED, Action.CHANGE_INPUT),
    ],
)
async def test_leonardos_failures(directive: str, code: FailureCode, action: Action) -> None:
    """FAILED has no code, COMPLETE may have no images: both are translated."""
    result, _ = await outcome(MODELS[1], directive)
    assert isinstance(result, aiogen.GenerationFailed)
    assert (result.code, result.action) == (code, action)


@pytest.mark.parametrize(
    ("policy", "flagged", "expected"),
    [("keep", "all", 2), ("keep", "1", 2), ("drop", "1", 1), ("drop", "all", None), ("fail", "1", None)],
)
async def test_leonardos_nsfw_policy(policy: Any, flagged: str, expected: int | None) -> None:
    """Keep, drop, or call it failed."""
    async with Sandbox() as box, aiogen.Session(connections(box, nsfw=policy)) as session:
        job = await session.submit(MODELS[1], f"cat [[nsfw={flagged}]]", num_images=2)
        if expected is None:
            with pytest.raises(aiogen.GenerationFailed) as caught:
                await job
            assert caught.value.code is FailureCode.CONTENT_MODERATED
            return
        generation = await job
    assert len(generation.outputs) == expected
    assert generation.partial is (expected == 1)
    assert any(output.nsfw for output in generation.outputs) is (policy == "keep")


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "faults",
    ["403", "500*2", "cut@700", "cut-before", "wrong-type", "html", "empty", "hang", "slow@5", "404*3", "404*", "410*"],
)
async def test_downloads(tmp_path: Path, faults: str) -> None:
    """What passes is saved whole; what does not is an error, and leaves nothing."""
    async with Sandbox() as box, aiogen.Session(connections(box)) as session:
        generation = await session.generate("luma/uni-1", f"a boat [[download={faults}]]")
        if faults in ("html", "empty", "404*", "410*"):
            with pytest.raises(aiogen.DownloadError):
                await session.download(generation, tmp_path)
            assert list(tmp_path.iterdir()) == []
        else:
            (path,) = await session.download(generation, tmp_path)
            assert path.stat().st_size > 1000


@pytest.mark.parametrize("kind", ["revoked", "expired", "suspended", "deactivated", None])
async def test_keys_that_do_not_work(kind: Any) -> None:
    """The vendor's own text is shown, and what helps."""
    keys = {LUMA_KEY: kind} if kind else {"another": "valid"}
    async with Sandbox(luma=LumaSettings(api_keys=keys)) as box, aiogen.Session(connections(box)) as session:
        for call in (session.generate("luma/uni-1", "a boat"), session.account("luma")):
            with pytest.raises(aiogen.AuthenticationError) as caught:
                await call
            assert caught.value.action is Action.FIX_KEY
            assert LUMA_KEY not in str(caught.value)
            if kind in ("revoked", "expired", "suspended", "deactivated"):
                assert kind in str(caught.value)


async def test_a_slot_that_only_a_poll_frees() -> None:
    """Every job is asked about to its end, also those that nobody waits for, so no slot is held for an hour."""
    async with Sandbox(luma=LumaSettings(release="poll", max_active=2)) as box:
        async with aiogen.Session([connections(box)[0]]) as session:
            late = await session.submit("luma/uni-1", "[[processing=50]] slow", timeout=5.0)
            with pytest.raises(aiogen.GenerationTimeout):
                await late
            jobs = [await session.submit("luma/uni-1", f"p{i}") for i in range(6)]
            assert all([(await job).state is State.COMPLETED for job in jobs])


def test_every_code_has_its_row() -> None:
    """docs/errors.md has each failure code with its action."""
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]+\| `(\w+)`", DOC, re.MULTILINE))
    assert rows == {code.value: ACTIONS[code].value for code in FailureCode}


def test_every_error_has_its_row() -> None:
    """docs/errors.md has each error class."""
    errors = {
        name
        for name in aiogen.__all__
        if isinstance(getattr(aiogen, name), type) and issubclass(getattr(aiogen, name), aiogen.AiogenError)
    }
    rows = set(re.findall(r"^\| `(\w+)`", DOC, re.MULTILINE))
    assert errors - rows == {"AiogenError", "APIError", "GenerationError"}
