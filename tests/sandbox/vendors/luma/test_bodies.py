"""The bodies of Luma's answers, as far as a job decides them."""

from __future__ import annotations

import pytest

from aiogen.sandbox import Fate
from aiogen.sandbox.vendors.luma.bodies import failure
from aiogen.sandbox.vendors.luma.factory import finished


@pytest.mark.parametrize(
    ("fate", "expected"),
    [
        (Fate(failure_code="output_not_found"), ("output_not_found", "Output artifacts not found")),
        (Fate(failure_code="null"), (None, "Generation failed")),
        (Fate(failure_code="cosmic_rays"), ("cosmic_rays", "Generation failed")),
        (Fate(failure_code="null", failure_reason="why not"), (None, "why not")),
    ],
)
def test_code_and_reason(fate: Fate, expected: tuple[str | None, str]) -> None:
    job = finished("a", 0.0)
    job.fate = fate
    assert failure(job) == expected
