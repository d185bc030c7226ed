"""The tests that every provider passes, as a class that pytest collects from a subclass."""

from __future__ import annotations

from aiogen.testing.providers.answering import AnsweringChecks
from aiogen.testing.providers.asking import AskingChecks
from aiogen.testing.providers.secrets import SecretsChecks
from aiogen.testing.providers.stating import StatingChecks


class ProviderBattery(StatingChecks, AskingChecks, AnsweringChecks, SecretsChecks):
    """What every provider has to pass.

        class TestMine(aiogen.testing.ProviderBattery):
            provider = Mine(api_key="mine-0123456789")
            request = MineImage(prompt="a paper boat", model="mine-1")
            accepted = answer({"id": "p1", "state": "queued"}, status=201)
            running = answer({"id": "p1", "state": "running"})
            completed = answer({"id": "p1", "state": "done", "url": "https://files.example.com/p1.png"})
            failed = answer({"id": "p1", "state": "failed", "error": "out of memory"})
            refused = answer({"error": "not accepted"}, status=400)

    pytest collects the tests by the name of the subclass.  `answer` makes an answer; where an exchange sends several
    requests, give a tuple of answers in their order.  What the provider can do beside creating and reading has answers
    of its own: `listed`, `deleted`, `cancelled`, `account`.
    """
