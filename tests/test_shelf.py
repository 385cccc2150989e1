"""The shelf: its list, all about one adapter, and every fault that verifying finds without a model."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from finlora import adapters, prompts, shelf_checks, shelf_page
from tests.conftest import PRIVATE, RUN, federate, keep_score, shelve, trained_manifest

TARGETS = ("q_proj", "v_proj")


def weights(rank=8, layers=2, scale=0.5, dtype=np.float32):
    """Return the tensors of a LoRA on the matrices of a tiny model."""
    random = np.random.default_rng(0)
    made = {}
    for layer in range(layers):
        for name in TARGETS:
            module = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            made[f"{module}.lora_A.weight"] = random.normal(size=(rank, 16)).astype(dtype)
            made[f"{module}.lora_B.weight"] = (scale * random.normal(size=(12, rank))).astype(dtype)
    return made


def manifest_of(name, tensors, **facts):
    made = trained_manifest(name, targets=sorted(TARGETS), **facts)
    made["built"]["trainable_parameters"] = sum(tensor.size for tensor in tensors.values())
    made["prompt"] |= {"probe": prompts.PROBE, "probe_ids": [1, 2, 3]}
    return made


@pytest.fixture
def place(project):
    """A sound adapter, published as a training would publish it."""
    tensors = weights()
    trained = project.root / "trained"
    trained.mkdir()
    save_file(tensors, trained / adapters.WEIGHTS)
    peft = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": list(TARGETS)}
    (trained / adapters.PEFT_CONFIG).write_text(json.dumps(peft))
    made = manifest_of("one", tensors)
    place = adapters.place(project.root, made["variant"], "one")
    adapters.publish(trained, place, {**made}, "./base")
    return place


def edit(path, **entries):
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def save(place, tensors):
    """Replace an adapter's weights by others, with a manifest that knows them."""
    save_file(tensors, place / adapters.WEIGHTS)
    edit(place / adapters.MANIFEST, weights_sha256=adapters.read(place).weights_sha256())


def verdict(place):
    found = shelf_checks.verify([], place.parents[2])
    assert len(found) == 1
    return found[0]


def test_a_sound_adapter(place):
    found = verdict(place)
    assert (found.name, found.faults) == ("fp16_r8/one", ())
    assert found.seen.startswith("8 tensors, ")
    assert found.ok
    assert any("base model ./base: not here" in note for note in found.notes)


def test_the_manifest_carries_the_digest_of_the_weights(place):
    manifest = json.loads((place / adapters.MANIFEST).read_text())
    assert manifest["weights_sha256"] == adapters.read(place).weights_sha256()


def test_an_older_manifest_has_no_digest(place):
    path = place / adapters.MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["weights_sha256"]
    path.write_text(json.dumps(manifest))
    found = verdict(place)
    assert found.ok
    assert any("no digest recorded" in note for note in found.notes)


def test_a_bare_adapter_is_sound_too(place):
    (place / adapters.MANIFEST).unlink()
    found = verdict(place)
    assert found.ok
    assert any("no finlora.json" in note for note in found.notes)


def cut(place):
    path = place / adapters.WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])


def long_header(place):
    path = place / adapters.WEIGHTS
    path.write_bytes(struct.pack("<Q", 1 << 40) + path.read_bytes()[8:])


def other_header(place):
    path = place / adapters.WEIGHTS
    path.write_bytes(struct.pack("<Q", 50) + path.read_bytes()[8:])


def pointer(place):
    (place / adapters.WEIGHTS).write_text("version https://git-lfs.github.com/spec/v1\n")


def no_number(place):
    tensors = weights()
    next(iter(tensors.values()))[0, 0] = np.nan
    save(place, tensors)


def endless_half(place):
    tensors = weights(dtype=np.float16)
    next(iter(tensors.values()))[0, 0] = np.inf
    save(place, tensors)


def untrained(place):
    save(place, weights(scale=0.0))


def lost(place):
    tensors = weights()
    del tensors["base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight"]
    save(place, tensors)


def lost_pair(place):
    tensors = weights()
    save(place, {k: v for k, v in tensors.items() if "layers.1.self_attn.v_proj" not in k})


def lost_layer(place):
    save(place, weights(layers=1))


def lost_target(place):
    save(place, {k: v for k, v in weights().items() if "v_proj" not in k})


def other_rank(place):
    save(place, weights(rank=4))


def crossed(place):
    tensors = weights()
    key = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"
    save(place, {**tensors, key: np.ascontiguousarray(tensors[key].T)})


def wants_dora(place):
    edit(place / adapters.PEFT_CONFIG, use_dora=True)


def other_weights(place):
    save_file(weights(scale=0.7), place / adapters.WEIGHTS)


def edited_run(place):
    manifest = json.loads((place / adapters.MANIFEST).read_text())
    edit(place / adapters.MANIFEST, run={**manifest["run"], "lora_r": 16})


def no_steps(place):
    edit(place / adapters.MANIFEST, steps="many")


def no_ids(place):
    manifest = json.loads((place / adapters.MANIFEST).read_text())
    edit(place / adapters.MANIFEST, prompt={**manifest["prompt"], "probe_ids": [1, -2]})


def pickle_beside(place):
    (place / "training_args.bin").write_bytes(b"x")


def names_a_home(place):
    edit(place / adapters.PEFT_CONFIG, revision="/home/somebody/models/base")


def names_a_home_in_words(place):
    (place / "README.md").write_text("base_model: /scratch/somebody/base\n")


def broken_json(place):
    (place / adapters.MANIFEST).write_text('{"schema": 1')


def other_schema(place):
    edit(place / adapters.MANIFEST, schema=7)


def no_weights(place):
    (place / adapters.WEIGHTS).unlink()


FAULTS = {
    cut: "it is cut off",
    long_header: "the header is said to have 1,099,511,627,776 bytes",
    other_header: "the header is no JSON",
    pointer: "Git LFS pointer",
    no_number: "holds numbers that are not finite",
    endless_half: "holds numbers that are not finite",
    untrained: "every lora_B is zero",
    lost: "layers.1.self_attn.v_proj has no lora_B",
    lost_pair: "no tensor of model.layers.1.self_attn.v_proj, though other layers have it",
    lost_layer: "numbers; 896 were trained",
    lost_target: "no tensor of v_proj, which the config adapts",
    other_rank: "has rank 4; the config says 8",
    crossed: "do not make one matrix",
    wants_dora: "the config says DoRA is on",
    other_weights: "is not the file that was published",
    edited_run: "adapter_config.json has r 8; finlora.json has run.lora_r 16",
    no_steps: "finlora.json: steps missing or damaged",
    no_ids: "prompt.probe_ids are no token ids",
    pickle_beside: "training_args.bin may be a pickle",
    names_a_home: "adapter_config.json names a place of a machine: /home/somebody/models/base",
    names_a_home_in_words: "README.md names a place of a machine: /scratch/somebody/base",
    broken_json: "finlora.json: can't be read",
    other_schema: "finlora.json: schema 7",
    no_weights: "adapter_model.safetensors missing",
}


@pytest.mark.parametrize("harm", FAULTS, ids=lambda harm: harm.__name__)
def test_every_fault_is_named(place, harm):
    harm(place)
    found = verdict(place)
    assert not found.ok
    assert FAULTS[harm] in "\n".join(found.faults)


def bfloat16(place, value):
    """Write the same weights as bfloat16, the upper half of float32, with one number replaced."""
    header, blob = {}, b""
    for key, tensor in weights().items():
        half = (tensor.view(np.uint32) >> 16).astype("<u2")
        if value is not None:
            half[0, 0] = value
        offsets = [len(blob), len(blob) + half.nbytes]
        header[key] = {"dtype": "BF16", "shape": list(half.shape), "data_offsets": offsets}
        blob += half.tobytes()
    text = json.dumps(header).encode()
    (place / adapters.WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + blob)
    edit(place / adapters.MANIFEST, weights_sha256=adapters.read(place).weights_sha256())


@pytest.mark.parametrize(("value", "sound"), [(None, True), (0x7F80, False), (0xFFC1, False), (0x7F7F, True)])
def test_bfloat16_is_judged_by_its_bits(place, value, sound):
    bfloat16(place, value)
    assert verdict(place).ok is sound


def test_the_list_names_damage_and_never_stumbles(place, project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    shelf = place.parent
    (shelf / "empty").mkdir()
    (shelf / "loop").symlink_to(shelf / "loop")
    (shelf / "gone").symlink_to(project.root / "nowhere")
    (shelf / "broken").mkdir()
    (shelf / "broken" / adapters.PEFT_CONFIG).write_text("[")
    (shelf / "broken" / adapters.WEIGHTS).write_bytes(b"")
    done = run("adapters", "list", "--json")
    assert done.code == 0
    found = {entry["run"]: entry for entry in json.loads(done.out)}
    assert sorted(found) == ["broken", "empty", "gone", "loop", "one"]
    assert [name for name, entry in found.items() if not entry["fault"]] == ["one"]
    assert "missing; found: nothing" in found["empty"]["fault"]
    assert (found["one"]["rows"], found["one"]["final_loss"], found["one"]["rank"]) == (10, 1.5, 8)
    assert (found["one"]["method"], found["one"]["base_model"]) == ("LoRA, 16 bits", "./base")
    shown = run("adapters", "list")
    assert shown.code == 0
    assert len(shown.out.splitlines()) == 6
    assert "finlora adapters verify all" in shown.err
    verified = run("adapters", "verify", "all")
    assert verified.code == 1
    assert verified.out.count("fail  ") == 4
    assert "4 of 5 failed" in verified.err


def test_kept_scores_are_listed_with_whose_weights_they_are(place, project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    keep_score(project, "one", task="a", score=0.9)
    keep_score(project, "one", task="b", score=0.9, respondent={"adapter_sha256": "0" * 64})
    done = run("adapters", "list", "--json")
    assert [score["current"] for score in json.loads(done.out)[0]["scores"]] == [True, False]
    assert "b 90.0% (of other weights)" in run("adapters", "list").out
    shown = run("adapters", "show", "one")
    assert "a: accuracy 90.0% (50.0%-95.0%), 10 rows; majority 60.0%" in shown.out
    assert "the score on b is of other weights" in shown.err
    (project.root / "results" / "fp16_r8" / "one" / "a.json").write_text("{")
    assert "can't be read" in json.loads(run("adapters", "list", "--json").out)[0]["fault"]


def test_all_about_one(place, project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    shown = run("adapters", "show", "one")
    assert shown.code == 0
    for part in (
        '"<u>"',
        "3" * 64,
        "2.5000 at step 1, 1.5000 at step 3",
        adapters.read(place).weights_sha256(),
    ):
        assert part in shown.out
    record = json.loads(run("adapters", "show", "one", "--json").out)
    assert [file["name"] for file in record["files"]] == sorted(path.name for path in place.iterdir())
    assert record["manifest"]["run"]["base_model"] == RUN["base_model"]
    (place / adapters.MANIFEST).unlink()
    bare = run("adapters", "show", "one")
    assert bare.code == 0
    assert "a bare PEFT adapter" in bare.err


# Federated.


def published(place, manifest):
    """Publish weights that are there as another variant's."""
    there = adapters.place(place.parents[2], manifest["variant"], "one")
    return adapters.publish(place, there, manifest, "./base").folder


@pytest.mark.parametrize("asked", [{}, {"privacy": PRIVATE}, {"partition": None, "sha256": None}])
def test_a_federated_adapter_is_sound(place, asked):
    manifest = federate(json.loads((place / adapters.MANIFEST).read_text()), **asked)
    folder = published(place, manifest)
    [found] = shelf_checks.verify([f"{folder.parent.name}/one"], place.parents[2])
    assert (found.name, found.faults) == ("fp16_r8_fed/one", ())


def test_where_a_is_frozen_only_b_was_trained(place):
    tensors = weights()
    trained = sum(tensor.size for key, tensor in tensors.items() if ".lora_B." in key)
    made = federate(json.loads((place / adapters.MANIFEST).read_text()), aggregate="ffa")
    folder = published(
        place, {**made, "built": {**made["built"], "trainable_parameters": trained, "a_frozen": True}}
    )
    [found] = shelf_checks.verify([str(folder)], None)
    assert found.faults == ()
    edit(folder / adapters.MANIFEST, built={**made["built"], "trainable_parameters": trained})
    [found] = shelf_checks.verify([str(folder)], None)
    assert len(found.faults) == 1
    assert f"{trained:,} were trained" in found.faults[0]


def test_a_damaged_federated_manifest_is_told(place):
    made = federate(json.loads((place / adapters.MANIFEST).read_text()), privacy=PRIVATE)
    del made["federated"]["privacy"]["epsilon"]
    folder = published(place, {**made, "federated": {**made["federated"], "rounds": "many"}})
    [found] = shelf_checks.verify(["fp16_r8_fed/one"], place.parents[2])
    assert found.faults == (
        f"{adapters.MANIFEST}: federated.rounds, federated.privacy.epsilon missing or damaged",
    )
    about = shelf_page.describe(adapters.read(folder), None)
    assert dict(shelf_page.page(about))["federated"] == [
        "missing or damaged: federated.rounds, federated.privacy.epsilon"
    ]


def test_of_two_of_one_name_a_damaged_one_is_named_by_its_variant(place):
    folder = published(place, federate(json.loads((place / adapters.MANIFEST).read_text())))
    (folder / adapters.PEFT_CONFIG).unlink()
    [found] = shelf_checks.verify(["fp16_r8_fed/one"], place.parents[2])
    assert found.faults == (
        f"not an adapter: {adapters.PEFT_CONFIG} missing; found: {adapters.WEIGHTS}, {adapters.MANIFEST}",
    )


def test_the_list_and_the_page_of_federated_adapters(project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    shelve(project, "one")
    shelve(project, "one", federated={})
    shelve(project, "two", federated={"privacy": PRIVATE})
    listed = run("adapters", "list")
    assert listed.code == 0
    assert [line.split()[:2] + line.split()[7:9] for line in listed.out.splitlines()[1:]] == [
        ["one", "fp16_r8", "10", "1.5000"],
        ["one", "fp16_r8_fed", "12", "1.5000"],
        ["two", "fp16_r8_fed", "-", "-"],
    ]
    which = run("adapters", "show", "one")
    assert (which.code, which.out) == (2, "")
    assert "name the variant too: fp16_r8/one or fp16_r8_fed/one" in which.err
    assert (
        "score it with: finlora eval --adapter fp16_r8_fed/one --"
        in run("adapters", "show", "fp16_r8_fed/one").out
    )
    assert "\nfederated\n" not in run("adapters", "show", "fp16_r8/one").out
    central, private = (run("adapters", "show", name).out for name in ("fp16_r8_fed/one", "two"))
    assert "  rounds                  3; 1 lost: too few updates\n" in central
    assert "  training                2.0000 at step 8, 1.5000 at step 16\n" in central
    for line in (
        *("digest", "rows", "trained on", "dropped", "tokens", "tokens trained on"),
        *("steps", "training"),
    ):
        assert f"\n  {line:<24}not told\n" in private
    assert "  privacy                 epsilon 8.39 at delta 1e-05, for one whole institution" in private
    assert "  held out                none\n" in private


def test_an_empty_shelf_says_the_next_command(project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    listed = run("adapters", "list")
    assert (listed.code, listed.out) == (0, "")
    assert "finlora finetune NAME" in listed.err
    assert run("adapters", "list", "--json").out == "[]\n"
    assert run("adapters", "verify").code == 2


def test_outside_a_project(place, tmp_path, run, monkeypatch):
    away = tmp_path / "away"
    away.mkdir()
    monkeypatch.chdir(away)
    for argv in (["list"], ["verify"], ["show", "one"]):
        assert run("adapters", *argv).code == 2
    assert run("adapters", "verify", place).code == 0
    assert run("adapters", "show", Path(place)).code == 0


def test_names_that_are_nobodys(place, project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    for name in ("nobody", ""):
        assert run("adapters", "verify", name).code == 2
    assert run("adapters", "verify", "all", "one").code == 2
    assert run("adapters", "verify", "one", "--json").code == 0
