"""A ComfyUI server's native API, as a client meets it."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import aiohttp
import pytest

from aiogen.sandbox import ComfyUISettings, Fate, Rule, Script, Storm

from ...conftest import Answer, Caller, Visiting, model_graph, plain_graph

OLD = ComfyUISettings(has_jobs_api=False)
SLOW = Script(rules=[Rule(provider="comfyui", fate=Fate(processing=10))])


async def send(caller: Caller, graph: Any, **more: Any) -> Answer:
    return await caller.comfyui("POST", "/prompt", json={"prompt": graph, **more})


async def sent(caller: Caller, graph: Any, **more: Any) -> str:
    """The id of a prompt that was accepted."""
    answer = await send(caller, graph, **more)
    assert answer.status == 200, answer.text
    return str(answer.json["prompt_id"])


async def history(caller: Caller, job_id: str) -> Any:
    """{} unless it has ended."""
    return (await caller.comfyui("GET", f"/history/{job_id}")).json.get(job_id, {})


async def ended(caller: Caller, job_id: str) -> Any:
    while not (entry := await history(caller, job_id)):
        await asyncio.sleep(0.5)
    return entry


async def queue(caller: Caller) -> tuple[list[str], list[str]]:
    """Running and pending."""
    answer = (await caller.comfyui("GET", "/queue")).json
    return [one[1] for one in answer["queue_running"]], [one[1] for one in answer["queue_pending"]]


def new_id() -> str:
    return str(uuid.uuid4())


class TestLife:
    async def test_a_graph_without_a_model(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            mine = new_id()
            answer = await send(caller, plain_graph(batch=2, size=(300, 200)), prompt_id=mine, client_id="me")
            assert answer.json == {"prompt_id": mine, "number": 0, "node_errors": {}}
            assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
            entry = await ended(caller, mine)
            assert entry["outputs"] == {
                "3": {
                    "images": [
                        {"filename": "ComfyUI_00001_.png", "subfolder": "", "type": "output"},
                        {"filename": "ComfyUI_00002_.png", "subfolder": "", "type": "output"},
                    ]
                }
            }
            assert (entry["status"]["status_str"], entry["status"]["completed"]) == ("success", True)
            events = ["execution_start", "execution_cached", "execution_success"]
            assert [name for name, _ in entry["status"]["messages"]] == events
            number, job_id, graph, extra_data, outputs = entry["prompt"]
            assert (number, job_id, graph, outputs) == (0, mine, plain_graph(batch=2, size=(300, 200)), ["3"])
            assert extra_data["client_id"] == "me"
            [job] = caller.sandbox.jobs
            assert (job.outputs, job.size, job.model) == (2, (300, 200), "")

    async def test_a_graph_with_a_model_as_scripts_see_it(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await sent(caller, model_graph("a paper boat [[processing=7]]", seed=271828))
            [job] = caller.sandbox.jobs
            assert (job.prompt, job.model, job.seed) == ("a paper boat", "sd_xl_base_1.0.safetensors", 271828)
            assert (job.outputs, job.size) == (2, (832, 1216))
            assert job.ends_at - job.started_at == pytest.approx(7)
            first, second = (await ended(caller, job_id))["outputs"]["9"]["images"]
            assert first == {"filename": "new_00001_.png", "subfolder": "boats", "type": "output"}
            assert second["filename"] == "new_00002_.png"

    async def test_one_after_the_other(self, visiting: Visiting) -> None:
        async with visiting(script=SLOW) as caller:
            first, second, third = [await sent(caller, plain_graph(color=i)) for i in range(3)]
            assert await queue(caller) == ([first], [second, third])
            assert (await caller.comfyui("GET", "/prompt")).json == {"exec_info": {"queue_remaining": 3}}
            assert await history(caller, first) == {}
            await asyncio.sleep(11)
            assert await queue(caller) == ([second], [third])
            assert (await history(caller, first))["status"]["status_str"] == "success"
            await asyncio.sleep(20)
            assert await queue(caller) == ([], [])
            assert list((await caller.comfyui("GET", "/history")).json) == [first, second, third]

    async def test_every_route_also_under_api(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.comfyui("POST", "/api/prompt", json={"prompt": plain_graph()})
            await asyncio.sleep(1)
            assert list((await caller.comfyui("GET", "/api/history")).json) == [answer.json["prompt_id"]]
            assert (await caller.comfyui("HEAD", "/api/queue")).status == 200

    async def test_200_jobs_take_no_longer_than_the_real_server(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            last = [await sent(caller, plain_graph(color=i)) for i in range(200)][-1]
            start = caller.sandbox.clock.now()
            await ended(caller, last)
            assert caller.sandbox.clock.now() - start < 1.5

    async def test_what_is_recorded(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await sent(caller, plain_graph())
            await history(caller, job_id)
            await caller.comfyui("GET", "/history")
            await caller.comfyui("POST", "/interrupt", json={"prompt_id": job_id})
            seen = [(one.provider, one.action, one.job_id) for one in caller.sandbox.requests]
            assert seen[:3] == [
                ("comfyui", "create", job_id), ("comfyui", "poll", job_id), ("comfyui", "list", None),
            ]  # fmt: skip
            assert seen[3][1] == "delete"


class TestIds:
    async def test_of_the_servers_own(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            assert uuid.UUID(await sent(caller, plain_graph())).version == 4
            assert uuid.UUID(await sent(caller, plain_graph(color=1), prompt_id=None)).version == 4

    @pytest.mark.parametrize("wrong", ["7", 7, "{%s}", "upper"])
    async def test_have_to_be_canonical(self, visiting: Visiting, wrong: Any) -> None:
        async with visiting() as caller:
            given = new_id().upper() if wrong == "upper" else wrong
            answer = await send(caller, plain_graph(), prompt_id=given)
            assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_prompt_id")
            assert answer.json["node_errors"] == {}

    async def test_older_servers_take_any_text_and_null_for_one(self, visiting: Visiting) -> None:
        async with visiting(comfyui=OLD) as caller:
            given = [await sent(caller, plain_graph(color=i), prompt_id=one) for i, one in enumerate(("x", 7, None))]
            assert given == ["x", "7", "None"]

    async def test_sent_twice_it_runs_twice_and_the_history_keeps_the_last(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            mine = new_id()
            await sent(caller, plain_graph(color=1), prompt_id=mine)
            other = await sent(caller, plain_graph(color=2))
            await sent(caller, plain_graph(color=3), prompt_id=mine)
            await asyncio.sleep(1)
            entries = (await caller.comfyui("GET", "/history")).json
            assert list(entries) == [mine, other]  # in the place of the first
            assert entries[mine]["prompt"][2]["1"]["inputs"]["color"] == 3
            assert len(caller.sandbox.jobs) == 3


class TestCache:
    async def files(self, caller: Caller, *graphs: Any) -> list[str]:
        names = []
        for graph in graphs:
            entry = await ended(caller, await sent(caller, graph))
            names += [one["filename"] for node in entry["outputs"].values() for one in node["images"]]
        return names

    async def test_an_equal_graph_has_the_earlier_file(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            assert await self.files(caller, plain_graph(), plain_graph()) == ["ComfyUI_00001_.png"] * 2
            (_, cached, _) = (await history(caller, caller.sandbox.jobs[1].id))["status"]["messages"]
            assert cached[1]["nodes"] == ["1", "3"]

    async def test_also_if_only_the_ids_of_its_nodes_differ(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            graph = plain_graph()
            graph["77"] = graph.pop("3")
            assert await self.files(caller, plain_graph(), graph) == ["ComfyUI_00001_.png"] * 2

    @pytest.mark.parametrize(("cache", "again"), [("last", 3), ("all", 1), ("none", 3)])
    async def test_what_came_between_is_remembered_or_not(self, visiting: Visiting, cache: Any, again: int) -> None:
        async with visiting(comfyui=ComfyUISettings(cache=cache)) as caller:
            names = await self.files(caller, plain_graph(color=1), plain_graph(color=2), plain_graph(color=1))
            assert names == [f"ComfyUI_0000{number}_.png" for number in (1, 2, again)]

    async def test_is_foreseen_for_those_that_wait(self, visiting: Visiting) -> None:
        async with visiting(script=SLOW) as caller:
            ids = [await sent(caller, plain_graph(color=color)) for color in (1, 2, 1, 1)]
            await asyncio.sleep(25)
            assert await queue(caller) == ([ids[2]], [ids[3]])  # the third is not the one before it, the fourth is
            await asyncio.sleep(5.1)
            assert await queue(caller) == ([], [])

    async def test_takes_no_time(self, visiting: Visiting) -> None:
        async with visiting(script=Script(rules=[Rule(fate=Fate(processing=10))])) as caller:
            await self.files(caller, plain_graph())
            job_id = await sent(caller, plain_graph())
            await asyncio.sleep(1)
            assert await history(caller, job_id)


class TestEnds:
    async def messages(self, caller: Caller, graph: Any) -> Any:
        entry = await ended(caller, await sent(caller, graph))
        assert (entry["status"]["status_str"], entry["status"]["completed"]) == ("error", False)
        assert entry["outputs"] == {}
        return entry["status"]["messages"][-1]

    async def test_out_of_memory(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            event, said = await self.messages(caller, model_graph("a boat [[fail=out_of_memory processing=1]]"))
            assert event == "execution_error"
            assert (said["node_id"], said["node_type"], said["executed"]) == ("3", "KSampler", ["4", "6", "7", "5"])
            assert said["exception_type"] == "torch.OutOfMemoryError"
            assert "out of memory" in said["exception_message"]
            assert said["traceback"]
            assert said["current_inputs"]

    async def test_any_other_exception(self, visiting: Visiting) -> None:
        rule = Rule(fate=Fate(failure_code="ValueError", failure_reason="wrong shape"))
        async with visiting(script=Script(rules=[rule])) as caller:
            event, said = await self.messages(caller, plain_graph())
            assert (event, said["exception_type"]) == ("execution_error", "ValueError")
            assert (said["exception_message"], said["node_id"]) == ("wrong shape", "3")

    async def test_interrupted_by_somebody_else(self, visiting: Visiting) -> None:
        rule = Rule(fate=Fate(failure_code="execution_interrupted"))
        async with visiting(script=Script(rules=[rule])) as caller:
            event, said = await self.messages(caller, plain_graph())
            assert event == "execution_interrupted"
            assert "traceback" not in said

    @pytest.mark.parametrize(
        ("change", "kind"),
        [
            ({"images": "x"}, "AttributeError"),  # a value where a link belongs is noticed only when the node runs
            ({"filename_prefix": "../../x"}, "Exception"),
        ],
    )
    async def test_what_is_noticed_only_when_it_runs(self, visiting: Visiting, change: Any, kind: str) -> None:
        async with visiting() as caller:
            graph = plain_graph()
            graph["3"]["inputs"] |= change
            _, said = await self.messages(caller, graph)
            assert (said["node_id"], said["exception_type"]) == ("3", kind)

    async def test_no_output_or_none_at_first(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await sent(caller, plain_graph(prefix="x [[missing=empty*1]]"))
            assert [(await ended(caller, job_id))["outputs"] == {} for _ in range(2)] == [True, False]
            job_id = await sent(caller, plain_graph(prefix="y [[missing=absent]]"))
            assert "outputs" not in await ended(caller, job_id)

    async def test_nothing_known_at_first(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await sent(caller, plain_graph(prefix="x [[not-found=2]]"))
            await asyncio.sleep(1)
            assert [bool(await history(caller, job_id)) for _ in range(3)] == [False, False, True]

    async def test_previews_are_temporary_files(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            graph = plain_graph()
            graph["5"] = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
            entry = await ended(caller, await sent(caller, graph))
            assert [entry["outputs"][node]["images"][0]["type"] for node in ("3", "5")] == ["output", "temp"]


class TestStopping:
    async def test_one_that_waits_leaves_no_trace(self, visiting: Visiting) -> None:
        async with visiting(script=SLOW) as caller:
            first, second, third = [await sent(caller, plain_graph(color=i)) for i in range(3)]
            await asyncio.sleep(5)
            answer = await caller.comfyui("POST", "/queue", json={"delete": [second, "unknown"]})
            assert (answer.status, answer.content) == (200, b"")
            assert "Content-Type" not in answer.headers
            assert await queue(caller) == ([first], [third])
            await asyncio.sleep(5.1)
            assert await queue(caller) == ([third], [])  # nothing took longer
            await asyncio.sleep(10)
            assert await history(caller, second) == {}
            assert await history(caller, third)
            assert [job.deleted_at is not None for job in caller.sandbox.jobs] == [False, True, False]

    async def test_those_behind_it_do_not_start_in_the_past(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            first = await sent(caller, plain_graph(prefix="x [[queued=100]]"))
            second = await sent(caller, plain_graph(prefix="y [[processing=10]]"))
            await asyncio.sleep(50)
            assert await queue(caller) == ([], [first, second])  # the worker waits for the first
            await caller.comfyui("POST", "/queue", json={"delete": [first]})
            assert await queue(caller) == ([second], [])
            await asyncio.sleep(10.1)
            assert await history(caller, second)

    async def test_the_one_that_runs(self, visiting: Visiting) -> None:
        async with visiting(script=SLOW) as caller:
            first, second = [await sent(caller, plain_graph(color=i)) for i in range(2)]
            await caller.comfyui("POST", "/interrupt", json={"prompt_id": second})  # it waits: nothing happens
            assert await queue(caller) == ([first], [second])
            await caller.comfyui("POST", "/interrupt", json={"prompt_id": first})
            assert await queue(caller) == ([second], [])
            entry = await history(caller, first)
            assert entry["status"]["messages"][-1][0] == "execution_interrupted"
            assert entry["outputs"] == {}
            await asyncio.sleep(10.1)
            assert (await history(caller, second))["status"]["status_str"] == "success"

    async def test_whichever_runs(self, visiting: Visiting) -> None:
        async with visiting(script=SLOW) as caller:
            first = await sent(caller, plain_graph())
            assert (await caller.comfyui("POST", "/interrupt")).status == 200
            assert (await history(caller, first))["status"]["status_str"] == "error"
            assert (await caller.comfyui("POST", "/interrupt")).status == 200  # nothing runs

    async def test_all_that_wait(self, visiting: Visiting) -> None:
        async with visiting(script=SLOW) as caller:
            first, *_ = [await sent(caller, plain_graph(color=i)) for i in range(3)]
            await caller.comfyui("POST", "/queue", json={"clear": True})
            assert await queue(caller) == ([first], [])

    async def test_history_is_forgotten_and_files_stay(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            job_id = await sent(caller, plain_graph())
            other = await sent(caller, plain_graph(color=1))
            file = (await ended(caller, job_id))["outputs"]["3"]["images"][0]
            assert (await caller.comfyui("POST", "/history", json={"delete": [job_id]})).content == b""
            assert await history(caller, job_id) == {}
            assert await ended(caller, other)
            assert (await caller.comfyui("GET", "/view", params=file)).status == 200
            await caller.comfyui("POST", "/history", json={"clear": True})
            assert (await caller.comfyui("GET", "/history")).json == {}

    @pytest.mark.parametrize("cleared", [False, True])
    async def test_a_restart_loses_queue_and_history(self, visiting: Visiting, cleared: bool) -> None:
        async with visiting(script=SLOW, comfyui=ComfyUISettings(cache="all")) as caller:
            done, running, waiting = [await sent(caller, plain_graph(color=i)) for i in range(3)]
            await asyncio.sleep(11)
            file = (await history(caller, done))["outputs"]["3"]["images"][0]
            caller.sandbox.restart("comfyui")
            assert await queue(caller) == ([], [])
            assert [await history(caller, one) for one in (done, running, waiting)] == [{}, {}, {}]
            assert (await caller.comfyui("GET", "/view", params=file)).status == 200
            if cleared:
                await caller.comfyui("POST", "/queue", json={"clear": True})
            answer = await send(caller, plain_graph(color=0))
            assert answer.json["number"] == 0
            await asyncio.sleep(9)
            assert await queue(caller) == ([answer.json["prompt_id"]], [])  # also what had run before runs again
            await asyncio.sleep(2)
            assert await history(caller, answer.json["prompt_id"])
            assert [job.state(caller.sandbox.clock.now()) for job in caller.sandbox.jobs[1:3]] == ["failed"] * 2


class TestOrder:
    async def test_in_front_of_the_others(self, visiting: Visiting) -> None:
        async with visiting(script=SLOW) as caller:
            first, second = [await sent(caller, plain_graph(color=i)) for i in range(2)]
            answer = await send(caller, plain_graph(color=2), front=True)
            assert answer.json["number"] == -2
            assert await queue(caller) == ([first], [answer.json["prompt_id"], second])

    async def test_what_waits_is_listed_as_a_heap(self, visiting: Visiting) -> None:
        """As recorded: whoever wants the order has to sort by the numbers."""
        async with visiting(script=SLOW) as caller:
            for i in range(5):
                await sent(caller, plain_graph(color=i))
            await send(caller, plain_graph(color=9), front=True)
            pending = (await caller.comfyui("GET", "/queue")).json["queue_pending"]
            assert [one[0] for one in pending] == [-5, 1, 3, 4, 2]

    async def test_a_place_of_ones_own(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            assert (await send(caller, plain_graph(), number=5)).json["number"] == 5.0
            assert (await send(caller, plain_graph(), number="first")).status == 500

    async def test_refused_prompts_take_a_number_too(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            await send(caller, {})
            assert (await send(caller, plain_graph())).json["number"] == 1


class TestHistory:
    async def test_pages(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            ids = [await sent(caller, plain_graph(color=i)) for i in range(4)]
            await asyncio.sleep(1)
            for query, expected in (
                ("", ids), ("max_items=2", ids[2:]), ("max_items=2&offset=1", ids[1:3]), ("offset=3", ids[3:]),
                ("max_items=0", []), ("max_items=9", ids),
            ):  # fmt: skip
                assert list((await caller.comfyui("GET", f"/history?{query}")).json) == expected, query
            assert (await caller.comfyui("GET", "/history?max_items=x")).status == 500

    async def test_is_bounded(self, visiting: Visiting) -> None:
        async with visiting(comfyui=ComfyUISettings(max_history=2)) as caller:
            ids = [await sent(caller, plain_graph(color=i)) for i in range(4)]
            await asyncio.sleep(1)
            assert list((await caller.comfyui("GET", "/history")).json) == ids[2:]


class TestRefusals:
    @pytest.mark.parametrize("data", [b"{", b"null", b'"x"', b""])
    async def test_what_is_no_object_is_a_500_in_plain_words(self, visiting: Visiting, data: bytes) -> None:
        async with visiting() as caller:
            answer = await caller.comfyui("POST", "/prompt", data=data)
            assert answer.status == 500
            assert answer.text == "500 Internal Server Error\n\nServer got itself in trouble"

    @pytest.mark.parametrize("path", ["/queue", "/history"])
    async def test_so_it_is_elsewhere(self, visiting: Visiting, path: str) -> None:
        async with visiting() as caller:
            assert (await caller.comfyui("POST", path, data=b"x")).status == 500

    async def test_no_prompt(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            for body in ({}, []):
                answer = await caller.comfyui("POST", "/prompt", json=body)
                assert (answer.status, answer.json["error"]["type"]) == (400, "no_prompt")

    async def test_a_missing_checkpoint_names_the_file(self, visiting: Visiting) -> None:
        async with visiting(comfyui=ComfyUISettings(checkpoints=["a.safetensors"])) as caller:
            answer = await send(caller, model_graph(model="b.safetensors"))
            assert (answer.status, answer.json["error"]["type"]) == (400, "prompt_outputs_failed_validation")
            [error] = answer.json["node_errors"]["4"]["errors"]
            assert error["type"] == "value_not_in_list"
            assert error["details"] == "ckpt_name: 'b.safetensors' not in ['a.safetensors']"
            assert caller.sandbox.jobs == []

    async def test_pages_of_others(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            for origin, status in (("http://evil.example", 403), (caller.sandbox.url, 200)):
                answer = await caller.comfyui("GET", "/queue", headers={"Origin": origin})
                assert answer.status == status
            assert (await caller.comfyui("GET", "/queue", headers={"Origin": "http://127.0.0.1:1"})).content == b""

    async def test_paths_that_are_not_there(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await caller.comfyui("GET", "/nothing")
            assert (answer.status, answer.content) == (404, b"")
            assert answer.headers["Content-Type"] == "application/octet-stream"
            answer = await caller.comfyui("DELETE", "/history/x")
            assert (answer.status, answer.text) == (405, "405: Method Not Allowed")
            assert (await caller.comfyui("OPTIONS", "/nothing")).status == 200

    async def test_a_wrong_directive_is_explained(self, visiting: Visiting) -> None:
        async with visiting() as caller:
            answer = await send(caller, model_graph("a boat [[colour=red]]"))
            assert answer.status == 400
            assert "unknown directive 'colour'" in answer.json["error"]["message"]


class TestFaults:
    async def test_a_create_whose_answer_is_cut_is_found_by_its_id(self, visiting: Visiting) -> None:
        async with visiting(script=Script(rules=[Rule(times=1, fate=Fate(create_fault="cut-after"))])) as caller:
            mine = new_id()
            with pytest.raises(aiohttp.ClientConnectionError):
                await send(caller, plain_graph(), prompt_id=mine)
            assert await ended(caller, mine)

    async def test_of_polls_and_of_stopping(self, visiting: Visiting) -> None:
        fate = Fate(processing=10, poll_faults="500,half-json", delete_faults="503")
        async with visiting(script=Script(rules=[Rule(fate=fate)])) as caller:
            job_id = await sent(caller, plain_graph())
            statuses = [(await caller.comfyui("GET", f"/history/{job_id}")).status for _ in range(3)]
            assert statuses == [500, 200, 200]
            body = {"prompt_id": job_id}
            assert [(await caller.comfyui("POST", "/interrupt", json=body)).status for _ in range(2)] == [503, 200]
            assert (await history(caller, job_id))["status"]["status_str"] == "error"

    async def test_of_a_proxy(self, visiting: Visiting) -> None:
        storms = [Storm("429@7", provider="comfyui", times=1), Storm("html", provider="comfyui", actions="list")]
        async with visiting(script=Script(storms=storms)) as caller:
            answer = await send(caller, plain_graph())
            assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
            assert "<html>" in (await caller.comfyui("GET", "/queue")).text

    async def test_a_word_for_a_state_that_nobody_knows(self, visiting: Visiting) -> None:
        async with visiting(comfyui=ComfyUISettings(latency=2)) as caller:
            job_id = await sent(caller, plain_graph(prefix="x [[state=dreaming processing=30]]"))
            answer = (await caller.comfyui("GET", f"/api/jobs/{job_id}")).json
            assert answer["status"] == "dreaming"


class TestWhatIsInstalled:
    async def test_checkpoints(self, visiting: Visiting) -> None:
        async with visiting(comfyui=ComfyUISettings(checkpoints=["a.safetensors"])) as caller:
            assert (await caller.comfyui("GET", "/models/checkpoints")).json == ["a.safetensors"]
            assert (await caller.comfyui("GET", "/models/loras")).json == []
            assert "checkpoints" in (await caller.comfyui("GET", "/models")).json
            missing = await caller.comfyui("GET", "/models/nothing")
            assert (missing.status, missing.content) == (404, b"")

    async def test_nodes(self, visiting: Visiting) -> None:
        async with visiting(comfyui=ComfyUISettings(checkpoints=["a.safetensors"])) as caller:
            sampler = (await caller.comfyui("GET", "/object_info/KSampler")).json["KSampler"]
            assert sampler["input"]["required"]["steps"] == ["INT", {"default": 20, "min": 1, "max": 10000}]
            assert "euler" in sampler["input"]["required"]["sampler_name"][0]
            assert sampler["output"] == ["LATENT"]
            loader = (await caller.comfyui("GET", "/object_info/CheckpointLoaderSimple")).json["CheckpointLoaderSimple"]
            assert loader["input"]["required"]["ckpt_name"][0] == ["a.safetensors"]
            assert (await caller.comfyui("GET", "/object_info/Nothing")).json == {}
            assert {"SaveImage", "EmptyImage"} <= set((await caller.comfyui("GET", "/object_info")).json)

    @pytest.mark.parametrize(("is_new", "version"), [(True, "0.36.0"), (False, "0.3.64")])
    async def test_version(self, visiting: Visiting, is_new: bool, version: str) -> None:
        async with visiting(comfyui=ComfyUISettings(has_jobs_api=is_new)) as caller:
            stats = (await caller.comfyui("GET", "/system_stats")).json
            assert stats["system"]["comfyui_version"] == version
            assert stats["devices"]
