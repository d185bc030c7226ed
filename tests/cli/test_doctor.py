"""The command doctor."""

from __future__ import annotations

import pytest


def test_doctor_tells_what_works(aiogen, vendors) -> None:
    said = aiogen("doctor")
    assert said.code == 0
    versions, luma, leonardo, comfyui, ledger = said.out.splitlines()
    assert versions.startswith("aiogen 0")
    assert luma.split("\t")[:3] == ["luma", "…0000", vendors.sandbox.luma_url]
    assert "works" in leonardo
    assert comfyui.startswith(f"comfyui\t-\t{vendors.environment['COMFYUI_BASE_URL']}\tworks")
    assert ledger.startswith("ledger\t-\t")
    assert ledger.endswith("\tnot created yet")


def test_doctor_json(aiogen, vendors, monkeypatch) -> None:
    monkeypatch.delenv("LEONARDO_API_KEY")
    versions, luma, leonardo, _ = aiogen("doctor", "--json").records
    assert versions["ledger"]["works"] is True
    assert set(versions["versions"]) >= {"aiogen", "python", "aiohttp", "cyclopts", "rich"}
    assert (luma["works"], luma["key"]) == (True, "…0000")
    assert (leonardo["works"], leonardo["key"], leonardo["key_variable"]) == (None, None, "LEONARDO_API_KEY")


def test_doctor_names_the_missing_variable_and_is_content_with_one_key(aiogen, vendors, monkeypatch) -> None:
    monkeypatch.delenv("LEONARDO_API_KEY")
    said = aiogen("doctor")
    assert said.code == 0
    assert "set LEONARDO_API_KEY" in said.out


def test_doctor_without_any_key_is_code_3(aiogen, monkeypatch) -> None:
    monkeypatch.setattr("aiogen.cli.doctor._PACKAGES", ("no-such-package",))
    said = aiogen("doctor")
    assert said.code == 3
    assert "LUMA_AGENTS_API_KEY or LEONARDO_API_KEY" in said.err
    assert "no-such-package not installed" in said.out
    assert "comfyui\t-\thttp://127.0.0.1:9\tnothing answers there: start it, or set COMFYUI_BASE_URL" in said.out


@pytest.mark.parametrize("key", ["luma-api-wrong-1234567", "luma-api-with a blank"])
def test_doctor_with_a_wrong_key_is_code_3(aiogen, vendors, monkeypatch, key: str) -> None:
    monkeypatch.setenv("LUMA_AGENTS_API_KEY", key)
    said = aiogen("doctor")
    assert said.code == 3
    assert f"luma\t…{key[-4:]}\t" in said.out
    assert "aiogen: luma: " in said.err


def test_doctor_where_nobody_answers_is_code_5(aiogen, vendors, monkeypatch) -> None:
    monkeypatch.setenv("LUMA_BASE_URL", "http://127.0.0.1:9/v1")  # the port of "discard"
    said = aiogen("doctor", "--json")
    assert said.code == 5
    assert said.records[1]["works"] is False
    assert "cannot be reached" in said.records[1]["error"]
    assert said.records[1]["why"] == "cannot be reached"


def test_doctor_suspects_an_address_of_yours_before_the_key(aiogen, vendors, monkeypatch) -> None:
    monkeypatch.setenv("LEONARDO_BASE_URL", f"{vendors.sandbox.url}/nowhere")
    monkeypatch.setenv("LUMA_AGENTS_API_KEY", "wrong-key-of-nobody")
    said = aiogen("doctor")
    assert f"Is the base url {vendors.sandbox.url}/nowhere right (base_url=, or LEONARDO_BASE_URL)?" in said.err
    assert (said.err.count("LEONARDO_BASE_URL"), said.err.count("LUMA_BASE_URL")) == (1, 0)
    assert "Nothing is known to help" not in said.err


def test_doctor_hides_what_an_address_must_not_hold(aiogen, monkeypatch) -> None:
    monkeypatch.setenv("LUMA_BASE_URL", "https://me:secret@example.com/v1")
    said = aiogen("doctor")
    assert "https://…@example.com/v1" in said.out
    assert "secret" not in said.out + said.err
