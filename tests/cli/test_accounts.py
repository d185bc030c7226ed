"""The command account."""

from __future__ import annotations


def test_account_tells_of_every_connection(aiogen, vendors) -> None:
    said = aiogen("account")
    assert said.code == 0
    assert "leonardo\tuser\tsandbox\n" in said.out
    assert "leonardo\tapiPaidTokens\t5000\n" in said.out
    assert "luma\tthis session's limits\t30 creates a minute" in said.out


def test_account_of_one_connection_as_json(aiogen, vendors) -> None:
    [record] = aiogen("account", "leonardo", "--json").records
    assert list(record) == [
        "provider", "connection", "user_id", "username", "balances", "concurrency_slots", "window",
    ]  # fmt: skip
    assert record["username"] == "sandbox"


def test_account_on_a_terminal_is_a_table(aiogen, vendors, terminal: None) -> None:
    assert "fact" in aiogen("account", "leonardo").out


def test_account_without_any_key_says_which_to_set(aiogen) -> None:
    said = aiogen("account")
    assert said.code == 3
    assert "LUMA_AGENTS_API_KEY or LEONARDO_API_KEY" in said.err


def test_account_tells_of_the_others_when_one_key_is_wrong(aiogen, vendors, monkeypatch) -> None:
    monkeypatch.setenv("LUMA_AGENTS_API_KEY", "luma-api-wrong-1234567")
    said = aiogen("account")
    assert said.code == 3
    assert "sandbox" in said.out
    assert "Invalid API key" in said.err
