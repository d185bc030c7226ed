"""What the records of a batch come to."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import attrs
import pytest
from batches.report.ledgers import BEGIN, at, job

from aiogen.batch.report.figures import Figures, Line, clean, line_of, quantile
from aiogen.models import Action, Cost, FailureCode, State
from aiogen.stores.base import Record
from aiogen.stores.charges import Charge

START = BEGIN.timestamp()


def figures(*records: Record) -> Figures:
    return Figures.of([line_of(record) for record in records], START + 100.0)


def one(record: Record) -> Line:
    return line_of(record)


def test_a_line_has_the_moments_of_the_ledger() -> None:
    """Also what was seen by another clock, which here is an hour ahead."""
    ahead = timedelta(hours=1)
    known = {"accepted_at": at(5.0) + ahead, "began_at": at(7.5) + ahead, "asked_after": (2.0, 4.5)}
    line = one(job(1, added=1.0, accepted=5.0, ended=12.0, known=known))
    assert [moment and moment - START for moment in (line.added, line.accepted, line.began, line.ended)] == [
        1.0,
        5.0,
        7.5,
        12.0,
    ]
    assert [moment - START for moment in line.asked] == [7.0, 9.5]
    assert line.seconds == 7.0


def test_a_job_that_is_not_over_has_no_end() -> None:
    """Until now it has been under way."""
    record = job(1, State.QUEUED, added=10.0, accepted=20.0, ended=None)
    found = figures(record)
    assert (found.lines[0].ended, found.lines[0].seconds) == (None, None)
    assert found.end_of(found.lines[0]) - START == 100.0
    assert found.span == 90.0


def test_states_are_counted_in_the_order_of_a_life() -> None:
    found = figures(*(job(i, state) for i, state in enumerate([State.FAILED, *[State.COMPLETED] * 3, State.QUEUED])))
    assert list(found.states().items()) == [(State.QUEUED, 1), (State.COMPLETED, 3), (State.FAILED, 1)]


def test_what_was_never_sent_costs_nothing() -> None:
    """Nor what was refused; what may be running has a cost that nobody knows.  Dollars and credits are not added."""
    found = figures(
        job(1),
        attrs.evolve(job(6, State.FAILED), charge=Charge(40_000, "DOLLARS").nothing),
        job(2, known={"cost": Cost(Decimal(8), "CREDITS")}),
        job(3, State.FAILED, accepted=None),
        job(4, State.CANCELLED, accepted=None),
        job(5, State.UNKNOWN, accepted=None, ended=None),
    )
    assert found.cost().to_dict() == {
        "amounts": {"CREDITS": "8", "DOLLARS": "0.04"}, "count": 3, "estimated": 0, "unknown": 1
    }  # fmt: skip


def test_durations_are_those_of_completed_jobs() -> None:
    """From acceptance; the model with the most jobs comes first."""
    took = [10.0, 30.0, 20.0, 40.0]
    found = figures(
        *(job(i, accepted=1.0, ended=1.0 + seconds) for i, seconds in enumerate(took)),
        job(8, State.FAILED, ended=3.0),
        job(9, ended=6.0, known={"model": "uni-1-max"}),
    ).durations()
    assert [(each.model, each.sorted) for each in found] == [
        ("luma/uni-1", (10.0, 20.0, 30.0, 40.0)),
        ("luma/uni-1-max", (5.0,)),
    ]
    assert [found[0].quantile(share) for share in (0.25, 0.5, 0.51, 0.9, 1.0)] == [10.0, 20.0, 30.0, 40.0, 40.0]


@pytest.mark.parametrize(("values", "share", "expected"), [([], 0.5, None), ([3.0], 0.9, 3.0), ([2.0, 1.0], 0.5, 1.0)])
def test_a_quantile_is_one_of_the_values(values: list[float], share: float, expected: float | None) -> None:
    assert quantile(values, share) == expected


def test_failures_are_grouped_by_what_helps() -> None:
    """The most frequent first, each with the vendor's words and how often they came."""
    broken = {"failure_code": FailureCode.GENERATION_FAILED}
    found = figures(
        *(job(i, State.FAILED, known={**broken, "failure_reason": f"out of paint {i % 2}"}) for i in range(5)),
        job(7, State.FAILED, known={**broken, "action": Action.CHANGE_INPUT, "failure_reason": "bad words"}),
        job(8, State.CANCELLED),
        job(9, State.UNKNOWN, accepted=None, ended=None),
        job(10),
    ).failures()
    assert [(group.code, len(group.lines)) for group in found] == [
        ("generation_failed", 5),
        ("cancelled", 1),
        ("generation_failed", 1),
        ("no answer", 1),
    ]
    assert found[0].reasons == (("out of paint 0", 3), ("out of paint 1", 2))
    assert (found[0].helps, found[2].helps) == (Action.RETRY.help_text, Action.CHANGE_INPUT.help_text)


def test_what_another_attempt_has_made_good_is_not_tried_again() -> None:
    """By scope and key; each attempt is a job of its own, and named as one."""
    found = figures(
        job(1, State.FAILED, key="a"),
        job(2, State.FAILED, key="a", attempt=2),
        job(3, State.COMPLETED, key="a", attempt=3),
        job(4, State.FAILED, key="b"),
        job(5, State.QUEUED, key="b", attempt=2, ended=None),
        job(6, State.FAILED, key="a", scope="ann"),
        job(7, State.FAILED),
    )
    (group,) = found.failures()
    assert sorted(line.name for line in group.lines) == ["00000007", "a", "a", "a (attempt 2)", "b"]
    assert [(line.known_by, line.name) for line in group.again] == [(("ann", "a"), "a"), (None, "00000007")]


def test_a_row_of_a_list_has_its_own_name() -> None:
    """Without that of the batch, which stands before it in the ledger."""
    assert [one(job(1, key=key)).name for key in ("b1/row 7", "b2/row 7", "b1/")] == ["row 7", "b2/row 7", "b1/"]


def test_of_many_different_reasons_the_rest_is_counted() -> None:
    records = [job(i, State.FAILED, known={"failure_reason": f"reason {i}"}) for i in range(12)]
    (group,) = figures(*records).failures()
    assert (len(group.reasons), group.others) == (5, 7)


def test_a_pause_begins_another_run() -> None:
    """Ten minutes in which nothing is under way; what runs for long bridges them."""
    early = [job(1, added=0.0, ended=50.0), job(2, added=5.0, ended=700.0)]
    late = [job(3, added=1200.0, ended=1250.0), job(4, added=1900.0, ended=1950.0)]
    found = Figures.of([line_of(record) for record in (*late, *early)], START + 3000.0)
    assert [[int(line.id[:8], 16) for line in run] for run in found.runs()] == [[1, 2, 3], [4]]


def test_very_many_runs_are_shown_as_one() -> None:
    records = [job(i, added=i * 5000.0, ended=i * 5000.0 + 9.0) for i in range(40)]
    assert [len(run) for run in figures(*records).runs()] == [40]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nboat\t at  sea ", "a boat at sea"),
        ("\u202egnp.exe\x00", "�gnp.exe�"),
        ("\ud800", "�"),
        ("👩\u200d🎨", "👩\u200d🎨"),
        ("x" * 20, "xxxxxxxxx…"),
        ("", ""),
    ],
)
def test_text_is_on_one_line_and_harmless(text: str, shown: str) -> None:
    assert clean(text, 10 if len(text) == 20 else 40) == shown
