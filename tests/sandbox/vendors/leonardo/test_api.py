"""The Leonardo.Ai Production API, as a client meets it."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import Any

import pytest

from aiogen.sandbox import LeonardoSettings

from ...conftest import MODEL, Visiting

NOBODY = "00000000-0000-4000-8000-000000000000"

_RECORDED = """generated_images modelId motion motionModel motionStrength prompt negativePrompt imageHeight
    imageToVideo imageWidth inferenceSteps seed public scheduler sdVersion status presetStyle initStrength
    guidanceScale id createdAt promptMagic promptMagicVersion promptMagicStrength photoReal photoRealStrength
    fantasyAvatar generation_elements"""
RECORDED_KEYS = set(_RECORDED.split())
RECORDED_IMAGE_KEYS = {"url", "nsfw", "id", "likeCount", "motionMP4URL", "generated_image_variation_generics"}


class TestCreateV1:
    async def test_receipt(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.create_v1()
            job = answer.json["sdGenerationJob"]
            assert answer.status == 200
            assert uuid.UUID(job["generationId"]).version == 4
            assert job["apiCreditCost"] is None
            assert job["cost"] == {"amount": "0.0588", "unit": "DOLLARS"}

    async def test_four_images_of_1024_by_768_unless_said(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            await caller.create_v1()
            [job] = caller.sandbox.jobs
            assert (job.outputs, job.size, job.kind) == (4, (1024, 768), "image")

    async def test_refusal(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.create_v1(webhookUrl="https://example.com")
            assert answer.status == 400
            assert answer.json == {"error": "Unexpected variable webhookUrl", "path": "$", "code": "bad-request"}

    async def test_no_json(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.leonardo("POST", "/v1/generations", data=b"{")
            assert answer.status == 400
            assert answer.json["error"] == 'expecting a value for non-nullable variable: "prompt"'

    async def test_no_tokens(self, visiting: Visiting) -> None:
        async with visiting(leonardo=LeonardoSettings(out_of_tokens=True)) as caller:
            answer = await caller.create_v1()
            assert answer.status == 400
            assert answer.json["error"].startswith("not enough api tokens userId: ")


class TestCreateV2:
    async def test_receipt(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.create_v2()
            assert answer.status == 200
            assert set(answer.json["generate"]) == {"generationId", "cost"}

    async def test_ids_are_version_6_and_in_order(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            ids = [await caller.created_v2() for _ in range(3)]
            assert {uuid.UUID(one).version for one in ids} == {6}
            assert ids == sorted(ids)

    @pytest.mark.parametrize("shape", ["generate", "flat", "sdGenerationJob", "array"])
    async def test_receipt_has_many_shapes(self, visiting: Visiting, shape: Any) -> None:
        async with visiting(leonardo=LeonardoSettings(create_shape=shape)) as caller:
            body = (await caller.create_v2()).json
            match shape:
                case "flat":
                    inner = body
                case "array":
                    [one] = body
                    inner = one["generate"]
                case _:
                    inner = body[shape]
            assert inner["generationId"] == caller.sandbox.jobs[0].id

    @pytest.mark.parametrize(
        ("mode", "v1", "v2"),
        [
            (
                "dollars",
                {"apiCreditCost": None, "cost": {"amount": "0.0147", "unit": "DOLLARS"}},
                {"cost": {"amount": "0.0147", "unit": "DOLLARS"}},
            ),
            ("credits", {"apiCreditCost": 9}, {"apiCreditCost": 9}),
            ("zero", {"apiCreditCost": 0}, {"apiCreditCost": 0}),
            ("none", {}, {}),
        ],
    )
    async def test_cost(self, visiting: Visiting, mode: Any, v1: Any, v2: Any) -> None:
        async with visiting(leonardo=LeonardoSettings(cost_mode=mode)) as caller:
            first = (await caller.create_v1(num_images=1)).json["sdGenerationJob"]
            second = (await caller.create_v2()).json["generate"]
            del first["generationId"], second["generationId"]
            assert (first, second) == (v1, v2)

    async def test_one_image_unless_said(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            await caller.created_v2()
            await caller.created_v2(quantity=3, width=1344, height=768)
            assert [(job.outputs, job.size) for job in caller.sandbox.jobs] == [(1, (1024, 1024)), (3, (1344, 768))]

    @pytest.mark.parametrize(
        ("shape", "status"), [("array200", 200), ("errors200", 200), ("array", 400), ("errors", 400), ("object", 400)]
    )
    async def test_refusals_have_many_shapes(self, visiting: Visiting, shape: Any, status: int) -> None:
        async with visiting(leonardo=LeonardoSettings(error_shape=shape)) as caller:
            answer = await caller.create_v2(quantity=9)
            text = "parameters.quantity must not be greater than 8"
            error = {
                "message": "An error occurred.",
                "path": [],
                "extensions": {
                    "code": "BadRequestException",
                    "statusCode": 400,
                    "details": {"code": "VALIDATION_ERROR", "message": text},
                },
            }
            bodies: dict[str, Any] = {
                "array": [error],
                "errors": {"errors": [error]},
                "object": {"error": text, "path": "$", "code": "unexpected"},
            }
            assert answer.status == status
            assert answer.json == bodies[shape.removesuffix("200")]

    async def test_no_tokens_inside_a_200(self, visiting: Visiting) -> None:
        async with visiting(leonardo=LeonardoSettings(out_of_tokens=True)) as caller:
            answer = await caller.create_v2()
            assert answer.status == 200
            [error] = answer.json
            assert error["message"] == "Insufficient tokens"
            assert error["extensions"]["statusCode"] == 402

    async def test_wrong_directives_are_a_plain_400(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.create_v2("a boat [[explode=now]]")
            assert answer.status == 400
            assert "unknown directive 'explode'; the known ones are fail" in answer.json["error"]


class TestRead:
    async def test_pending_has_no_images(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            generation = await caller.generation(await caller.created_v2())
            assert generation["status"] == "PENDING"
            assert generation["generated_images"] == []
            assert set(generation) == RECORDED_KEYS

    async def test_complete_has_the_recorded_keys(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.create_v1(
                "a boat [[processing=4]]", num_images=2, width=512, height=512, presetStyle="ANIME", seed=5958383965
            )
            job_id = answer.json["sdGenerationJob"]["generationId"]
            await asyncio.sleep(4)
            generation = await caller.generation(job_id)
            assert set(generation) == RECORDED_KEYS
            assert [set(image) for image in generation["generated_images"]] == [RECORDED_IMAGE_KEYS] * 2
            assert generation["status"] == "COMPLETE"
            assert generation["id"] == job_id
            assert generation["prompt"] == "a boat [[processing=4]]"  # as it was sent: some compare it
            assert (generation["imageWidth"], generation["imageHeight"]) == (512, 512)
            assert (generation["presetStyle"], generation["seed"]) == ("ANIME", 5958383965)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", generation["createdAt"])
            ids = {image["id"] for image in generation["generated_images"]}
            assert len(ids) == 2
            assert (await caller.generation(job_id))["generated_images"] == generation["generated_images"]

    async def test_images_can_be_had(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created_v2("a boat [[processing=0]]", quantity=2, width=640, height=320)
            for image in (await caller.generation(job_id))["generated_images"]:
                answer = await caller.ask("GET", image["url"])
                assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")

    async def test_video_is_a_poster_and_a_film(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created_v2("a wave [[processing=0]]", model="bytedance/seedance-2.5")
            generation = await caller.generation(job_id)
            [image] = generation["generated_images"]
            assert (generation["motion"], generation["scheduler"], generation["sdVersion"]) == (True, None, None)
            poster = await caller.ask("GET", image["url"])
            film = await caller.ask("GET", image["motionMP4URL"])
            assert (poster.headers["Content-Type"], film.headers["Content-Type"]) == ("image/jpeg", "video/mp4")
            assert film.content[4:8] == b"ftyp"

    async def test_failed_without_a_reason(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            generation = await caller.generation(await caller.created_v2("a [[fail=generation_failed processing=0]]"))
            assert generation["status"] == "FAILED"
            assert generation["generated_images"] == []
            assert set(generation) == RECORDED_KEYS

    async def test_failed_by_moderation(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created_v2("a [[fail=content_moderated processing=1]]")
            assert "prompt_moderations" not in await caller.generation(job_id)
            await asyncio.sleep(1)
            generation = await caller.generation(job_id)
            assert generation["prompt_moderations"] == [{"moderationClassification": ["NSFW"]}]

    async def test_complete_but_empty(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            prompt = "a [[processing=0 missing=empty moderation=NSFW,EXTREME_VIOLENCE]]"
            generation = await caller.generation(await caller.created_v2(prompt))
            assert (generation["status"], generation["generated_images"]) == ("COMPLETE", [])
            assert generation["prompt_moderations"] == [{"moderationClassification": ["NSFW", "EXTREME_VIOLENCE"]}]

    async def test_images_may_be_absent(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            generation = await caller.generation(await caller.created_v2("a [[processing=0 missing=absent]]"))
            assert "generated_images" not in generation

    async def test_nsfw(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            generation = await caller.generation(await caller.created_v2("a [[processing=0 nsfw=1]]", quantity=2))
            assert [image["nsfw"] for image in generation["generated_images"]] == [True, False]

    async def test_null_where_the_schema_forbids_it(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            generation = await caller.generation(await caller.created_v2("a [[processing=0 null-enums]]"))
            assert [generation[key] for key in ("scheduler", "sdVersion", "presetStyle")] == [None, None, None]

    async def test_unknown_state(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            generation = await caller.generation(await caller.created_v2("a [[state=IN_PROGRESS]]"))
            assert generation["status"] == "IN_PROGRESS"

    @pytest.mark.parametrize(
        ("way", "status", "read", "deleted"),
        [
            ("null", 200, {"generations_by_pk": None}, {"delete_generations_by_pk": None}),
            ("empty", 200, [], []),
            ("404", 404, None, None),
        ],
    )
    async def test_not_found(self, visiting: Visiting, way: Any, status: int, read: Any, deleted: Any) -> None:
        async with visiting(leonardo=LeonardoSettings(not_found=way)) as caller:
            for method, body in (("GET", read), ("DELETE", deleted)):
                answer = await caller.leonardo(method, f"/v1/generations/{NOBODY}")
                assert answer.status == status
                assert body is None or answer.json == body

    async def test_malformed_id(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            for method in ("GET", "DELETE"):
                answer = await caller.leonardo(method, "/v1/generations/not-a-uuid")
                assert (answer.status, answer.json["code"]) == (400, "data-exception")

    async def test_not_there_yet(self, visiting: Visiting) -> None:
        async with visiting(leonardo=LeonardoSettings(status_lag=5)) as caller:
            job_id = await caller.created_v2("a [[processing=0]]")
            assert await caller.generation(job_id) is None
            await asyncio.sleep(5)
            assert (await caller.generation(job_id))["status"] == "COMPLETE"

    async def test_not_found_for_some_polls(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created_v2("a [[not-found=2]]")
            assert [await caller.generation(job_id) is None for _ in range(3)] == [True, True, False]


class TestList:
    async def test_newest_first_in_pages(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            ids = [await caller.created_v2() for _ in range(12)][::-1]
            assert [one["id"] for one in await caller.listed()] == ids[:10]
            assert [one["id"] for one in await caller.listed(offset=10)] == ids[10:]
            assert [one["id"] for one in await caller.listed(offset=3, limit=2)] == ids[3:5]
            assert await caller.listed(offset=12) == []

    async def test_items_are_what_reading_gives(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created_v2("a boat [[processing=0]]")
            assert await caller.listed() == [await caller.generation(job_id)]

    async def test_larger_limits_are_capped(self, visiting: Visiting) -> None:
        async with visiting(leonardo=LeonardoSettings(list_max=3)) as caller:
            for _ in range(5):
                await caller.created_v2()
            assert len(await caller.listed(limit=100)) == 3

    async def test_may_be_behind(self, visiting: Visiting) -> None:
        async with visiting(leonardo=LeonardoSettings(list_lag=5)) as caller:
            await caller.created_v2("a boat [[processing=2]]")
            seen = []
            for _ in range(4):
                seen.append([one["status"] for one in await caller.listed()])
                await asyncio.sleep(2.5)
            assert seen == [[], [], ["PENDING"], ["COMPLETE"]]

    async def test_does_not_count_as_a_poll(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            await caller.created_v2("a boat [[poll=500 not-found=1]]")
            assert len(await caller.listed()) == 1
            assert caller.sandbox.jobs[0].polls == []

    async def test_somebody_elses_is_empty(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            await caller.created_v2()
            answer = await caller.leonardo("GET", f"/v1/generations/user/{NOBODY}")
            assert answer.json == {"generations": []}

    async def test_wants_numbers(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            path = f"/v1/generations/user/{caller.sandbox.leonardo.user_id}"
            assert (await caller.leonardo("GET", path, params={"limit": "all"})).status == 400


class TestDelete:
    async def test_gone_for_good(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created_v2("a boat [[processing=0]]")
            url = (await caller.generation(job_id))["generated_images"][0]["url"]
            answer = await caller.leonardo("DELETE", f"/v1/generations/{job_id}")
            assert answer.json == {"delete_generations_by_pk": {"id": job_id}}
            assert await caller.generation(job_id) is None
            assert await caller.listed() == []
            assert (await caller.ask("GET", url)).status == 404
            again = await caller.leonardo("DELETE", f"/v1/generations/{job_id}")
            assert again.json == {"delete_generations_by_pk": None}
            assert caller.sandbox.jobs[0].deleted_at is not None

    async def test_may_fail_and_not_be_done(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await caller.created_v2("a boat [[delete=500]]")
            assert (await caller.leonardo("DELETE", f"/v1/generations/{job_id}")).status == 500
            assert await caller.generation(job_id) is not None
            assert (await caller.leonardo("DELETE", f"/v1/generations/{job_id}")).status == 200


async def test_me(visiting: Visiting) -> None:
    async with visiting(leonardo=LeonardoSettings(username="somebody", api_concurrency_slots=20)) as caller:
        [details] = (await caller.leonardo("GET", "/v1/me")).json["user_details"]
        assert details["user"] == {"id": caller.sandbox.leonardo.user_id, "username": "somebody"}
        assert details["apiConcurrencySlots"] == 20


class TestKeys:
    @pytest.mark.parametrize("header", [None, f"Bearer {NOBODY}"])
    async def test_wrong_or_missing(self, visiting: Visiting, header: str | None) -> None:
        async with visiting() as caller:
            caller.leonardo_key = None
            answer = await caller.leonardo("GET", "/v1/me", headers={"Authorization": header} if header else {})
            assert answer.status == 401
            assert answer.json == {
                "error": "Authentication hook unauthorized this request",
                "path": "$",
                "code": "access-denied",
            }

    @pytest.mark.parametrize("header", ["Bearer not-a-uuid", "Basic eDp5", f"{NOBODY}"])
    async def test_malformed_is_dressed_as_a_server_error(self, visiting: Visiting, header: str) -> None:
        async with visiting() as caller:
            answer = await caller.leonardo("POST", "/v2/generations", json={}, headers={"Authorization": header})
            assert answer.status == 500
            assert answer.json["error"] == "Invalid response from authorization hook"

    async def test_a_key_of_any_other_kind_is_a_wrong_one(self, visiting: Visiting) -> None:
        async with visiting(leonardo=LeonardoSettings(api_keys={NOBODY: "revoked"})) as caller:
            caller.leonardo_key = NOBODY
            assert (await caller.leonardo("GET", "/v1/me")).status == 401


class TestEdges:
    async def test_without_rest_there_is_a_page_of_html(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            url = f"{caller.sandbox.url}/leonardo/api/v2/generations"
            answer = await caller.ask("POST", url, json={})
            assert (answer.status, answer.headers["Content-Type"]) == (403, "text/html; charset=utf-8")

    async def test_unknown_endpoint(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.leonardo("GET", "/v1/nowhere")
            assert (answer.status, answer.json["code"]) == (404, "not-found")

    async def test_headers(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            headers = (await caller.leonardo("GET", "/v1/me")).headers
            assert headers["Content-Type"] == "application/json; charset=utf-8"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert not any("ratelimit" in name.lower() for name in headers)


class TestLimits:
    async def test_ten_run_and_others_wait_in_order(self, visiting: Visiting) -> None:
        async with visiting(leonardo=LeonardoSettings(max_running=2)) as caller:
            for seconds in (10, 4, 3, 5):
                await caller.created_v2(f"a boat [[processing={seconds}]]")
            begin = caller.sandbox.jobs[0].created_at
            starts = [round(job.started_at - begin, 1) for job in caller.sandbox.jobs]
            assert starts == [0, 0, 4, 7]
            states = {job.state(begin + 1) for job in caller.sandbox.jobs}
            assert states == {"processing", "queued"}
            assert {one["status"] for one in await caller.listed()} == {"PENDING"}

    async def test_too_many_waiting_are_refused(self, visiting: Visiting) -> None:
        async with visiting(leonardo=LeonardoSettings(max_running=1, max_pending=2)) as caller:
            for _ in range(3):
                await caller.created_v2("a boat [[processing=100]]")
            refused = await caller.create_v1()
            assert (refused.status, refused.json["error"]) == (429, "Rate limit exceeded")
            await asyncio.sleep(100)
            assert (await caller.create_v1()).status == 200

    async def test_each_create_endpoint_has_its_window(self, visiting: Visiting) -> None:
        async with visiting(leonardo=LeonardoSettings(creates_per_window=1)) as caller:
            await caller.created_v2()
            refused = await caller.create_v2()
            assert (refused.status, refused.json[0]["extensions"]["statusCode"]) == (200, 429)
            assert refused.json[0]["message"] == "Rate limit exceeded"
            assert (await caller.create_v1()).status == 200
            assert (await caller.create_v1()).status == 429
            await asyncio.sleep(60)
            assert (await caller.create_v1()).status == 200

    async def test_all_requests_together_are_limited(self, visiting: Visiting) -> None:
        async with visiting(leonardo=LeonardoSettings(requests_per_window=2, error_shape="object")) as caller:
            for _ in range(2):
                assert (await caller.leonardo("GET", "/v1/me")).status == 200
            assert (await caller.leonardo("GET", "/v1/me")).status == 429
            assert (await caller.create_v2()).status == 429
            await asyncio.sleep(60)
            assert (await caller.leonardo("GET", "/v1/me")).status == 200

    @pytest.mark.parametrize(("with_header", "header"), [(False, None), (True, "60")])
    async def test_retry_after_is_sent_only_if_so_set(
        self, visiting: Visiting, with_header: bool, header: str | None
    ) -> None:
        settings = LeonardoSettings(requests_per_window=1, retry_after_on_429=with_header)
        async with visiting(leonardo=settings) as caller:
            await caller.leonardo("GET", "/v1/me")
            assert (await caller.leonardo("GET", "/v1/me")).headers.get("Retry-After") == header

    async def test_refusal_by_the_queue_says_one_second(self, visiting: Visiting) -> None:
        settings = LeonardoSettings(max_running=1, max_pending=0, retry_after_on_429=True)
        async with visiting(leonardo=settings) as caller:
            await caller.created_v2("a boat [[processing=100]]")
            assert (await caller.create_v1()).headers["Retry-After"] == "1"


class TestDurations:
    async def test_typical_times(self, visiting: Visiting) -> None:
        settings = LeonardoSettings(max_running=1000, creates_per_window=1000)
        async with visiting(leonardo=settings) as caller:
            for _ in range(60):
                await caller.created_v2()
            durations = sorted(job.ends_at - job.started_at for job in caller.sandbox.jobs)
            assert 2 < durations[0] < durations[-1] < 30
            assert 6 < durations[30] < 10
            await caller.created_v2(model="kling-3.0")
            film = caller.sandbox.jobs[-1]
            assert film.kind == "video"
            assert film.ends_at - film.started_at > 40

    async def test_fate_and_speed(self, visiting: Visiting) -> None:
        async with visiting(speed=10) as caller:
            await caller.created_v2("a boat [[queued=5 processing=20]]")
            [job] = caller.sandbox.jobs
            assert job.started_at - job.created_at == pytest.approx(0.5)
            assert job.ends_at - job.started_at == pytest.approx(2)

    async def test_seed_repeats_ids_and_durations(self, visiting: Visiting) -> None:
        async def story(seed: int) -> list[tuple[str, float]]:
            async with visiting(seed=seed) as caller:
                for _ in range(3):
                    await caller.created_v2()
                    await caller.create_v1()
                return [(job.id, round(job.ends_at - job.created_at, 6)) for job in caller.sandbox.jobs]

        assert await story(1) == await story(1) != await story(2)


async def test_answers_may_be_slow(visiting: Visiting) -> None:
    async with visiting(leonardo=LeonardoSettings(latency=2)) as caller:
        start = caller.sandbox.clock.now()
        job_id = await caller.created_v2("a boat [[latency=3]]")
        await caller.leonardo("DELETE", f"/v1/generations/{job_id}")
        assert caller.sandbox.clock.now() - start == pytest.approx(10, abs=0.1)


async def test_jobs_and_requests_know_what_was_asked(visiting: Visiting) -> None:
    async with visiting() as caller:
        job_id = await caller.created_v2("a boat [[nsfw=all]]")
        await caller.generation(job_id)
        [job] = caller.sandbox.jobs
        assert (job.provider, job.model, job.prompt) == ("leonardo", MODEL, "a boat")
        assert job.body["parameters"]["prompt"] == "a boat [[nsfw=all]]"
        create, poll = caller.sandbox.requests
        assert (create.provider, create.action, create.method, create.status) == ("leonardo", "create", "POST", 200)
        assert (poll.action, poll.job_id) == ("poll", job_id)


CUT = {"image_reference": [{"image": {"type": "BASE64", "data": "iVBORw0KGgo"}}]}


class TestModels:
    @pytest.mark.parametrize(
        ("model", "parameters", "text"),
        [
            ("leonardo/foo", {"prompt": "a"}, "model must be one of the available models"),
            ("gemini-image-2", {"prompt": "a", "aspectratio": "16:9"}, "parameters.aspectratio is not allowed"),
            ("gemini-image-2", {"prompt": "a", "negative_prompt": "b"}, "parameters.negative_prompt is not allowed"),
            ("remove-bg", {"prompt": "a", "guidances": CUT}, "parameters.prompt is not allowed"),
            ("veo-3.1-lite", {"prompt": "a", "quantity": 2}, "parameters.quantity must not be greater than 1"),
        ],
    )
    async def test_what_a_model_does_not_take(
        self, visiting: Visiting, model: str, parameters: dict[str, Any], text: str
    ) -> None:
        """As v2 refuses: an array with HTTP 200, and nothing is made."""
        async with visiting() as caller:
            body = {"model": model, "parameters": parameters}
            answer = await caller.leonardo("POST", "/v2/generations", json=body)
            assert answer.status == 200
            [error] = answer.json
            assert error["message"] == "An error occurred."
            assert error["extensions"] == {
                "code": "BadRequestException",
                "statusCode": 400,
                "details": {"code": "VALIDATION_ERROR", "message": text},
            }
            assert not list(caller.sandbox.jobs)

    async def test_a_model_without_a_prompt(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            body = {"model": "remove-bg", "parameters": {"guidances": CUT}}
            created = (await caller.leonardo("POST", "/v2/generations", json=body)).json
            await asyncio.sleep(60)
            generation = await caller.generation(created["generate"]["generationId"])
            assert (generation["status"], generation["prompt"]) == ("COMPLETE", "")
            [image] = generation["generated_images"]
            picture = await caller.ask("GET", image["url"])
            assert (picture.status, picture.headers["Content-Type"]) == (200, "image/png")

    @pytest.mark.parametrize(("model", "uuid"), [("flux-dev", "b2614463-296c-462a-9586-aafdb8f00e36"), (MODEL, None)])
    async def test_a_reading_names_a_model_by_its_uuid(self, visiting: Visiting, model: str, uuid: str | None) -> None:
        async with visiting() as caller:
            generation = await caller.generation(await caller.created_v2(model=model))
            assert generation["modelId"] == uuid

    async def test_the_models_of_v2(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            listed = (await caller.leonardo("GET", "/v2/models")).json["productionApiAvailableModels"]
            assert len(listed) == 79
            [flux] = [each for each in listed if each["name"] == "FLUX Schnell"]
            assert flux["id"] == "1dd50843-d653-4516-a8e3-f0238ee453ff"
            assert flux["parameters"]["required"] == ["prompt"]
            assert flux["parameters"]["additionalProperties"] is False
            assert {"prompt", "width", "height", "quantity", "seed", "guidances", "style_ids", "prompt_enhance"} <= set(
                flux["parameters"]["properties"]
            )
            assert "flux-schnell" not in str(listed)  # no slug is in it

    async def test_the_older_models(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            listed = (await caller.leonardo("GET", "/v1/platformModels")).json["custom_models"]
            assert {"description", "featured", "generated_image", "id", "name", "nsfw"} == set(listed[0])
            assert "de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3" in [each["id"] for each in listed]

    async def test_prices(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            params = {"imageHeight": 512, "imageWidth": 512, "numImages": 4, "inferenceSteps": 15, "isSDXL": True}
            body = {"service": "IMAGE_GENERATION", "serviceParams": {"IMAGE_GENERATION": params}}
            answer = await caller.leonardo("POST", "/v1/pricing-calculator", json=body)
            assert answer.json == {"calculateProductionApiServiceCost": {"cost": 16}}
            refused = await caller.leonardo("POST", "/v1/pricing-calculator", json={"service": "X"})
            assert (refused.status, refused.json["code"]) == (400, "validation-failed")
