"""generate, wait, get, list, delete, download: what they print, and how they exit."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image

from aiogen.models import Generation, State

KEYS = [
    "id", "provider_id", "provider", "connection", "model", "kind", "state", "prompt", "partial", "failure_code",
    "failure_reason", "action", "vendor_code", "cost", "created_at", "accepted_at", "finished_at", "began_at",
    "asked_after", "refunded", "outputs", "batch", "fingerprint", "added_at", "submitted_at", "files", "warnings",
    "error",
]  # fmt: skip


# --- generate


def test_generate_saves_the_image_and_prints_one_line(aiogen, vendors, tmp_path: Path) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat", "--out", tmp_path / "new")
    [file] = (tmp_path / "new").iterdir()
    assert said.code == 0
    assert said.out == f"completed\tluma/uni-1\t{vendors.jobs[0].id}\t{file}\n"
    assert "queued" in said.err
    assert "\x1b" not in said.out + said.err


def test_generate_json_has_exactly_the_promised_keys(aiogen, vendors, tmp_path: Path) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat", "--json", "--out", tmp_path)
    [record] = said.records
    assert list(record) == KEYS
    assert UUID(record["id"])
    assert record["provider_id"] == vendors.jobs[0].id
    assert (record["connection"], record["model"], record["state"]) == ("luma", "uni-1", "completed")
    [output] = record["outputs"]
    assert list(output) == [
        "kind", "url", "expires_at", "provider_id", "nsfw", "media_type", "width", "height", "path",
    ]  # fmt: skip
    assert (output["kind"], output["path"]) == ("image", record["files"][0])
    with Image.open(output["path"]) as picture:
        assert (output["media_type"], output["width"], output["height"]) == (
            picture.get_format_mimetype(),
            *picture.size,
        )
    assert record["files"] == [str(path) for path in tmp_path.iterdir()]
    assert record["failure_code"] is record["failure_reason"] is record["action"] is None


def test_a_line_of_json_is_a_generation(aiogen, vendors, tmp_path: Path) -> None:
    """What one program writes another reads, and writes again."""
    [record] = aiogen("generate", "luma/uni-1", "a boat", "--json", "--out", tmp_path).records
    made = Generation.from_dict(record)
    assert (made.state, made.provider_id, made.prompt) == (State.COMPLETED, vendors.jobs[0].id, "a boat")
    told = made.to_dict(data=False)
    assert told.items() <= {**record, "outputs": told["outputs"]}.items()
    assert told["outputs"][0].items() <= record["outputs"][0].items()


def test_json_may_stand_before_the_command(aiogen, vendors) -> None:
    said = aiogen("--json", "--store", ":memory:", "generate", "luma/uni-1", "a boat", "--no-download")
    assert said.code == 0
    assert said.records[0]["files"] == []


def test_no_download_tells_the_addresses_only(aiogen, vendors, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = aiogen("generate", "leonardo/lucid-origin", "a boat", "--no-download")
    assert said.code == 0
    assert vendors.sandbox.url in said.out
    assert list(tmp_path.iterdir()) == []


def test_params_reach_the_provider_as_json_or_text(aiogen, vendors, tmp_path: Path) -> None:
    said = aiogen(
        "generate", "leonardo/lucid-origin", "a boat", "--out", tmp_path,
        "--param", "width=512", "-p", "height=512", "--param", "quantity=2", "--param", 'style_ids=["a"]',
        "--param", "mode=FAST",
    )  # fmt: skip
    assert said.code == 0
    parameters = vendors.jobs[0].body["parameters"]
    assert parameters == {
        "prompt": "a boat", "width": 512, "height": 512, "quantity": 2, "style_ids": ["a"], "mode": "FAST",
    }  # fmt: skip
    assert len(list(tmp_path.iterdir())) == 2


def test_count_submits_the_prompt_several_times(aiogen, vendors, tmp_path: Path) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat", "--count", 3, "--json", "--out", tmp_path)
    assert said.code == 0
    assert {record["provider_id"] for record in said.records} == {job.id for job in vendors.jobs}
    assert len(vendors.jobs) == 3


def test_a_prompt_may_begin_with_a_dash(aiogen, vendors) -> None:
    assert aiogen("generate", "luma/uni-1", "--no-download", "--", "--a boat").code == 0
    assert vendors.jobs[0].prompt == "--a boat"


def test_a_failed_generation_is_code_1_with_what_helps(aiogen, vendors) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat [[fail=content_moderated]]", "--json", "--no-download")
    [record] = said.records
    assert said.code == 1
    assert (record["state"], record["failure_code"], record["action"]) == (
        "failed", "content_moderated", "change_input",
    )  # fmt: skip
    assert "aiogen: Generation" in said.err
    assert "Change the prompt" in said.err
    assert "Traceback" not in said.err


def test_a_refused_create_is_code_1(aiogen, vendors) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat", "-p", "aspect_ratio=7:7", "--json", "--no-download")
    [record] = said.records
    assert said.code == 1
    assert record["provider_id"] is None
    assert (record["state"], record["failure_code"]) == ("failed", "invalid_request")
    assert "Invalid aspect_ratio" in said.err


def test_a_misspelt_parameter_is_code_2_and_nothing_is_sent(aiogen, vendors) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat", "-p", "aspectratio=16:9", "--no-download")
    assert said.code == 2
    assert said.err.strip() == (
        "aiogen: Luma has no parameter 'aspectratio'. Did you mean 'aspect_ratio'? To send it all the same: --extra "
        "aspectratio=…"
    )
    assert aiogen("jobs", "--json").records == []


def test_extra_is_sent_unchecked(aiogen, vendors) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat", "--extra", "aspect_ratio=7:7", "--no-download")
    assert (said.code, "Invalid aspect_ratio '7:7'" in said.err) == (1, True)


def test_what_a_provider_cannot_honour_is_in_the_record(aiogen, vendors) -> None:
    [record] = aiogen("generate", "luma/uni-1", "a boat", "-p", "seed=7", "--no-download", "--json").records
    assert record["warnings"] == [
        "Luma takes no seed: it was not sent, and the same prompt comes out differently each time."
    ]
    assert record["cost"] == {"amount": "0.0404", "unit": "DOLLARS", "is_estimate": True}


def test_lack_of_funds_is_code_1(aiogen, vendors) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat [[create=402]]", "--no-download")
    assert said.code == 1
    assert "Add funds" in said.err


def test_a_deadline_is_code_4_and_names_the_command_that_goes_on(aiogen, vendors) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat [[processing=9000]]", "--timeout", 0.2, "--json", "--no-download")
    [record] = said.records
    assert said.code == 4
    assert f"aiogen wait luma {vendors.jobs[0].id}" in said.err
    assert record["state"] in ("queued", "processing")
    assert record["failure_code"] is None
    assert "may still finish" in record["failure_reason"]


def test_an_unknown_submission_is_code_6(aiogen, vendors) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat [[create=cut-after]]", "--json", "--no-download")
    [record] = said.records
    assert said.code == 6
    assert (record["state"], record["provider_id"], record["failure_code"]) == ("unknown", None, None)
    assert "It is not known whether luma accepted job" in said.err


def test_a_wrong_key_is_code_3(aiogen, vendors, monkeypatch) -> None:
    monkeypatch.setenv("LUMA_AGENTS_API_KEY", "luma-api-wrong-1234567")
    said = aiogen("generate", "luma/uni-1", "a boat", "--no-download")
    assert said.code == 3
    assert "Check the API key" in said.err


def test_an_image_that_cannot_be_had_is_code_5_and_keeps_its_address(aiogen, vendors, tmp_path: Path) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat [[download=410*]]", "--json", "--out", tmp_path)
    [record] = said.records
    assert said.code == 5
    assert (record["state"], record["files"], record["failure_code"]) == ("completed", [], None)
    assert record["outputs"]
    assert "HTTP 410" in said.err


def test_a_folder_that_cannot_be_is_found_out_before_anything_is_paid_for(aiogen, vendors, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = aiogen("generate", "luma/uni-1", "a boat", "--out", tmp_path / "file" / "folder")
    assert said.code == 2
    assert vendors.jobs == []


def test_progress_on_a_terminal_is_drawn_in_place(aiogen, vendors, terminal: None, tmp_path: Path) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat", "--out", tmp_path)
    assert said.code == 0
    assert "\x1b[?25l" in said.err  # the cursor is hidden while it draws
    assert "\x1b[?25h" in said.err
    assert "processing" in said.err
    first, second = said.out.splitlines()
    assert "completed" in first
    assert vendors.jobs[0].id in first
    assert str(tmp_path) in second


def test_json_on_a_terminal_is_not_drawn_over(aiogen, vendors, terminal: None) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat", "--no-download", "--json")
    assert "\x1b[?25l" not in said.err
    assert said.records[0]["state"] == "completed"


def test_a_warning_of_the_package_is_a_line_of_the_progress(aiogen, vendors) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat [[state=dreaming processing=30]]", "--no-download")
    assert said.code == 0
    assert "'dreaming'" in said.err


def test_a_create_that_was_put_back_is_told_as_such(aiogen, vendors) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat [[create=503]]", "--no-download")
    assert said.code == 0
    assert "it waits for another turn" in said.err


# --- a file by its name


def test_generate_saves_under_the_name_that_was_given(aiogen, vendors, tmp_path: Path) -> None:
    boat = tmp_path / "new" / "boat.jpg"
    said = aiogen("generate", "luma/uni-1", "a boat", "--out", boat)
    assert said.code == 0
    assert said.out == f"completed\tluma/uni-1\t{vendors.jobs[0].id}\t{boat}\n"
    assert list(boat.parent.iterdir()) == [boat]
    again = aiogen("generate", "luma/uni-1", "a boat", "--out", boat)
    assert again.code == 2
    assert "there is a file of that name" in again.err
    assert len(vendors.jobs) == 1


def test_the_outputs_of_one_generation_are_numbered(aiogen, vendors, tmp_path: Path) -> None:
    """One name is enough, and each output tells its own path."""
    said = aiogen(
        "generate", "leonardo/lucid-origin", "a boat", "-p", "quantity=3", "--out", tmp_path / "boat-7.png", "--json"
    )
    names = [str(tmp_path / name) for name in ("boat-7.png", "boat-7-1.png", "boat-7-2.png")]
    assert said.records[0]["files"] == [output["path"] for output in said.records[0]["outputs"]] == names
    assert len(list(tmp_path.iterdir())) == 3


def test_one_file_for_several_generations_is_refused_before_anything_is_paid_for(
    aiogen, vendors, tmp_path: Path
) -> None:
    boat = tmp_path / "boat.png"
    made = vendors.make("a boat", "a lake")
    for words in (
        ("generate", "luma/uni-1", "a boat", "--count", 2),
        ("wait", "leonardo", *made),
        ("download", "leonardo", *made),
    ):
        said = aiogen(*words, "--out", boat)
        assert said.code == 2
        assert f"--out {boat} names one file, and there are 2 generations" in said.err
    assert len(vendors.jobs) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_name_may_be_that_of_a_folder(aiogen, vendors, tmp_path: Path, monkeypatch) -> None:
    """One that is there, one that is written as one, and any without the ending of a picture or film."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.png").mkdir()
    [made] = vendors.make("a boat [[processing=0]]")
    for name in ("there.png", "new.png/", "v1.2"):
        assert aiogen("download", "leonardo", made, "--out", name).code == 0
        assert [path.stem for path in (tmp_path / name).iterdir()] == [f"leonardo-{made}-0"]


def test_wait_saves_under_the_name_that_was_given(aiogen, vendors, tmp_path: Path) -> None:
    [made] = vendors.make("a boat")
    said = aiogen("wait", "leonardo", made, "--out", tmp_path / "boat.png", "--json")
    assert said.records[0]["files"] == [str(tmp_path / "boat.png")]
    assert said.records[0]["outputs"][0]["width"]


def test_download_replaces_a_file_only_if_told_to(aiogen, vendors, tmp_path: Path) -> None:
    boat = tmp_path / "boat.png"
    boat.write_bytes(b"mine")
    [made] = vendors.make("a boat [[processing=0]]")
    said = aiogen("download", "leonardo", made, "--out", boat)
    assert said.code == 2
    assert "--overwrite replaces this one" in said.err
    assert boat.read_bytes() == b"mine"
    assert aiogen("download", "leonardo", made, "--out", boat, "--overwrite").code == 0
    assert boat.read_bytes() != b"mine"


# --- wait


def test_wait_follows_what_was_made_elsewhere(aiogen, vendors) -> None:
    made = vendors.make("a boat", "a lake [[fail=generation_failed]]")
    said = aiogen("wait", "leonardo", *made, "--json", "--timeout", 30)
    assert said.code == 1
    assert {(record["provider_id"], record["state"]) for record in said.records} == {
        (made[0], "completed"), (made[1], "failed"),
    }  # fmt: skip
    assert [list(record) for record in said.records] == [KEYS, KEYS]


def test_wait_asks_once_for_an_id_given_twice(aiogen, vendors) -> None:
    [made] = vendors.make("a boat")
    assert len(aiogen("wait", "leonardo", made, made, "--json").records) == 1


def test_wait_saves_the_images_where_it_is_told_to(aiogen, vendors, tmp_path: Path) -> None:
    made = vendors.make("a boat", "a lake [[fail=generation_failed]]")
    said = aiogen("wait", "leonardo", "--out", tmp_path / "new", *made, "--json")
    [file] = (tmp_path / "new").iterdir()
    assert {record["provider_id"]: record["files"] for record in said.records} == {made[0]: [str(file)], made[1]: []}
    assert aiogen("wait", "leonardo", *made, "--out", "/dev/null/x").code == 2


def test_wait_for_an_unknown_id_is_code_5(aiogen, vendors) -> None:
    said = aiogen("wait", "luma", "d290f1ee-6c54-4b01-90e6-d701748f0851")
    assert said.code == 5
    assert "Generation not found" in said.err


def test_wait_refuses_what_cannot_be_an_id_before_it_begins(aiogen, vendors) -> None:
    [made] = vendors.make("a boat [[processing=9000]]")
    said = aiogen("wait", "leonardo", made, "a/b")
    assert said.code == 2
    assert "Still running" not in said.err


# --- get


def test_get_reads_each_once(aiogen, vendors) -> None:
    made = vendors.make("a boat [[processing=9000]]", "a lake [[processing=9000]]")
    said = aiogen("get", "leonardo", *made)
    assert said.code == 0
    assert [line.split("\t")[:3:2] for line in said.out.splitlines()] == [["queued", i] for i in made]
    assert said.err == ""


def test_get_of_an_unknown_id_is_code_5_and_still_a_record(aiogen, vendors) -> None:
    [made] = vendors.make("a boat")
    said = aiogen("get", "leonardo", "d290f1ee-6c54-4b01-90e6-d701748f0851", made, "--json")
    assert said.code == 5
    missing = next(record for record in said.records if record["provider_id"] != made)
    assert list(missing) == KEYS
    assert (missing["state"], missing["failure_code"]) == (None, "not_found")


def test_get_shows_an_unreadable_id_to_people(aiogen, vendors) -> None:
    said = aiogen("get", "luma", "d290f1ee-6c54-4b01-90e6-d701748f0851")
    assert said.out.startswith("unreadable\tluma\td290f1ee")
    assert said.out.endswith("\tnot_found\n")
    assert said.err.count("Generation not found") == 1


def test_get_of_a_failed_generation_is_code_1(aiogen, vendors) -> None:
    [made] = vendors.make("a boat [[fail=content_moderated processing=0]]")
    said = aiogen("get", "leonardo", made)
    assert said.code == 1
    assert "content_moderated" in said.out


def test_a_connection_that_is_not_configured_is_code_3(aiogen) -> None:
    said = aiogen("get", "luma", "d290f1ee-6c54-4b01-90e6-d701748f0851")
    assert said.code == 3
    assert "LUMA_AGENTS_API_KEY" in said.err
    assert said.out == ""


# --- list


def test_list_gives_lines_with_tabs_on_a_pipe(aiogen, vendors) -> None:
    made = vendors.make("a boat", "a lake")
    said = aiogen("list", "leonardo")
    assert said.code == 0
    assert [line.split("\t")[0] for line in said.out.splitlines()] == made[::-1]
    assert said.out.splitlines()[0].endswith("\ta lake")


def test_list_is_a_table_on_a_terminal_with_whole_ids(aiogen, vendors, terminal: None) -> None:
    [made] = vendors.make("a boat")
    said = aiogen("list", "leonardo")
    assert "prompt" in said.out
    assert made in said.out


def test_list_json(aiogen, vendors) -> None:
    made = vendors.make("a boat", "a lake", "a hill")
    said = aiogen("list", "leonardo", "--limit", 2, "--json")
    assert [record["provider_id"] for record in said.records] == made[:0:-1]
    assert list(said.records[0]) == KEYS
    assert "--limit" in said.err


def test_list_of_somebody_else(aiogen, vendors) -> None:
    vendors.make("a boat")
    said = aiogen("list", "leonardo", "--user", "22222222-2222-4333-8444-555555555555")
    assert (said.code, said.out) == (0, "")
    assert "no generations" in said.err


def test_list_where_the_provider_cannot_is_code_2(aiogen, vendors) -> None:
    said = aiogen("list", "luma")
    assert said.code == 2
    assert "no API call that lists" in said.err


# --- download


def test_download_saves_and_keeps_what_is_there(aiogen, vendors, tmp_path: Path) -> None:
    [made] = vendors.make("a boat [[processing=0]]")
    file = tmp_path / f"leonardo-{made}-0.jpg"
    file.write_bytes(b"mine")
    assert aiogen("download", "leonardo", made, "--out", tmp_path).code == 0
    assert file.read_bytes() == b"mine"
    said = aiogen("download", "leonardo", made, "--out", tmp_path, "--overwrite", "--json")
    assert said.records[0]["files"] == [str(file)]
    assert file.read_bytes() != b"mine"


def test_download_of_a_failed_generation_is_code_1(aiogen, vendors, tmp_path: Path) -> None:
    [made] = vendors.make("a boat [[fail=generation_failed processing=0]]")
    said = aiogen("download", "leonardo", made, "--out", tmp_path, "--json")
    assert said.code == 1
    assert said.records[0]["failure_code"] == "generation_failed"


def test_download_of_a_running_generation_is_code_2(aiogen, vendors, tmp_path: Path) -> None:
    [made] = vendors.make("a boat [[processing=9000]]")
    said = aiogen("download", "leonardo", made, "--out", tmp_path)
    assert said.code == 2
    assert "once it has completed" in said.err


def test_a_folder_without_the_right_to_write_is_code_2(aiogen, vendors, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere, so a mode would not do
    said = aiogen("download", "leonardo", "x", "--out", tmp_path)
    assert said.code == 2
    assert "cannot be written to" in said.err


# --- poll_cost


@pytest.mark.parametrize("words", [("generate", "luma/uni-1", "a boat", "--no-download"), ("wait", "luma", "x")])
def test_poll_cost_reaches_the_session(aiogen, vendors, words: tuple[str, ...]) -> None:
    said = aiogen(*words, "--poll-cost", 0)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert said.err.startswith("aiogen: --poll-cost has to be from 0.001")


# --- delete


class Terminal(io.StringIO):
    """A standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_delete_without_a_terminal_needs_yes(aiogen, vendors, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    [made] = vendors.make("a boat")
    said = aiogen("delete", "leonardo", made)
    assert said.code == 2
    assert "--yes" in said.err
    assert vendors.jobs[0].deleted_at is None


def test_delete_with_yes(aiogen, vendors) -> None:
    made = vendors.make("a boat", "a lake")
    said = aiogen("delete", "leonardo", *made, "--yes")
    assert said.code == 0
    assert said.out == "".join(f"deleted\tleonardo\t{i}\n" for i in made)
    assert all(job.deleted_at is not None for job in vendors.jobs)


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("\n", 2), ("n\n", 2), ("", 2)])
def test_delete_asks_on_a_terminal(aiogen, vendors, monkeypatch, answer: str, code: int) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    made = vendors.make("a boat", "a lake")
    said = aiogen("delete", "leonardo", *made)
    assert said.code == code
    assert "Delete 2 generations at leonardo" in said.err
    assert (vendors.jobs[0].deleted_at is not None) == (code == 0)


def test_delete_of_what_is_not_there(aiogen, vendors) -> None:
    missing = "d290f1ee-6c54-4b01-90e6-d701748f0851"
    said = aiogen("delete", "leonardo", missing, "--yes", "--json")
    assert said.code == 5
    [record] = said.records
    assert (record["connection"], record["provider_id"], record["deleted"]) == ("leonardo", missing, False)
    assert record["error"]["type"] == "NotFound"
    assert missing in said.err
    said = aiogen("delete", "leonardo", missing, "--yes", "--missing-ok", "--json")
    assert (said.code, said.records[0]["deleted"]) == (0, False)
    said = aiogen("delete", "leonardo", missing, "--yes", "--missing-ok")
    assert said.code == 0
    assert said.out.startswith("was not there")


def test_delete_where_nothing_can_be_deleted_is_told_before_the_question(aiogen, vendors) -> None:
    said = aiogen("delete", "luma", "x")
    assert (said.code, said.err) == (2, "aiogen: Luma has no API call that deletes a generation.\n")


def test_delete_at_an_unknown_connection_is_told_before_the_question(aiogen, vendors, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    said = aiogen("delete", "elsewhere", "x")
    assert said.code == 3
    assert "Delete" not in said.err


# --- what is wrong before anything is sent


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["luma/uni-1", "a boat", "--param", "width"], "name=value"),
        (["luma/uni-1", "a boat", "--param", "=3"], "name=value"),
        (["luma/uni-1", "a boat", "-p", "seed=1", "-p", "seed=2"], "twice"),
        (["luma/uni-1", "a boat", "--param", "timeout=3"], "--timeout"),
        (["luma/uni-1", "a boat", "--param", "prompt=no"], "PROMPT"),
        (["luma/uni-1", " "], "prompt"),
        (["uni-1", "a boat"], "connection/model"),
        (["luma/uni-1", "a boat", "--count", "0"], "--count"),
        (["luma/uni-1", "a boat", "--timeout", "-3"], "timeout"),
        (["luma/uni-1", "a boat", "--timeout", "soon"], "soon"),
        (["luma/uni-1", "a boat", "--bogus"], "--bogus"),
        (["luma/uni-1"], "prompt"),
    ],
)
def test_what_cannot_be_right_is_code_2(aiogen, vendors, words: list[str], hint: str) -> None:
    said = aiogen("generate", "--no-download", *words)
    assert said.code == 2
    assert hint.lower() in said.err.lower()
    assert said.err.count("\n") == 1
    assert vendors.sandbox.requests == []


def test_a_store_that_cannot_be_reached_is_code_3(aiogen, vendors, monkeypatch) -> None:
    said = aiogen("generate", "luma/uni-1", "a boat", "--store", "postgresql://127.0.0.1:9/db")
    assert said.code == 3
    assert "The ledger postgresql://127.0.0.1:9/db could not be opened" in said.err
    monkeypatch.setenv("AIOGEN_STORE", "postgresql://127.0.0.1:9/db")
    assert aiogen("generate", "luma/uni-1", "a boat").code == 3
    monkeypatch.setenv("AIOGEN_STORE", "mysql://127.0.0.1:9/db")
    said = aiogen("generate", "luma/uni-1", "a boat")
    assert said.code == 3
    assert "store" in said.err
    assert vendors.jobs == []
    monkeypatch.setenv("AIOGEN_STORE", ":memory:")
    assert aiogen("generate", "luma/uni-1", "a boat", "--no-download").code == 0
