"""Fates, rules and storms, from Python and from JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aiogen.sandbox import Fate, Fault, Rule, Script, ScriptError, Storm


class TestFate:
    def test_sets_nothing_by_default(self) -> None:
        assert Fate().over(Fate()) == Fate()

    def test_one_over_the_other(self) -> None:
        upper = Fate(processing=3, poll_faults="500")
        lower = Fate(processing=9, outputs=2)
        assert upper.over(lower) == Fate(processing=3, outputs=2, poll_faults="500")

    def test_faults_are_read_as_they_are_written(self) -> None:
        fate = Fate(create_fault="429@7", poll_faults="500,html*2", download_faults=["cut@10", 403], delete_faults=500)
        assert fate.create_fault == Fault("429", retry_after=7)
        assert fate.poll_faults == (Fault("500"), Fault("html", times=2))
        assert fate.download_faults == (Fault("cut", amount=10), Fault("403"))
        assert fate.delete_faults == (Fault("500"),)

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"queued": -1}, "queued: expected seconds, 0 or more, not -1"),
            ({"processing": "3"}, "processing: expected seconds"),
            ({"url_lifetime": 0}, "url_lifetime: expected seconds, more than 0"),
            ({"outputs": 1.5}, "outputs: expected a whole number"),
            ({"outputs": True}, "outputs: expected a whole number"),
            ({"missing_output": "gone"}, 'missing_output: expected "empty" or "absent"'),
            ({"nsfw": "some"}, 'nsfw: expected a whole number or "all"'),
            ({"failure_code": 7}, "failure_code: expected a text"),
            ({"moderation": [7]}, "moderation: expected texts"),
            ({"null_enums": "yes"}, "null_enums: expected true or false"),
            ({"create_fault": "cut"}, "create_fault: expected a fault that is not of downloads"),
            ({"poll_faults": "wrong-type"}, "poll_faults: expected no fault of downloads only"),
            ({"download_faults": "rpm"}, "download_faults: expected faults of downloads: statuses, cut-before"),
        ],
    )
    def test_wrong_values_are_named(self, fields: dict[str, Any], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            Fate(**fields)


class TestRule:
    def test_without_conditions_fits_everything(self) -> None:
        assert Rule(fate=Fate(outputs=2)).fits("luma", "uni-1", "a boat")

    @pytest.mark.parametrize(
        ("rule", "fits"),
        [
            (Rule(provider="luma"), True),
            (Rule(provider="leonardo"), False),
            (Rule(model="uni-1"), True),
            (Rule(model="uni-1-max"), False),
            (Rule(prompt="boat"), True),
            (Rule(prompt="train"), False),
        ],
    )
    def test_every_condition_counts(self, rule: Rule, fits: bool) -> None:
        assert rule.fits("luma", "uni-1", "a boat") is fits

    def test_one_number_is_a_list_of_one(self) -> None:
        assert Rule(nth=3).nth == (3,)


class TestStorm:
    def test_has_a_beginning_and_an_end(self) -> None:
        storm = Storm("503", after=10, until=20)
        assert [storm.fits(at, "luma", "GET", "poll") for at in (9.9, 10, 19.9, 20)] == [False, True, True, False]

    @pytest.mark.parametrize(
        ("storm", "fits"),
        [
            (Storm("503"), True),
            (Storm("503", provider="storage"), False),
            (Storm("503", methods="GET"), True),
            (Storm("503", methods=["POST", "PUT"]), False),
            (Storm("503", actions=["poll", "list"]), True),
            (Storm("503", actions="create"), False),
        ],
    )
    def test_fits_what_it_names(self, storm: Storm, fits: bool) -> None:
        assert storm.fits(0, "luma", "GET", "poll") is fits

    def test_needs_a_fault(self) -> None:
        with pytest.raises(ValueError, match="a storm needs one"):
            Storm(None)  # type: ignore[arg-type]


class TestJson:
    def test_everything_at_once(self) -> None:
        script = Script.read(
            {
                "rules": [
                    {
                        "provider": "luma",
                        "model": "uni-1",
                        "prompt": "boat",
                        "nth": [0, 3],
                        "probability": 0.5,
                        "times": 2,
                        "fate": {"processing": 3, "failure_code": "content_moderated", "poll_faults": "500,html*2"},
                    }
                ],
                "storms": [{"fault": "429@7", "after": 10, "until": 20, "provider": "leonardo", "actions": ["list"]}],
            }
        )
        [rule], [storm] = script.rules, script.storms
        assert (rule.nth, rule.probability, rule.times) == ((0, 3), 0.5, 2)
        assert rule.fate == Fate(processing=3, failure_code="content_moderated", poll_faults="500,html*2")
        assert storm.fault == Fault("429", retry_after=7)
        assert (storm.after, storm.until, storm.provider, storm.actions) == (10, 20, "leonardo", ("list",))

    def test_nothing_is_a_script_too(self) -> None:
        assert Script.read({}) == Script()

    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            ([], "script: expected an object"),
            ({"rule": []}, "script: unknown key 'rule'; the known keys are rules, storms"),
            ({"rules": {}}, "rules: expected a list"),
            ({"rules": [7]}, r"rules\[0\]: expected an object, not 7"),
            (
                {"rules": [{}, {"modell": "x"}]},
                r"rules\[1\]: unknown key 'modell'; the known keys are fate, provider, model",
            ),
            (
                {"rules": [{"fate": {"fail": "x"}}]},
                r"rules\[0\].fate: unknown key 'fail'; the known keys are queued, processing",
            ),
            ({"rules": [{"fate": {"queued": -1}}]}, r"rules\[0\].fate: queued: expected seconds"),
            ({"rules": [{"fate": 3}]}, r"rules\[0\].fate: expected an object"),
            ({"rules": [{"provider": "bfl"}]}, r"rules\[0\]: provider: expected one of .*leonardo, luma, not 'bfl'"),
            ({"rules": [{"probability": 2}]}, r"rules\[0\]: probability: expected a number from 0 to 1"),
            ({"rules": [{"nth": [-1]}]}, r"rules\[0\]: nth: expected positions"),
            ({"rules": [{"nth": 1.5}]}, r"rules\[0\]: "),
            ({"storms": [{"fault": "boom"}]}, r"storms\[0\]: there is no fault 'boom'"),
            ({"storms": [{"fault": "cut"}]}, r"storms\[0\]: fault: expected a fault that is not of downloads"),
            ({"storms": [{"fault": "500", "actions": ["dance"]}]}, r"storms\[0\]: actions: expected some of create"),
            (
                {"storms": [{"fault": "500", "provider": "bfl"}]},
                r"storms\[0\]: provider: expected one of .*luma, storage",
            ),
            ({"storms": [{"fault": "500", "after": "now"}]}, r"storms\[0\]: after: expected seconds since"),
            ({"storms": [{}]}, r"storms\[0\]: .*fault"),
        ],
    )
    def test_mistakes_are_named_with_their_place(self, raw: object, said: str) -> None:
        with pytest.raises(ScriptError, match=said):
            Script.read(raw)

    def test_from_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "script.json"
        path.write_text(json.dumps({"rules": [{"fate": {"outputs": 2}}]}))
        assert Script.load(path).rules[0].fate == Fate(outputs=2)

    @pytest.mark.parametrize("text", ["{", '{"rools": []}'])
    def test_a_broken_file_is_named(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "script.json"
        path.write_text(text)
        with pytest.raises(ScriptError, match=r"script\.json: "):
            Script.load(path)

    def test_one_script_may_extend_another(self) -> None:
        script = Script([Rule(model="a")], [Storm("500")])
        script.extend(Script([Rule(model="b")], [Storm("502")]))
        assert [rule.model for rule in script.rules] == ["a", "b"]
        assert [storm.fault.word for storm in script.storms] == ["500", "502"]
