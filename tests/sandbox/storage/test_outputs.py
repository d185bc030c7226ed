"""Where outputs are stored."""

from __future__ import annotations

import asyncio
import io
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from PIL import Image

from aiogen.sandbox import LumaSettings, Storm, worker

from ..conftest import Caller, Visiting

DONE = "a boat [[queued=0 processing=0]]"


async def luma_url(caller: Caller, prompt: str = DONE, **body: Any) -> str:
    job_id = await caller.created(prompt, **body)
    return str((await caller.poll(job_id)).json["output"][0]["url"])


async def leonardo_url(caller: Caller, prompt: str = DONE) -> str:
    generation = await caller.generation(await caller.created_v2(prompt))
    return str(generation["generated_images"][0]["url"])


class TestWhole:
    async def test_is_a_picture(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.ask("GET", await luma_url(caller, aspect_ratio="16:9"))
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "image/png"
            assert answer.headers["Accept-Ranges"] == "bytes"
            assert int(answer.headers["Content-Length"]) == len(answer.content)
            image = Image.open(io.BytesIO(answer.content))
            assert image.format == "PNG"
            assert image.width / image.height == pytest.approx(16 / 9, abs=0.02)

    async def test_stays_the_same(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            url = await luma_url(caller)
            first, second = [await caller.ask("GET", url) for _ in range(2)]
            assert (first.content, first.headers["ETag"]) == (second.content, second.headers["ETag"])

    async def test_head_has_the_headers_without_the_bytes(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            url = await luma_url(caller, f"{DONE} [[download=500]]")
            head = await caller.ask("HEAD", url)
            assert (head.status, head.content) == (200, b"")
            assert int(head.headers["Content-Length"]) > 1000
            public = await leonardo_url(caller)
            assert (await caller.ask("HEAD", public)).headers["Content-Type"] == "image/jpeg"

    async def test_is_recorded(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            await caller.ask("GET", await luma_url(caller))
            recorded = caller.sandbox.requests[-1]
            assert (recorded.provider, recorded.action, recorded.status) == ("storage", "download", 200)
            assert recorded.job_id == caller.sandbox.jobs[0].id


class TestParts:
    @pytest.mark.parametrize(
        ("asked", "start", "stop"), [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-10", -10, None)]
    )
    async def test_range(self, visiting: Visiting, asked: str, start: int, stop: int | None) -> None:
        async with visiting() as caller:
            url = await luma_url(caller)
            whole = (await caller.ask("GET", url)).content
            part = await caller.ask("GET", url, headers={"Range": asked})
            expected = whole[start:stop]
            first = start % len(whole)
            assert (part.status, part.content) == (206, expected)
            assert part.headers["Content-Range"] == f"bytes {first}-{first + len(expected) - 1}/{len(whole)}"

    async def test_range_of_everything_is_a_part_all_the_same(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            assert (await caller.ask("GET", await luma_url(caller), headers={"Range": "bytes=0-"})).status == 206

    @pytest.mark.parametrize("asked", ["bytes=-", "lines=1-2", "bytes=1-2,4-5"])
    async def test_ranges_nobody_understands_give_the_whole(self, visiting: Visiting, asked: str) -> None:
        async with visiting() as caller:
            assert (await caller.ask("GET", await luma_url(caller), headers={"Range": asked})).status == 200

    @pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=20-10", "bytes=-0"])
    async def test_ranges_that_are_not_there(self, visiting: Visiting, asked: str) -> None:
        async with visiting() as caller:
            url = await luma_url(caller)
            size = len((await caller.ask("GET", url)).content)
            answer = await caller.ask("GET", url, headers={"Range": asked})
            assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{size}")

    async def test_if_range(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            url = await luma_url(caller)
            etag = (await caller.ask("HEAD", url)).headers["ETag"]
            same = await caller.ask("GET", url, headers={"Range": "bytes=5-", "If-Range": etag})
            other = await caller.ask("GET", url, headers={"Range": "bytes=5-", "If-Range": '"other"'})
            assert (same.status, other.status) == (206, 200)


class TestRefusals:
    async def test_a_key_has_no_place_here(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            for url in (await luma_url(caller), await leonardo_url(caller)):
                answer = await caller.ask("GET", url, headers={"Authorization": "Bearer x"})
                assert answer.status == 400
                assert answer.headers["Content-Type"].startswith("application/xml")
                assert "<Code>InvalidArgument</Code>" in answer.text

    @pytest.mark.parametrize("change", [("Signature=", "Signature=0"), ("X-Amz-Expires=3600", "X-Amz-Expires=9999")])
    async def test_forged(self, visiting: Visiting, change: tuple[str, str]) -> None:
        async with visiting() as caller:
            answer = await caller.ask("GET", (await luma_url(caller)).replace(*change))
            assert answer.status == 403
            assert "<Code>SignatureDoesNotMatch</Code>" in answer.text

    async def test_unsigned(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            assert (await caller.ask("GET", (await luma_url(caller)).partition("?")[0])).status == 403

    async def test_expired_after_an_hour(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            url = await luma_url(caller)
            await asyncio.sleep(3599)
            assert (await caller.ask("GET", url)).status == 200
            await asyncio.sleep(1)
            answer = await caller.ask("GET", url)
            assert answer.status == 403
            assert "<Message>Request has expired</Message>" in answer.text

    @pytest.mark.parametrize(
        ("options", "prompt", "lifetime"),
        [
            ({"speed": 60}, DONE, 60),
            ({"luma": LumaSettings(url_lifetime=7)}, DONE, 7),
            ({}, f"{DONE} [[url-lifetime=2]]", 2),
            ({"speed": 10}, f"{DONE} [[url-lifetime=2]]", 0.2),
        ],
    )
    async def test_lifetime_may_be_another(
        self, visiting: Visiting, options: Any, prompt: str, lifetime: float
    ) -> None:
        async with visiting(**options) as caller:
            url = await luma_url(caller, prompt)
            await asyncio.sleep(lifetime * 0.9)
            assert (await caller.ask("GET", url)).status == 200
            await asyncio.sleep(lifetime * 0.2)
            assert (await caller.ask("GET", url)).status == 403

    async def test_public_urls_do_not_expire(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            url = await leonardo_url(caller)
            await asyncio.sleep(1e6)
            assert (await caller.ask("GET", url)).status == 200

    async def test_what_is_not_there(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            url = await leonardo_url(caller)
            job_id, user = caller.sandbox.jobs[0].id, caller.sandbox.leonardo.user_id
            changes = [("_0.jpg", "_1.jpg"), (".jpg", ".mp4"), (job_id, user), (user, job_id)]
            for wrong in (url.replace(*change) for change in changes):
                assert (await caller.ask("GET", wrong)).status == 404
            assert (await caller.ask("GET", f"{caller.sandbox.url}/storage/elsewhere")).status == 404

    async def test_what_is_not_there_yet(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            done = await leonardo_url(caller)
            done_id = caller.sandbox.jobs[0].id
            pending_id = await caller.created_v2("a boat [[processing=100]]")
            assert (await caller.ask("GET", done.replace(done_id, pending_id))).status == 404


class TestFaults:
    async def fetch(self, caller: Caller, fault: str) -> tuple[str, Any]:
        url = await luma_url(caller, f"{DONE} [[download={fault}]]")
        return url, await caller.ask("GET", url)

    async def test_cut_once_then_resumed(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            url = await luma_url(caller, f"{DONE} [[download=cut@1000]]")
            content = b""
            async with caller.http.get(url) as response:
                while len(content) < 1000:
                    content += await response.content.readany()
                with pytest.raises(aiohttp.ClientPayloadError):
                    await response.content.readany()
            assert len(content) == 1000
            assert caller.sandbox.requests[-1].status is None
            rest = await caller.ask("GET", url, headers={"Range": "bytes=1000-"})
            assert (content + rest.content) == (await caller.ask("GET", url)).content

    async def test_cut_beyond_the_end_is_none(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            _, answer = await self.fetch(caller, "cut@99999999")
            assert answer.status == 200

    async def test_closed_before_a_word(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            with pytest.raises(aiohttp.ClientConnectionError):
                await self.fetch(caller, "cut-before*2")  # aiohttp repeats a GET once
            assert caller.sandbox.requests[-1].status is None

    @pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (503, "SlowDown"), (500, "InternalError")])
    async def test_status_once(self, visiting: Visiting, status: int, code: str) -> None:
        async with visiting() as caller:
            url, answer = await self.fetch(caller, f"{status}@7")
            assert (answer.status, answer.headers["Retry-After"]) == (status, "7")
            assert f"<Code>{code}</Code>" in answer.text
            assert (await caller.ask("GET", url)).status == 200

    async def test_wrong_type(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            url, answer = await self.fetch(caller, "wrong-type")
            assert answer.headers["Content-Type"].startswith("text/plain")
            assert answer.content == (await caller.ask("GET", url)).content

    async def test_html_instead(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            _, answer = await self.fetch(caller, "html")
            assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")

    async def test_empty(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            _, answer = await self.fetch(caller, "empty")
            assert (answer.status, answer.content) == (200, b"")

    async def test_slow(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            start = caller.sandbox.clock.now()
            _, answer = await self.fetch(caller, "slow@4")
            assert answer.status == 200
            assert caller.sandbox.clock.now() - start == pytest.approx(4, abs=0.1)

    async def test_hangs(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            url = await luma_url(caller, f"{DONE} [[download=hang]]")
            with pytest.raises(TimeoutError):
                await caller.ask("GET", url, timeout=aiohttp.ClientTimeout(total=30))

    async def test_hangs_until_the_sandbox_stops(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            url = await luma_url(caller, f"{DONE} [[download=hang*]]")
            call = asyncio.create_task(caller.ask("GET", url))
            await asyncio.sleep(1)
            await caller.sandbox.stop()
            with pytest.raises(aiohttp.ClientConnectionError):
                await call

    async def test_huge(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            _, answer = await self.fetch(caller, "huge@2")
            assert len(answer.content) > 2_000_000

    async def test_latency_of_the_job(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            url = await luma_url(caller, f"{DONE} [[latency=3]]")
            start = caller.sandbox.clock.now()
            await caller.ask("GET", url)
            assert caller.sandbox.clock.now() - start == pytest.approx(3, abs=0.1)


class TestStorms:
    @pytest.mark.parametrize(
        ("fault", "status"), [("503@3", 503), ("rpm", 503), ("error-200", 200), ("418", 418), ("html", 200)]
    )
    async def test_refuse(self, visiting: Visiting, fault: str, status: int) -> None:
        async with visiting() as caller:
            url = await luma_url(caller)
            caller.sandbox.script.storms.append(Storm(fault, provider="storage"))
            assert (await caller.ask("GET", url)).status == status

    async def test_cannot_spoil_what_is_on_its_way(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            url = await luma_url(caller)
            caller.sandbox.script.storms.append(Storm("half-json", provider="storage"))
            answer = await caller.ask("GET", url)
            assert len(answer.content) == int(answer.headers["Content-Length"])


async def test_without_pillow_the_answer_says_what_to_install(
    visiting: Visiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def paint(picture: object) -> bytes:
        raise ImportError('pip install "aiogen-sdk[sandbox]"')

    monkeypatch.setattr(worker, "paint", paint)
    async with visiting() as caller:
        answer = await caller.ask("GET", await luma_url(caller))
        assert answer.status == 501
        assert 'pip install "aiogen-sdk[sandbox]"' in answer.text


async def test_names_of_public_files_survive_any_prompt(visiting: Visiting) -> None:
    async with visiting() as caller:
        for prompt in ("灯台 at night/..?#%", "!!!", ""):
            url = await leonardo_url(caller, f"{prompt} [[processing=0]]")
            assert quote(url, safe=":/%") == url
            assert (await caller.ask("GET", url)).status == 200
