"""Merging: what is kept answers like base model and adapter, and what is not proved leaves nothing."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from finlora import adapters, inference, merged_weights, prompts
from finlora.models import BaseModel
from tests.tiny import make_tiny_adapter, make_tiny_base

KINDS = {"lora": {}, "dora": {"use_dora": True}, "rslora": {"use_rslora": True}}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_tiny_base(tmp_path_factory.mktemp("base"), spread=0.05)


@pytest.fixture(scope="module")
def base16(tmp_path_factory, base):
    folder = shutil.copytree(base, tmp_path_factory.mktemp("base16") / "base")
    weights = {key: value.bfloat16() for key, value in load_file(base / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, base):
    return make_tiny_adapter(tmp_path_factory.mktemp("adapters") / "tuned", base)


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def options(adapter, base, output):
    return ["merge", "--adapter", adapter, "--base-model", base, "--prompt-style", "chat", "--output", output]


@pytest.mark.parametrize("kind", KINDS)
def test_every_method_merges_and_the_folder_answers_like_the_adapter(run, tmp_path, base, kind):
    tuned = make_tiny_adapter(tmp_path / kind, base, **KINDS[kind])
    done = run(*options(tuned, base, tmp_path / "merged"), "--json")
    assert done.code == 0, done.err
    record = json.loads(done.out)
    assert record["exact"]["equal"] == record["saved"]["equal"] == record["exact"]["prompts"] == 20
    assert (record["dtype"], record["tensors"]) == ("float32", 6)
    merged = BaseModel("m", tmp_path / "merged", "m")
    apart = inference.load(
        adapters.read(tuned), BaseModel("b", base, "b"), prompt_style="chat", quant_bits=16, device="cpu"
    )
    whole = inference.load(None, merged, prompt_style="chat", quant_bits=16, device="cpu")
    asked = prompts.PROBES[:4]
    assert whole.generate(asked, 8) == apart.generate(asked, 8)
    assert left(tmp_path) == sorted([kind, "merged"])


def test_a_16_bit_base_stays_one_and_no_place_of_this_machine_is_kept(run, tmp_path, base16, adapter):
    manifest = {
        "schema": 1,
        "run_name": "four",
        "base_model": {"name": "./base", "identity": "tiny:1"},
        "run": {"quant_bits": 4},
        "prompt": _prompt(base16),
    }
    tuned = shutil.copytree(adapter, tmp_path / "four")
    (tuned / "finlora.json").write_text(json.dumps(manifest))
    out = tmp_path / "merged"
    done = run("merge", "--adapter", tuned, "--base-model", base16, "--output", out)
    assert done.code == 0, done.err
    assert "trained on a 4-bit base" in done.err
    assert {value.dtype for value in load_file(out / "model.safetensors").values()} == {torch.bfloat16}
    assert (out / "config.json").read_bytes() == (base16 / "config.json").read_bytes()
    record = json.loads((out / "finlora.json").read_text())
    assert record["adapter"]["weights_sha256"] == adapters.read(tuned).weights_sha256()
    assert record["merged"]["saved"]["equal"] >= 16
    assert not any(str(tmp_path.parent).encode() in path.read_bytes() for path in out.iterdir())


def _prompt(base):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    return prompts.prompt_for(tokenizer, "chat").record(tokenizer)


def test_a_merge_that_leaves_a_weight_out_is_refused(run, tmp_path, base, adapter, monkeypatch):
    from peft.tuners.lora.layer import Linear

    whole, calls = Linear.merge, []

    def forgetful(layer, *args, **more):
        calls.append(layer)
        return None if len(calls) == 3 else whole(layer, *args, **more)

    monkeypatch.setattr(Linear, "merge", forgetful)
    done = run(*options(adapter, base, tmp_path / "merged"))
    assert len(calls) == 6
    assert done.code == 1
    assert "1 of the 6 weights that the adapter changes were left as they were" in done.err
    assert left(tmp_path) == []


def test_a_merge_that_adds_too_much_is_refused(run, tmp_path, base, adapter, monkeypatch):
    from peft.tuners.lora.layer import Linear

    whole = Linear.get_delta_weight
    monkeypatch.setattr(Linear, "get_delta_weight", lambda layer, name: 1.05 * whole(layer, name))
    done = run(*options(adapter, base, tmp_path / "merged"))
    assert (done.code, left(tmp_path)) == (1, [])
    assert "do not answer alike, in float32 already" in done.err


def test_what_is_saved_otherwise_is_refused(run, tmp_path, base, adapter, monkeypatch):
    whole = merged_weights.save

    def one_of_the_base(model, dtype, folder):
        whole(model, dtype, folder)
        name = "model.layers.1.self_attn.q_proj.weight"
        weights = load_file(folder / "model.safetensors")
        weights[name] = load_file(base / "model.safetensors")[name]
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    monkeypatch.setattr(merged_weights, "save", one_of_the_base)
    done = run(*options(adapter, base, tmp_path / "merged"))
    assert (done.code, left(tmp_path)) == (1, [])
    assert "1 of 21 weights were read back otherwise" in done.err


def test_an_earlier_merge_gives_way_only_where_asked(run, tmp_path, base, adapter):
    out = tmp_path / "merged"
    out.mkdir()
    (out / "finlora.json").write_text('{"merged": {}}')
    refused = run(*options(adapter, base, out))
    assert (refused.code, left(out)) == (2, ["finlora.json"])
    assert "add --overwrite" in refused.err
    assert run(*options(adapter, base, out), "--overwrite").code == 0
    assert "model.safetensors" in left(out)
    assert left(tmp_path) == ["merged"]


def test_a_folder_that_can_not_be_made_is_refused_first(run, tmp_path, base, adapter):
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    cases = {
        tmp_path / "file": "is a file",
        tmp_path / "full": "holds something else than a merge",
        tmp_path / "none" / "merged": "make it first",
        adapter / "merged": "name a folder apart from it",
        base / "merged": "name a folder apart from it",
    }
    for output, told in cases.items():
        done = run(*options(adapter, base, output), "--overwrite")
        assert (done.code, told in done.err) == (2, True), done.err
    assert len(cases) == 5
    assert left(tmp_path) == ["file", "full"]
    assert "merged" not in left(adapter) + left(base)


def test_a_full_disk_an_unknown_adapter_and_a_quantised_base_are_named(
    run, tmp_path, base, adapter, monkeypatch
):
    done = run(*options("nobody", base, tmp_path / "merged"))
    assert (done.code, "no adapter 'nobody'" in done.err) == (2, True)
    done = run("merge", "--output", tmp_path / "merged")
    assert (done.code, "--adapter NAME" in done.err) == (2, True)
    small = Path(shutil.copytree(base, tmp_path / "small"))
    weights = {key: value.to(torch.int8) for key, value in load_file(base / "model.safetensors").items()}
    save_file(weights, small / "model.safetensors")
    done = run(*options(adapter, small, tmp_path / "merged"))
    assert (done.code, "stored as I8" in done.err) == (1, True)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    done = run(*options(adapter, base, tmp_path / "merged"))
    assert (done.code, "GiB free" in done.err) == (1, True)
    assert left(tmp_path) == ["small"]


def test_a_base_model_that_is_cut_off_is_named(run, tmp_path, base, adapter):
    folder = shutil.copytree(base, tmp_path / "base")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-100])
    done = run(*options(adapter, folder, tmp_path / "merged"))
    assert (done.code, "is cut off" in done.err) == (1, True)
    assert left(tmp_path) == ["base"]
