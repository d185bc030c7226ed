"""Which models there are, how long each takes here, and what requests would cost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs
import pytest
from serving import Vendor, luma, serving

import aiogen
from aiogen import Cost, InputError, LumaImage, ModelInfo, Typical, Unsupported
from aiogen.exchange import Exchange, Submission
from aiogen.sandbox import ComfyUISettings, Sandbox

PRICE = Cost(Decimal("0.04"), "DOLLARS", is_estimate=True)
PNG = b"\x89PNG\r\n\x1a\n"
FALLBACK = Typical(median=30.0, spread=0.45)


@attrs.frozen(kw_only=True)
class Listed(aiogen.Luma):
    """A Luma whose models and prices the test writes itself."""

    def models(self) -> Exchange[tuple[ModelInfo, ...]]:
        yield from ()
        return (ModelInfo(name="uni-1", typical=FALLBACK), ModelInfo(name="new", typical=FALLBACK), ModelInfo(name="?"))

    def encode(self, request: LumaImage) -> Submission:
        submission = super().encode(request)
        price = None if request.model == "new" else PRICE
        return attrs.evolve(submission, typical=self.typical(request.model, FALLBACK), estimate=price)


@attrs.frozen(kw_only=True)
class Asked(aiogen.Luma):
    """One that has to be asked for a price."""

    def quote(self, submission: Submission) -> Exchange[Cost | None]:
        yield self.request("retrieve", "GET", "/price", query={"style": str(submission.body.get("style"))})
        return Cost(Decimal(5), "CREDITS")


async def test_how_long_a_model_takes_is_learned_here() -> None:
    """The provider file's figure before any was seen, then what was seen; without a figure nothing is said."""
    async with serving(Vendor()) as url, aiogen.Session([Listed(api_key="k", base_url=f"{url}/v1")]) as session:
        before = await session.models("luma")
        await session.generate("luma/uni-1", "a boat")
        after = await session.models("luma")
    assert [(info.name, info.seconds, info.seen) for info in before] == [
        ("uni-1", 30.0, 0), ("new", 30.0, 0), ("?", None, 0),
    ]  # fmt: skip
    assert [info.seen for info in after] == [1, 0, 0]
    assert after[0].seconds != 30.0


async def test_what_requests_would_cost() -> None:
    """In any form; nothing is sent, and what nobody knows is counted apart."""
    vendor = Vendor()
    async with serving(vendor) as url, aiogen.Session([Listed(api_key="k", base_url=f"{url}/v1")]) as session:
        costs = await session.estimate(
            [
                ("luma/uni-1", "a boat"),
                ("luma/uni-1", "a boat", {"aspect_ratio": "16:9"}),
                {"model": "luma/uni-1", "prompt": "a boat", "style": "manga", "aspect_ratio": "2:3"},
                LumaImage(prompt="a boat"),
                {"model": "luma/new", "prompt": "a boat"},
            ]
        )
        assert (costs.amounts, costs.count, costs.estimated, costs.unknown) == ({"DOLLARS": Decimal("0.16")}, 5, 4, 1)
        for one in (("luma/uni-1", "a boat"), {"model": "luma/uni-1", "prompt": "a boat"}, LumaImage(prompt="a boat")):
            assert str(await session.estimate(one)) == "about 0.04 dollars"
    assert vendor.seen == []


async def test_the_vendor_is_asked_once_for_what_costs_the_same() -> None:
    """Prompts do not matter to a price, and everything else may."""
    vendor = Vendor(reads=[(200, {})])
    async with serving(vendor) as url, aiogen.Session([Asked(api_key="k", base_url=f"{url}/v1")]) as session:
        rows: list[Mapping[str, Any]] = [{"model": "luma/uni-1", "prompt": f"boat {i}"} for i in range(5)]
        assert str(await session.estimate([*rows, {**rows[0], "style": "auto"}])) == "30 credits"
    assert len(vendor.seen) == 2


@pytest.mark.parametrize("request_", ["luma/uni-1", {"prompt": "a boat"}, (), ("a", "b", 3), 7])
async def test_what_is_no_request(request_: Any) -> None:
    """Said in words before anything is sent."""
    async with aiogen.Session([luma("http://127.0.0.1:9")]) as session:
        with pytest.raises(InputError, match="A request"):
            await session.estimate([request_])


async def test_a_provider_without_a_list() -> None:
    """It says so."""
    from providers.kiln import Kiln

    async with aiogen.Session([Kiln(api_key="k")]) as session:
        with pytest.raises(Unsupported, match="no list of models"):
            await session.models("kiln")


async def test_the_models_of_a_table_and_of_a_server() -> None:
    """Luma has no call for them, and a ComfyUI lists its checkpoints; both say how long a job usually takes there."""
    async with Sandbox(comfyui=ComfyUISettings(checkpoints=["a.safetensors"])) as box:
        providers = [
            aiogen.Luma(api_key="luma-api-sandbox-0000", base_url=box.luma_url, typical_seconds={"uni-1": 7.0}),
            aiogen.ComfyUI(base_url=box.comfyui_url),
        ]
        async with aiogen.Session(providers) as session:
            known = {info.name: info for info in await session.models("luma")}
            there = await session.models("comfyui")
            costs = await session.estimate([("luma/uni-1", "a boat"), ("luma/uni-1", "a boat", {"references": [PNG]})])
            nothing = await session.estimate(("comfyui/a.safetensors", "a boat"))
    assert {name: info.seconds for name, info in known.items()} == {"uni-1": 7.0, "uni-1-max": 60.0, "ray-3.2": 90.0}
    assert [info.name for info in there] == ["a.safetensors", "empty"]
    assert all(info.seconds is not None for info in there)
    assert (str(costs), nothing.unknown) == ("about 0.0838 dollars", 1)
