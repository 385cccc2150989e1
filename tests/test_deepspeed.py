"""FinLoRA's DeepSpeed files, and fetching Axolotl's from a local server that speaks GitHub's two routes."""

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from finlora import __version__
from finlora import deepspeed as own
from finlora.errors import DeepSpeedError, UsageError

PROJECT = Path(__file__).parents[1]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
UPSTREAM = {
    "zero1.json": b'{"zero_optimization": {"stage": 1}}\n',
    "zero2.json": b'{"zero_optimization": {"stage": 2}}\n',
}
NAMES = tuple(f"{name}.json" for name in own.SHIPPED)


def blob_digest(content: bytes) -> str:
    return hashlib.sha1(b"blob " + str(len(content)).encode() + b"\0" + content).hexdigest()


@dataclass
class Hub:
    """What the server holds and how it misbehaves; the tests change it."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(UPSTREAM))
    status: dict[str, int] = field(default_factory=dict)  # by the last part of a path
    listed: dict[str, Any] = field(default_factory=dict)  # overrides fields of zero2.json's entry
    listing: bytes | None = None
    truncate: bool = False
    hang_up: bool = False
    silent: bool = False
    url: str = ""
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def body(self, path: str) -> bytes:
        if "/commits/" in path:
            return json.dumps({"sha": COMMIT}).encode()
        if "/contents/" in path:
            return (
                json.dumps([self.entry(name) for name in self.files]).encode()
                if self.listing is None
                else self.listing
            )
        return self.files[path.rsplit("/", 1)[-1]]

    def entry(self, name: str) -> dict[str, Any]:
        content = self.files[name]
        entry = {
            "name": name,
            "size": len(content),
            "sha": blob_digest(content),
            "download_url": f"{self.url}/raw/{name}",
        }
        return entry | self.listed if name == "zero2.json" else entry


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            last = self.path.split("?")[0].rsplit("/", 1)[-1]
            faulty = last == "zero2.json"
            if state.silent and faulty:
                state.released.wait()
            if (state.hang_up or state.silent) and faulty:
                return
            body = state.body(self.path)
            self.send_response(state.status.get(last, 200))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:-5] if state.truncate and faulty else body)

        def log_message(self, *args: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield state
        state.released.set()
        server.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project's folder that holds an earlier, edited fetch."""
    earlier = tmp_path / "deepspeed_configs" / "upstream-v9"
    earlier.mkdir(parents=True)
    (earlier / "zero1.json").write_text("edited")
    return tmp_path / "deepspeed_configs"


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def refused(hub: Hub, folder: Path, ref: str = "v9") -> str:
    """Fetch, expect a failure, check that nothing changed, and return the message."""
    before = tree(folder.parent)
    assert len(before) == 3
    with pytest.raises(DeepSpeedError) as caught:
        own.fetch_upstream(folder, ref, hub.url, force=True)
    assert tree(folder.parent) == before
    assert "Nothing was written" in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What FinLoRA ships


def test_project_copies_equal_the_packages() -> None:
    shipped = tree(PROJECT / "finlora" / "files" / "deepspeed")
    assert tuple(sorted(shipped)) == NAMES
    assert tree(PROJECT / "deepspeed_configs") == shipped


@pytest.mark.parametrize("name", own.SHIPPED)
def test_stage_of_a_shipped_file_is_as_named(name: str) -> None:
    assert own.stage(PROJECT / "deepspeed_configs" / f"{name}.json") == int(name[4])


@pytest.mark.slow
@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("name", own.SHIPPED)
def test_trainer_and_deepspeed_take_a_shipped_file(name: str, bf16: bool, tmp_path: Path) -> None:
    import torch
    from deepspeed.runtime.config import DeepSpeedConfig
    from transformers import LlamaConfig, TrainingArguments
    from transformers.integrations.deepspeed import HfTrainerDeepSpeedConfig

    arguments = TrainingArguments(
        str(tmp_path), per_device_train_batch_size=3, gradient_accumulation_steps=2, bf16=bf16, use_cpu=True
    )
    filled = HfTrainerDeepSpeedConfig(str(PROJECT / "deepspeed_configs" / f"{name}.json"))
    filled.trainer_config_process(arguments)
    filled.trainer_config_finalize(arguments, SimpleNamespace(config=LlamaConfig(hidden_size=64)), 10)

    assert "auto" not in json.dumps(filled.config)
    assert filled.dtype() == (torch.bfloat16 if bf16 else torch.float32)
    read = DeepSpeedConfig(filled.config)
    zero, offload = read.zero_config, name.endswith("_offload")
    assert zero.stage == int(name[4])
    assert (read.train_batch_size, read.train_micro_batch_size_per_gpu, read.gradient_accumulation_steps) == (
        6,
        3,
        2,
    )
    assert read.gradient_clipping == arguments.max_grad_norm
    assert zero.reduce_bucket_size == 64 * 64
    assert read.zero_force_ds_cpu_optimizer is not offload
    assert (zero.offload_optimizer and zero.offload_optimizer.device) == ("cpu" if offload else None)
    assert (zero.offload_param is not None) == (name == "zero3_offload")
    assert zero.gather_16bit_weights_on_model_save == (zero.stage == 3)


# Writing them


def test_write_shipped_into_a_missing_folder(tmp_path: Path) -> None:
    report = own.write_shipped(tmp_path / "a" / "deepspeed_configs")
    assert report == own.FetchReport(
        NAMES, (), (), (), tmp_path / "a" / "deepspeed_configs", f"shipped with FinLoRA {__version__}"
    )
    assert tree(report.folder) == tree(PROJECT / "deepspeed_configs")
    assert [path.name for path in report.folder.parent.iterdir()] == ["deepspeed_configs"]


@pytest.mark.parametrize("force", [False, True])
def test_an_edited_file_is_kept_unless_forced(tmp_path: Path, force: bool) -> None:
    own.write_shipped(tmp_path)
    (tmp_path / "zero2.json").write_text("edited")
    (tmp_path / "zero3.json").unlink()
    (tmp_path / "mine.json").write_text("{}")

    report = own.write_shipped(tmp_path, force)

    edited = ("zero2.json",)
    assert report.new == ("zero3.json",)
    assert report.unchanged == (
        "zero1.json",
        "zero1_offload.json",
        "zero2_offload.json",
        "zero3_offload.json",
    )
    assert (report.kept, report.replaced) == (((), edited) if force else (edited, ()))
    assert ((tmp_path / "zero2.json").read_text() == "edited") is not force
    assert (tmp_path / "mine.json").read_text() == "{}"


def test_a_file_that_can_not_be_written_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "deepspeed_configs"
    (target / "zero3.json").mkdir(parents=True)
    before = tree(tmp_path)
    with pytest.raises(DeepSpeedError, match=r"zero3\.json can't be read or written: Is a directory"):
        own.write_shipped(target)
    assert tree(tmp_path) == before


# Fetching Axolotl's


def test_fetch_pins_the_commit_and_checks_every_file(hub: Hub, tmp_path: Path) -> None:
    hub.files["README.md"] = b"no configuration"
    report = own.fetch_upstream(tmp_path, "release/v9", hub.url)
    assert report == own.FetchReport(
        ("zero1.json", "zero2.json"),
        (),
        (),
        (),
        tmp_path / "upstream-release-v9",
        f"axolotl release/v9 at {COMMIT}",
    )
    assert tree(report.folder) == UPSTREAM
    root = "/repos/axolotl-ai-cloud/axolotl"
    assert hub.asked == [
        f"{root}/commits/release/v9",
        f"{root}/contents/deepspeed_configs?ref={COMMIT}",
        "/raw/zero1.json",
        "/raw/zero2.json",
    ]


def test_fetch_again_keeps_edits(hub: Hub, folder: Path) -> None:
    report = own.fetch_upstream(folder, "v9", hub.url)
    assert (report.new, report.kept) == (("zero2.json",), ("zero1.json",))
    assert (report.folder / "zero1.json").read_text() == "edited"
    report = own.fetch_upstream(folder, "v9", hub.url, force=True)
    assert (report.unchanged, report.replaced) == (("zero2.json",), ("zero1.json",))
    assert tree(report.folder) == UPSTREAM


@pytest.mark.parametrize("ref", ["", "v9 ", "v9;rm", "../x", "v9/../x", "/v9", "-v9", "v9?x=1", "v9\n", "vé"])
def test_an_odd_ref_is_refused_before_any_request(hub: Hub, folder: Path, ref: str) -> None:
    before = tree(folder)
    with pytest.raises(UsageError, match="can't be a tag or commit of Axolotl"):
        own.fetch_upstream(folder, ref, hub.url)
    assert hub.asked == []
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("last", "code"), [("v8", 404), ("v8", 422), ("deepspeed_configs", 404), ("zero2.json", 404)]
)
def test_unknown_ref_folder_or_file(hub: Hub, folder: Path, last: str, code: int) -> None:
    hub.status[last] = code
    assert f"{code}, Axolotl has nothing there for 'v8'" in refused(hub, folder, "v8")


@pytest.mark.parametrize("code", [403, 429])
def test_rate_limit(hub: Hub, folder: Path, code: int) -> None:
    hub.status["v9"] = code
    assert f"{code}, most likely GitHub's hourly limit for this address is used up" in refused(hub, folder)


def test_server_error(hub: Hub, folder: Path) -> None:
    hub.status["zero2.json"] = 500
    assert "could not be fetched: HTTP Error 500: Internal Server Error." in refused(hub, folder)


def test_truncated_body(hub: Hub, folder: Path) -> None:
    hub.truncate = True
    assert "IncompleteRead(31 bytes read, 5 more expected)" in refused(hub, folder)


def test_closed_connection(hub: Hub, folder: Path) -> None:
    hub.hang_up = True
    assert "zero2.json could not be fetched: Remote end closed connection" in refused(hub, folder)


def test_silent_server(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "_TIMEOUT_SECONDS", 0.2)
    hub.silent = True
    assert "zero2.json could not be fetched: timed out." in refused(hub, folder)


def test_no_server(hub: Hub, folder: Path) -> None:
    hub.url = "http://127.0.0.1:1"
    assert "could not be fetched: [Errno 111] Connection refused." in refused(hub, folder)


def test_wrong_digest(hub: Hub, folder: Path) -> None:
    hub.listed["sha"] = "0" * 40
    message = refused(hub, folder)
    assert (
        f"zero2.json has digest {blob_digest(UPSTREAM['zero2.json'])}, but GitHub lists {'0' * 40}."
        in message
    )


def test_file_that_is_not_json(hub: Hub, folder: Path) -> None:
    hub.files["zero2.json"] = b"<html>"
    assert "/raw/zero2.json is not JSON: Expecting value" in refused(hub, folder)


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        (b"<html>", "deepspeed_configs?ref=" + COMMIT + " is not JSON"),
        (b"{}", "is no list."),
        (b"[]", "Axolotl v9 has no JSON files in deepspeed_configs."),
        (b'[{"name": "README.md"}]', "Axolotl v9 has no JSON files in deepspeed_configs."),
        (b'[{"name": "zero1.json"}]', "GitHub's answer has no 'sha' where one belongs."),
        (b"[1]", "GitHub's answer has no 'name' where one belongs."),
    ],
)
def test_listing_that_can_not_be_used(hub: Hub, folder: Path, listing: bytes, message: str) -> None:
    hub.listing = listing
    assert message in refused(hub, folder)


@pytest.mark.parametrize(
    "listed", [{"name": "../evil.json"}, {"name": ".hidden.json"}, {"download_url": "file:///etc/hostname"}]
)
def test_entry_that_leads_elsewhere(hub: Hub, folder: Path, listed: dict[str, str]) -> None:
    hub.listed.update(listed)
    assert "GitHub lists a file that FinLoRA won't fetch: " in refused(hub, folder)


# Choosing one


def test_none_needs_no_file(tmp_path: Path) -> None:
    assert own.resolve("none", tmp_path) is None
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("name", own.SHIPPED)
def test_a_shipped_name_is_written_where_missing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = own.resolve(name, Path())
    assert path == tmp_path / "deepspeed_configs" / f"{name}.json"
    assert own.stage_of(name, Path()) == int(name[4])
    assert tree(tmp_path) == {}
    own.ensure(path)
    assert list(tree(path.parent)) == [f"{name}.json"]
    path.write_text('{"zero_optimization": {"stage": 0}}')
    assert own.resolve(name, Path()) == path
    own.ensure(path)
    assert own.stage_of(name, Path()) == own.stage(path) == 0


def test_a_file_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.json").write_text('{"zero_optimization": {"stage": 2}}')
    monkeypatch.chdir(tmp_path)
    assert own.resolve("mine.json", tmp_path / "project") == tmp_path / "mine.json"
    assert list(tree(tmp_path)) == ["mine.json"]


@pytest.mark.parametrize("choice", ["zero4", "zero2_ofload", "no/such.json", "."])
def test_an_unknown_choice_lists_what_there_is(choice: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        own.resolve(choice, tmp_path)
    listed = "zero1, zero1_offload, zero2, zero2_offload, zero3, zero3_offload"
    hints = {"zero4": ", did you mean 'zero3'?", "zero2_ofload": ", did you mean 'zero2_offload'?"}
    assert str(caught.value) == (
        f"deepspeed: '{choice}' is neither a file nor one of none, {listed}{hints.get(choice, '')}"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[]", "must be 0, 1, 2 or 3, but is null"),
        (b'{"zero_optimization": true}', "must be 0, 1, 2 or 3, but is null"),
        (b'{"zero_optimization": {"stage": 4}}', "must be 0, 1, 2 or 3, but is 4"),
        (b'{"zero_optimization": {"stage": true}}', "must be 0, 1, 2 or 3, but is true"),
        (b'{"zero_optimization": {"stage": "auto"}}', 'must be 0, 1, 2 or 3, but is "auto"'),
    ],
)
def test_a_file_without_a_stage(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "zero2.json"
    path.write_bytes(content)
    with pytest.raises(DeepSpeedError) as caught:
        own.resolve(str(path), tmp_path)
    assert message in str(caught.value)
    assert str(caught.value).endswith("To get the shipped file back: finlora fetch-deepspeed --force")


def test_a_missing_file_has_no_stage(tmp_path: Path) -> None:
    with pytest.raises(DeepSpeedError, match="can't be read: No such file or directory"):
        own.stage(tmp_path / "mine.json")
