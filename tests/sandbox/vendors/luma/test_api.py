"""The Luma Agents API, as a client meets it."""

from __future__ import annotations

import asyncio
import io
import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from aiogen.sandbox import LUMA_KEY, Fate, LumaSettings, Rule, Script

from ...conftest import Caller, Visiting

REFERENCE = {"url": "https://example.com/reference.jpg"}


def unlimited(**fields: Any) -> LumaSettings:
    return LumaSettings(creates_per_window=10_000, max_active=10_000, **fields)


class TestCreate:
    async def test_answers_with_a_queued_generation(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.create("a boat", model="uni-1-max")
            generation = answer.json
            assert answer.status == 201
            assert str(uuid.UUID(generation.pop("id"), version=4)) == caller.sandbox.jobs[0].id
            created = datetime.strptime(generation.pop("created_at"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            assert abs((created - datetime.now(UTC)).total_seconds()) < 60
            assert generation == {
                "type": "image",
                "state": "queued",
                "model": "uni-1-max",
                "output": [],
                "failure_reason": None,
                "failure_code": None,
            }

    async def test_reports_the_rate(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            headers = (await caller.create()).headers
            assert headers["X-RateLimit-Limit"] == "30"
            assert headers["X-RateLimit-Remaining"] == "29"
            reset = caller.sandbox.clock.wall(caller.sandbox.clock.now() + 60).timestamp()
            assert 0 <= int(headers["X-RateLimit-Reset"]) - reset < 2
            assert (await caller.create()).headers["X-RateLimit-Remaining"] == "28"

    async def test_limiter_that_fails_open_reports_no_rate(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(rate_headers=False)) as caller:
            assert not any(name.startswith("X-RateLimit") for name in (await caller.create()).headers)

    async def test_what_is_no_json_object_is_refused(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            for data in (b"{", b"[]", b""):
                answer = await caller.luma("POST", "/generations", data=data)
                assert answer.status == 400
                assert "detail" in answer.json

    async def test_refusals_have_the_vendors_words(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.create(model="super-model-v9")
            assert (answer.status, answer.json) == (400, {"detail": "Unknown model: super-model-v9"})
            assert caller.sandbox.jobs == []

    async def test_wrong_directives_name_the_right_ones(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.create("a boat [[explode=yes]]")
            assert answer.status == 400
            assert "unknown directive 'explode'; the known ones are fail, reason" in answer.json["detail"]

    async def test_references_make_it_slow(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(reference_latency=18)) as caller:
            start = caller.sandbox.clock.now()
            await caller.created(image_ref=[REFERENCE, REFERENCE, {"data": "aGk=", "media_type": "image/png"}])
            assert caller.sandbox.clock.now() - start == pytest.approx(36, abs=0.1)
            assert caller.sandbox.jobs[0].started_at > start + 36

    async def test_job_exists_though_the_client_left_a_slow_create(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(reference_latency=18)) as caller:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(5):
                    await caller.create(image_ref=[REFERENCE])
            assert len(caller.sandbox.jobs) == 1
            await asyncio.sleep(0)
            assert caller.sandbox.requests[0].status is None

    async def test_large_images_are_looked_at_elsewhere(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            statuses = []
            for data in ("A" * 2_000_000, "A" * 2_000_000 + "!"):
                body = {"prompt": "a boat", "image_ref": [{"data": data, "media_type": "image/png"}]}
                file = io.BytesIO(json.dumps(body).encode())
                statuses.append((await caller.luma("POST", "/generations", data=file)).status)
            assert statuses == [201, 422]

    async def test_body_beyond_all_limits_is_refused(self, visiting: Visiting, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("aiogen.sandbox.server.LARGEST_BODY", 1000)
        async with visiting() as caller:
            answer = await caller.create(image_ref=[{"data": "A" * 2000, "media_type": "image/png"}])
            assert (answer.status, answer.json) == (413, {"detail": "Image exceeds 50 MB size limit"})


class TestHeaders:
    async def test_request_id_is_echoed(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.luma("GET", "/generations/x", headers={"X-Request-Id": "mine-1"})
            assert answer.headers["X-Request-Id"] == "mine-1"
            assert caller.sandbox.requests[0].request_id == "mine-1"

    async def test_request_id_is_made_up_else(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            ids = [(await caller.create()).headers["X-Request-Id"] for _ in range(2)]
            assert len({uuid.UUID(one) for one in ids}) == 2
            assert [one.request_id for one in caller.sandbox.requests] == ids

    async def test_every_answer_has_the_version(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answers = [await caller.create(), await caller.create(model="?"), await caller.luma("GET", "/nowhere")]
            assert [answer.headers["X-API-Version"] for answer in answers] == ["2026-04-01"] * 3

    async def test_reading_reports_no_rate(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.poll(await caller.created())
            assert not any(name.startswith("X-RateLimit") for name in answer.headers)


class TestKeys:
    @pytest.mark.parametrize(
        ("header", "text"),
        [
            (None, "Missing or invalid API key"),
            (f"bearer {LUMA_KEY}", "Missing or invalid API key"),
            (LUMA_KEY, "Missing or invalid API key"),
            ("Bearer ", "Missing or invalid API key"),
            ("Bearer luma-api-wrong", "Invalid API key"),
            ("Bearer luma-api-revoked", "API key has been revoked"),
            ("Bearer luma-api-expired", "API key has expired"),
        ],
    )
    async def test_401_has_four_texts(self, visiting: Visiting, header: str | None, text: str) -> None:
        keys = {LUMA_KEY: "valid", "luma-api-revoked": "revoked", "luma-api-expired": "expired"}
        async with visiting(luma=LumaSettings(api_keys=keys)) as caller:  # type: ignore[arg-type]
            caller.luma_key = None
            headers = {} if header is None else {"Authorization": header}
            for method in ("GET", "POST"):
                path = "/generations/x" if method == "GET" else "/generations"
                answer = await caller.luma(method, path, headers=headers)
                assert (answer.status, answer.json) == (401, {"detail": text})

    @pytest.mark.parametrize("kind", ["suspended", "deactivated"])
    async def test_403_for_a_client_that_is_out(self, visiting: Visiting, kind: Any) -> None:
        async with visiting(luma=LumaSettings(api_keys={LUMA_KEY: kind})) as caller:
            answer = await caller.create()
            assert (answer.status, answer.json) == (403, {"detail": f"API client is {kind}"})

    @pytest.mark.parametrize(
        ("kind", "status", "text"),
        [
            ("valid", 404, "Generation not found"),
            ("revoked", 401, "API key has been revoked"),
            ("suspended", 403, "API client is suspended"),
        ],
    )
    async def test_a_key_is_checked_by_a_generation_that_nobody_has(
        self, visiting: Visiting, kind: Any, status: int, text: str
    ) -> None:
        async with visiting(luma=LumaSettings(api_keys={LUMA_KEY: kind})) as caller:
            answer = await caller.luma("GET", f"/generations/{uuid.UUID(int=0)}")
            assert (answer.status, answer.json) == (status, {"detail": text})

    async def test_several_keys_share_one_account(self, visiting: Visiting) -> None:
        keys: Any = {LUMA_KEY: "valid", "luma-api-second": "valid"}
        async with visiting(luma=LumaSettings(api_keys=keys, creates_per_window=1)) as caller:
            job_id = await caller.created()
            caller.luma_key = "luma-api-second"
            assert (await caller.poll(job_id)).status == 200
            assert (await caller.create()).status == 429


class TestLimits:
    async def test_rate_window_slides(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(creates_per_window=2, max_active=100)) as caller:
            await caller.created()
            await asyncio.sleep(10)
            await caller.created()
            await asyncio.sleep(2.5)
            refused = await caller.create()
            assert (refused.status, refused.json) == (429, {"detail": "Rate limit exceeded"})
            assert refused.headers["Retry-After"] == "48"
            assert refused.headers["X-RateLimit-Limit"] == "2"
            assert refused.headers["X-RateLimit-Remaining"] == "0"
            assert "X-RateLimit-Reset" in refused.headers
            await asyncio.sleep(48)
            await caller.created()  # exactly one slot became free
            assert (await caller.create()).status == 429

    async def test_concurrency_is_another_refusal(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(max_active=2)) as caller:
            for _ in range(2):
                await caller.created("a boat [[processing=100]]")
            refused = await caller.create()
            assert (refused.status, refused.json) == (429, {"detail": "Too many concurrent jobs"})
            assert refused.headers["Retry-After"] == "60"
            assert not any(name.startswith("X-RateLimit") for name in refused.headers)

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (
                "observed",
                "Concurrent generation capacity reached (limit=2 weight units; this request needs 3). "
                "Wait for existing jobs to complete.",
            ),
            ("variant", "Concurrent generation limit reached (2)"),
        ],
    )
    async def test_concurrency_has_been_worded_otherwise(self, visiting: Visiting, words: Any, text: str) -> None:
        settings = LumaSettings(max_active=2, concurrency_text=words)
        async with visiting(luma=settings) as caller:
            refused = await caller.create(model="uni-1-max", type="image_edit", source=REFERENCE)
            assert (refused.status, refused.json["detail"]) == (429, text)

    async def test_weight_counts_on_both_limits(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            edit: Any = {"model": "uni-1-max", "type": "image_edit", "source": REFERENCE}
            remaining = [(await caller.create(**edit)).headers["X-RateLimit-Remaining"] for _ in range(3)]
            assert remaining == ["27", "24", "21"]
            assert "concurrent" in (await caller.create(**edit)).json["detail"]
            assert (await caller.create()).status == 201  # one unit of ten is left
            assert [job.weight for job in caller.sandbox.jobs] == [3, 3, 3, 1]
            assert caller.sandbox.requests[3].weight == 3

    async def test_heavy_request_is_refused_with_units_left(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(creates_per_window=2)) as caller:
            refused = await caller.create(model="uni-1-max", type="image_edit", source=REFERENCE)
            assert refused.headers["X-RateLimit-Remaining"] == "2"

    async def test_slot_is_free_at_the_end_of_the_job(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(max_active=1)) as caller:
            await caller.created("a boat [[queued=0 processing=20]]")
            await asyncio.sleep(19)
            assert (await caller.create()).status == 429
            await asyncio.sleep(1.1)
            assert (await caller.create()).status == 201

    async def test_or_only_when_a_poll_has_seen_it(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(max_active=1, release="poll")) as caller:
            job_id = await caller.created("a boat [[queued=0 processing=20]]")
            await caller.poll(job_id)
            await asyncio.sleep(100)
            assert (await caller.create()).status == 429
            await caller.poll(job_id)
            assert (await caller.create()).status == 201

    async def test_forgotten_slot_is_pruned_after_an_hour_of_its_time(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(max_active=1, release="poll"), speed=60) as caller:
            await caller.created()
            await asyncio.sleep(59)
            assert (await caller.create()).status == 429
            await asyncio.sleep(1)
            assert (await caller.create()).status == 201

    async def test_abuse_ceiling_is_for_reading_too(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(get_ceiling_per_minute=3)) as caller:
            job_id = await caller.created()
            for _ in range(2):
                assert (await caller.poll(job_id)).status == 200
            refused = await caller.poll(job_id)
            assert refused.status == 429
            assert refused.headers["Retry-After"] == "60"
            assert not any(name.startswith("X-RateLimit") for name in refused.headers)
            await asyncio.sleep(60)
            assert (await caller.poll(job_id)).status == 200

    async def test_window_may_be_shorter(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(creates_per_window=1, window_seconds=2), speed=100) as caller:
            await caller.created()
            assert (await caller.create()).headers["Retry-After"] == "2"
            await asyncio.sleep(2)
            await caller.created()


class TestRead:
    async def test_goes_through_its_states(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created("a boat [[queued=5 processing=10]]")
            states = []
            for _ in range(4):
                states.append((await caller.poll(job_id)).json["state"])
                await asyncio.sleep(5)
            assert states == ["queued", "processing", "processing", "completed"]

    async def test_completed_has_its_output(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created("a boat [[processing=1]]")
            await asyncio.sleep(10)
            generation = (await caller.poll(job_id)).json
            [output] = generation["output"]
            assert generation["state"] == "completed"
            assert output["type"] == "image"
            assert re.search(r"/output\.png\?X-Amz-Algorithm=AWS4-HMAC-SHA256&.*X-Amz-Expires=3600&", output["url"])

    async def test_every_reading_makes_a_fresh_url(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created("a boat [[processing=1]]")
            await asyncio.sleep(10)
            first = (await caller.poll(job_id)).json["output"][0]["url"]
            await asyncio.sleep(3000)
            second = (await caller.poll(job_id)).json["output"][0]["url"]
            assert first != second
            await asyncio.sleep(700)
            assert (await caller.ask("GET", first)).status == 403
            assert (await caller.ask("GET", second)).status == 200

    @pytest.mark.parametrize("job_id", ["00000000-0000-4000-8000-000000000000", "not-a-uuid"])
    async def test_unknown_id(self, visiting: Visiting, job_id: str) -> None:
        async with visiting() as caller:
            answer = await caller.poll(job_id)
            assert (answer.status, answer.json) == (404, {"detail": "Generation not found"})

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("content_moderated", "Generation output was flagged by our content moderation system."),
            ("generation_failed", "Generation failed"),
            ("budget_exhausted", "Insufficient credits to complete this generation."),
            ("output_not_found", "Output artifacts not found"),
            ("image_too_large", None),
            ("unsupported_format", None),
            ("corrupt_input", None),
            ("invalid_request", None),
            ("rate_limited", None),
            ("never_heard_of", None),
        ],
    )
    async def test_every_failure_code(self, visiting: Visiting, code: str, reason: str | None) -> None:
        async with visiting() as caller:
            job_id = await caller.created(f"a boat [[fail={code} queued=0 processing=1]]")
            await asyncio.sleep(1)
            answer = await caller.poll(job_id)
            assert answer.status == 200
            assert answer.json["state"] == "failed"
            assert answer.json["failure_code"] == code
            assert answer.json["output"] == []
            assert answer.json["failure_reason"] == reason or (reason is None and answer.json["failure_reason"])

    async def test_failure_without_a_code(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created('a boat [[fail=null reason="who knows" processing=0 queued=0]]')
            generation = (await caller.poll(job_id)).json
            assert (generation["failure_code"], generation["failure_reason"]) == (None, "who knows")

    async def test_oddities_can_be_had(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created(
                "a boat [[queued=0 processing=10 not-found=1 state=pondering*1 missing=empty*1]]"
            )
            assert (await caller.poll(job_id)).status == 404
            assert (await caller.poll(job_id)).json["state"] == "pondering"
            assert (await caller.poll(job_id)).json["state"] == "processing"
            await asyncio.sleep(10)
            assert (await caller.poll(job_id)).json["output"] == []
            assert len((await caller.poll(job_id)).json["output"]) == 1

    async def test_output_may_be_absent(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created("a boat [[queued=0 processing=0 missing=absent]]")
            assert "output" not in (await caller.poll(job_id)).json

    async def test_polls_are_written_down(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created("a boat [[queued=0 processing=3]]")
            start = caller.sandbox.clock.now()
            for _ in range(3):
                await asyncio.sleep(2)
                await caller.poll(job_id)
            [job] = caller.sandbox.jobs
            assert [round(at - start, 3) for at in job.polls] == [2, 4, 6]
            assert job.seen_end_at == job.polls[1]


class TestOutputs:
    async def test_layers(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created(
                "a cup [[queued=0 processing=0 outputs=3]]", type="layering", source=REFERENCE, output_format="jpeg"
            )
            outputs = (await caller.poll(job_id)).json["output"]
            assert [output["layer"]["index"] for output in outputs] == [0, 1, 2]
            assert [output["layer"]["alpha_hint"] for output in outputs] == ["hard", "hard", "none"]
            assert outputs[2]["layer"]["label"] == "background"
            for output in outputs:
                assert (await caller.ask("GET", output["url"])).headers["Content-Type"] == "image/png"

    async def test_layers_are_several_also_unasked(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created("a cup [[queued=0 processing=0]]", type="layering", source=REFERENCE)
            assert len((await caller.poll(job_id)).json["output"]) >= 2

    async def test_video(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created("a wave [[queued=0 processing=0]]", type="video", model="ray-3.2")
            [output] = (await caller.poll(job_id)).json["output"]
            assert output["type"] == "video"
            film = await caller.ask("GET", output["url"])
            assert film.headers["Content-Type"] == "video/mp4"
            assert film.content[4:8] == b"ftyp"

    async def test_jpeg_when_asked_for(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created("a wave [[queued=0 processing=0]]", output_format="jpeg")
            [output] = (await caller.poll(job_id)).json["output"]
            assert (await caller.ask("GET", output["url"])).headers["Content-Type"] == "image/jpeg"

    @pytest.mark.parametrize(("ratio", "size"), [("16:9", (2048, 1152)), ("1:3", (683, 2048)), (None, (2048, 2048))])
    async def test_shape(self, visiting: Visiting, ratio: str | None, size: tuple[int, int]) -> None:
        async with visiting() as caller:
            await caller.created(aspect_ratio=ratio)
            assert caller.sandbox.jobs[0].size == size


class TestDurations:
    async def durations(self, caller: Caller, count: int = 60, **body: Any) -> list[float]:
        for _ in range(count):
            await caller.created(**body)
        return sorted(job.ends_at - job.created_at for job in caller.sandbox.jobs)

    async def test_typical_times_are_the_documented_ones(self, visiting: Visiting) -> None:
        async with visiting(luma=unlimited()) as caller:
            durations = await self.durations(caller)
            assert 10 < durations[0] < durations[-1] < 90
            assert 15 <= durations[6] <= durations[-6] <= 60
            assert 24 < durations[30] < 36

    async def test_some_of_it_is_queued(self, visiting: Visiting) -> None:
        async with visiting(luma=unlimited(queued_share=0.5)) as caller:
            await caller.created()
            [job] = caller.sandbox.jobs
            assert job.started_at - job.created_at == pytest.approx(job.ends_at - job.started_at)

    async def test_web_search_takes_longer(self, visiting: Visiting) -> None:
        settings = unlimited(durations={"uni-1": (30.0, 0.0)})
        async with visiting(luma=settings) as caller:
            assert await self.durations(caller, 1, web_search=True) == [pytest.approx(33)]

    async def test_speed_shortens_them(self, visiting: Visiting) -> None:
        async with visiting(luma=unlimited(durations={"uni-1": (30.0, 0.0)}), speed=10) as caller:
            assert await self.durations(caller, 1) == [pytest.approx(3)]

    async def test_seed_repeats_ids_and_durations(self, visiting: Visiting) -> None:
        async def story(seed: int) -> list[tuple[str, float]]:
            async with visiting(seed=seed) as caller:
                for _ in range(5):
                    await caller.created()
                return [(job.id, round(job.ends_at - job.created_at, 6)) for job in caller.sandbox.jobs]

        assert await story(1) == await story(1) != await story(2)


class TestReferences:
    async def test_generations_may_be_used_once_they_are_done(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created("a boat [[queued=0 processing=10]]")
            reference = {"generation_id": job_id}
            assert (await caller.create(image_ref=[reference])).status == 400
            await asyncio.sleep(10)
            assert (await caller.create(image_ref=[reference])).status == 201

    async def test_unknown_ones_may_not(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            for key in ("generation_id", "file_id"):
                answer = await caller.create(image_ref=[{key: "11111111-2222-4333-8444-555555555555"}])
                assert answer.status == 400
                assert key in answer.json["detail"]


class TestLenient:
    async def test_takes_everything(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(lenient=True, max_active=1, creates_per_window=1)) as caller:
            caller.luma_key = "whatever"
            for _ in range(3):
                answer = await caller.create(prompt="", model="?", type="video", aspect_ratio="x", source={"url": "u"})
                assert answer.status == 201
            stranger = await caller.poll("182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e")
            assert stranger.json["id"] == "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
            assert stranger.json["state"] == "completed"

    async def test_but_a_key_there_must_be(self, visiting: Visiting) -> None:
        async with visiting(luma=LumaSettings(lenient=True)) as caller:
            caller.luma_key = None
            assert (await caller.create()).status == 401


async def test_answers_may_be_slow(visiting: Visiting) -> None:
    async with visiting(luma=LumaSettings(latency=2)) as caller:
        start = caller.sandbox.clock.now()
        await caller.create("a boat [[latency=3]]")
        assert caller.sandbox.clock.now() - start == pytest.approx(5, abs=0.1)


async def test_a_rule_gives_a_fate(visiting: Visiting) -> None:
    script = Script([Rule(provider="luma", prompt="boat", fate=Fate(queued=0, processing=0, outputs=2))])
    async with visiting(script=script) as caller:
        assert len((await caller.poll(await caller.created("a boat"))).json["output"]) == 2
        assert (await caller.poll(await caller.created("a train"))).json["state"] == "queued"
