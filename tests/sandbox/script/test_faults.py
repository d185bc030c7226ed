"""How faults are written and read."""

from __future__ import annotations

import pytest

from aiogen.sandbox.script.faults import Fault, fault_at, read_fault, read_faults


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500", Fault("500")),
        ("429@7", Fault("429", retry_after=7)),
        ("429@0.5", Fault("429", retry_after=0.5)),
        ("503@date", Fault("503", retry_after="date")),
        ("503@date+30", Fault("503", retry_after="date", amount=30)),
        ("504-after", Fault("504-after")),
        ("rpm@12", Fault("rpm", retry_after=12)),
        ("slow@3", Fault("slow", amount=3)),
        ("huge@10", Fault("huge", amount=10)),
        ("error-200@402", Fault("error-200", amount=402)),
        ("html*3", Fault("html", times=3)),
        ("500*", Fault("500", times="ever")),
        (" slow@2*2 ", Fault("slow", amount=2, times=2)),
        ("cut@10", Fault("cut", amount=10)),
    ],
)
def test_written_and_read(text: str, expected: Fault) -> None:
    assert Fault.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("explode", "no fault 'explode'.*half-json"),
        ("999", "no fault '999'"),
        ("500@soon", "'soon' in the fault '500@soon' is not a number"),
        ("slow@date", "not a number"),
        ("500 502", "expected something like 500, 429@7"),
    ],
)
def test_nonsense_is_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Fault.parse(text)


def test_huge_is_200_megabytes_unless_said() -> None:
    assert Fault("huge").amount == 200


def test_status_is_a_number_only_where_there_is_one() -> None:
    assert Fault("503").status == 503
    assert Fault("504-after").status == 504
    assert Fault("html").status is None


@pytest.mark.parametrize("word", ["cut-after", "hang", "slow", "half-json", "empty", "list", "null", "504-after"])
def test_carried_out_all_the_same(word: str) -> None:
    assert Fault(word).carried_out


@pytest.mark.parametrize("word", ["500", "cut-before", "html", "error-200", "huge", "rpm", "concurrency", "abuse"])
def test_nothing_done(word: str) -> None:
    assert not Fault(word).carried_out


def test_one_may_write_them_in_many_ways() -> None:
    both = (Fault("500"), Fault("html", times=2))
    assert read_faults("500,html*2,") == both
    assert read_faults(["500", Fault("html", times=2)]) == both
    assert read_faults([500, "html*2"]) == both
    assert read_faults(500) == read_faults(Fault("500")) == (Fault("500"),)
    assert read_faults(None) == ()
    assert read_fault(None) is None


def test_what_is_no_fault_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not a fault: 1\.5"):
        read_fault(1.5)  # type: ignore[arg-type]


def test_come_one_after_the_other() -> None:
    faults = read_faults("500*2,html,502*")
    words = [fault.word if (fault := fault_at(faults, position)) else None for position in range(6)]
    assert words == ["500", "500", "html", "502", "502", "502"]


def test_after_the_last_all_is_well() -> None:
    assert fault_at(read_faults("500"), 1) is None
