"""The sandbox command: what it prints is what a client needs."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from aiogen.cli import main
from aiogen.sandbox import Sandbox


@pytest.mark.skipif(os.name == "nt", reason="there a process is ended, not asked to end")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_until_a_signal(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "aiogen", "sandbox", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(6)]
            assert all(re.fullmatch(r"export \w+=\S+\n", line) for line in lines[:5])
            environment = dict(line.removeprefix("export ").rstrip().split("=", 1) for line in lines[:5])
            assert set(environment) == {
                "COMFYUI_BASE_URL", "LUMA_AGENTS_API_KEY", "LUMA_BASE_URL", "LEONARDO_API_KEY", "LEONARDO_BASE_URL",
            }  # fmt: skip
            url = lines[5].removeprefix("# The sandbox is at ").strip()
            with urllib.request.urlopen(url, timeout=10) as answer:
                assert b"sandbox" in answer.read()
            process.send_signal(number)
            assert process.wait(10) == 0
        finally:
            process.kill()


def stopped_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal arrives as soon as the sandbox runs."""
    start = Sandbox.start

    async def start_and_stop(self: Sandbox) -> None:
        await start(self)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Sandbox, "start", start_and_stop)


def test_in_a_shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    stopped_at_once(monkeypatch)
    script = tmp_path / "script.json"
    script.write_text('{"rules": [{"fate": {"processing": 3}}]}')
    # The very keys that are in the environment: they are to be printed all the same, for they open nothing else.
    monkeypatch.setenv("LUMA_AGENTS_API_KEY", "luma-api-sandbox-0000")
    assert main(["sandbox", "--script", str(script), "--speed", "5", "--seed", "3"]) == 0
    said = capsys.readouterr()
    assert "export LUMA_AGENTS_API_KEY=luma-api-sandbox-0000\n" in said.out
    assert "Ctrl-C" in said.err


def test_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stopped_at_once(monkeypatch)
    assert main(["sandbox", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["environment"]["LUMA_BASE_URL"] == record["url"] + "/luma/v1"


def test_what_it_cannot_be_set_up_with_is_code_2(aiogen, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"rulez": []}')
    assert "rulez" in aiogen("sandbox", "--script", broken).err
    assert aiogen("sandbox", "--script", broken).code == 2
    assert aiogen("sandbox", "--script", tmp_path / "missing.json").code == 2
    assert aiogen("sandbox", "--speed", "0").code == 2
    assert aiogen("sandbox", "--port", "99999").code == 2


def test_it_makes_calls_where_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """For trying out webhooks: see docs/webhooks.md."""
    stopped_at_once(monkeypatch)
    made: list[Sandbox] = []
    start = Sandbox.start

    async def seen(self: Sandbox) -> None:
        made.append(self)
        await start(self)

    monkeypatch.setattr(Sandbox, "start", seen)
    url = "http://127.0.0.1:8080/webhooks/leonardo"
    assert main(["sandbox", "--webhook-url", url, "--webhook-secret", "a long secret"]) == 0
    settings = made[0].leonardo
    assert (settings.webhook_url, settings.webhook_secret) == (url, "a long secret")


def test_an_address_for_calls_is_an_address(aiogen) -> None:
    said = aiogen("sandbox", "--webhook-url", "127.0.0.1:8080")
    assert (said.code, "http://" in said.err) == (2, True)
    said = aiogen("sandbox", "--webhook-secret", "a long secret")
    assert (said.code, "--webhook-url" in said.err) == (2, True)


def test_a_port_that_is_taken_is_code_2(aiogen) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = aiogen("sandbox", "--port", taken.getsockname()[1])
    assert said.code == 2
    assert "cannot listen" in said.err


def test_without_pillow_it_says_what_to_install(aiogen, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    said = aiogen("sandbox")
    assert said.code == 3
    assert 'pip install "aiogen-sdk[cli,sandbox]"' in said.err


def test_another_sandbox_gives_other_ids_unless_the_seed_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files and the ledger are named by ids: the first picture would be shown for the second prompt."""
    stopped_at_once(monkeypatch)
    seeds: list[int] = []
    start = Sandbox.start

    async def seen(self: Sandbox) -> None:
        seeds.append(self.seed)
        await start(self)

    monkeypatch.setattr(Sandbox, "start", seen)
    for words in ([], [], ["--seed", "3"]):
        assert main(["sandbox", *words]) == 0
        assert f"--seed {seeds[-1]} gives the same ids again" in capsys.readouterr().err
    assert seeds[0] != seeds[1]
    assert seeds[2] == 3
