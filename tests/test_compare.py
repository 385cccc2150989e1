"""Adapters side by side: the table, what differs besides the method, the scores, the refusals."""

import json

import pytest

from finlora import compare
from finlora.errors import AdapterError, FinLoRAError, UsageError
from tests.conftest import PRIVATE, keep_score, shelve, trained_manifest, write_adapter

GIB = 2**30


def differing(facts):
    return {fact.name: fact.values for fact in facts}


def rows(compared):
    return {fact.name: fact.values for fact in compared.rows}


def pair(project, settings=None, **facts):
    """Compare an adapter with one that differs from it as told."""
    shelve(project, "one")
    shelve(project, "two", settings, **facts)
    return compare.compare(["one", "two"], project.root)


def edit(folder, key, value):
    """Change one part of a manifest, named by a dotted key; a value of ... takes it away."""
    path = folder / "finlora.json"
    manifest = json.loads(path.read_text())
    *way, last = key.split(".")
    part = manifest
    for step in way:
        part = part[step]
    part[last] = value
    if value is ...:
        del part[last]
    path.write_text(json.dumps(manifest))


def test_what_they_reached_and_cost(project):
    shelve(project, "one", seconds=20.0)
    shelve(
        project,
        "two",
        {"quant_bits": 4, "batch_size": 5, "num_epochs": 2},
        losses=[(1, 2.6), (2, 2.2), (3, 1.9), (4, 1.25)],
        validation=[(0, 3.1), (2, 2.0), (4, 1.5)],
        seconds=36.0,
        gpu_peak_bytes=3 * GIB,
        cpu_peak_bytes=GIB,
    )
    compared = compare.compare(["one", "two"], project.root)
    assert compared.columns == ("one", "two")
    assert rows(compared) == {
        "variant": ("fp16_r8", "4bits_r8"),
        "first training loss": (2.5, 2.6),
        "last training loss": (1.5, 1.25),
        "first held-out loss": (3.0, 3.1),
        "last held-out loss": (3.0, 1.5),
        "seconds": (20.0, 36.0),
        # 3 of 10 steps of the one pass; 4 steps of 5 rows are two passes over 10 rows.
        "tokens": (270, 1800),
        "answer tokens trained": (18, 120),
        "tokens per second": (14, 50),
        "steps": (3, 4),
        "effective batch": (1, 5),
        "trainable parameters": (8000, 8000),
        "GPU memory peak": (None, 3 * GIB),
        "CPU memory peak": (None, GIB),
    }
    assert compared.curves[1].train == [(1, 2.6), (2, 2.2), (3, 1.9), (4, 1.25)]
    assert compared.curves[1].validation == [(0, 3.1), (2, 2.0), (4, 1.5)]


METHODS = {
    "quant_bits": {"quant_bits": 4},
    "lora_r": {"lora_r": 4},
    "lora_alpha": {"lora_alpha": 32},
    "peft_use_dora": {"peft_use_dora": True},
    "peft_use_rslora": {"peft_use_rslora": True},
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_alone_compares(project, name):
    compared = pair(project, METHODS[name])
    assert compared.verdict == f"Same in everything but the method ({name})"
    assert list(differing(compared.method)) == [name]
    assert compared.differences == ()
    assert len(METHODS) == 5


def test_the_adapted_modules_are_those_that_were_built(project):
    # Named or found by itself, it is the same method.
    assert pair(project, {"lora_target_modules": ["q_proj", "k_proj", "v_proj"]}).method == ()
    shelve(project, "three", {"lora_target_modules": ["q_proj"]}, targets=["q_proj"])
    compared = compare.compare(["one", "three"], project.root)
    assert compared.verdict == "Same in everything but the method (lora_target_modules)"


def test_nothing_differs(project):
    assert pair(project).verdict == "Same in everything, the method too"


SETTINGS = {
    "lora_dropout": 0.0,
    "learning_rate": 0.0002,
    "num_epochs": 3,
    "gradient_accumulation_steps": 2,
    "sequence_len": 512,
    "val_set_size": 0.1,
    "seed": 7,
}


@pytest.mark.parametrize("key", SETTINGS)
def test_another_setting_is_named(project, key):
    compared = pair(project, {key: SETTINGS[key], "quant_bits": 4})
    assert key in differing(compared.differences)
    assert compared.verdict.startswith(f"These differ besides the method (quant_bits): {key}") or key == (
        "gradient_accumulation_steps"
    )
    assert compared.verdict.endswith("; the scores are not a comparison of methods alone")
    assert len(SETTINGS) == 7


def test_the_same_method_trained_otherwise(project):
    compared = pair(project, {"batch_size": 4})
    assert differing(compared.differences) == {"effective batch": ("1", "4"), "batch_size": ("1", "4")}
    assert compared.verdict == "The method is the same; these differ: effective batch, batch_size"


def test_further_axolotl_keys_are_compared_one_by_one(project):
    compared = pair(project, {"axolotl": {"warmup_steps": 3, "weight_decay": 0.1}})
    assert differing(compared.differences) == {
        "axolotl.warmup_steps": ("absent", "3"),
        "axolotl.weight_decay": ("absent", "0.1"),
    }


# A part of the manifest: its other value, and how the difference is called.
CIRCUMSTANCES = {
    "dataset.sha256": ("f" * 64, "data", ("rows.jsonl: 333333333333", "rows.jsonl: ffffffffffff")),
    "dataset.train": (9, "rows trained on", ("10", "9")),
    "dataset.validation": (2, "rows held out", ("1", "2")),
    "dataset.dropped.count": (0, "rows dropped", ("1", "0")),
    "base_model.identity": ("tiny:2", "base model", ("./base: tiny:1", "./base: tiny:2")),
    "base_model.tokenizer_sha256": ("4", "tokenizer", ("2", "4")),
    "prompt.style": ("inst", "prompt", None),
    "prompt.tail": (" Answer:", "prompt", None),
    "prompt.stop": (["</s>", "x"], "prompt", None),
    "steps": (8, "steps", ("3", "8")),
    "processes": (4, "processes", ("1", "4")),
    "engine.zero_stage": (1, "engine", ("LoraModel", "LoraModel ZeRO-1")),
    "dtype": ("bfloat16", "dtype", ("float32", "bfloat16")),
    "hardware.gpus": (["NVIDIA H200"], "GPUs", ("none", "NVIDIA H200")),
    "hardware.cores": (64, "CPU", None),
    "versions.finlora": ("9.9", "finlora version", None),
    "versions.peft": (..., "peft version", None),
}


@pytest.mark.parametrize("key", CIRCUMSTANCES)
def test_whatever_else_differs_is_named(project, key):
    value, name, shown = CIRCUMSTANCES[key]
    shelve(project, "one")
    edit(shelve(project, "two"), key, value)
    [(found, values)] = differing(compare.compare(["one", "two"], project.root).differences).items()
    assert found == name
    assert values == shown or (shown is None and values[0] != values[1])
    assert len(CIRCUMSTANCES) == 17


def test_names_are_no_difference(project):
    compared = pair(project, {"dataset_path": "../data/train/renamed.jsonl", "base_model": "../base"})
    assert compared.differences == ()


def test_a_key_that_an_older_finlora_did_not_have_is_absent(project):
    shelve(project, "one")
    edit(shelve(project, "two"), "run.brand_new", 5)
    edit(project.root / "lora_adapters/fp16_r8/two", "run.none_by_default", None)
    [fact] = compare.compare(["one", "two"], project.root).differences
    assert (fact.name, fact.values) == ("brand_new", ("absent", "5"))


def test_older_manifests_without_later_parts_are_read(project):
    for name in ("one", "two"):
        folder = shelve(project, name)
        manifest = json.loads((folder / "finlora.json").read_text())
        for key in {"cpu_peak_bytes", "gpu_peak_bytes"} & manifest.keys():
            edit(folder, key, ...)
    assert rows(compare.compare(["one", "two"], project.root))["tokens per second"] == (14, 14)


def test_three_and_more(project):
    for number, rank in enumerate([2, 4, 8, 16]):
        shelve(project, f"run{number}", {"lora_r": rank})
    compared = compare.compare([f"run{number}" for number in range(4)], project.root)
    assert differing(compared.method) == {"lora_r": ("2", "4", "8", "16")}
    assert all(len(fact.values) == 4 for fact in compared.rows)


def test_equal_names_are_told_apart(project, tmp_path):
    here, there = shelve(project, "one"), shelve(project, "one", {"lora_r": 4})
    assert compare.compare([str(here), str(there)], project.root).columns == ("fp16_r8/one", "fp16_r4/one")
    copy = write_adapter(tmp_path / "one", manifest=trained_manifest("one"))
    columns = compare.compare([str(here), str(copy)], project.root).columns
    assert columns == (str(here), str(copy))


def test_scores_on_one_file_stand_side_by_side(project):
    for name in ("one", "two", "three"):
        shelve(project, name)
    keep_score(project, "one")
    keep_score(project, "two", score=0.9)
    compared = compare.compare(["one", "two", "three"], project.root)
    first = compared.rows[0]
    assert (first.name, first.kind) == ("accuracy on fpb", "score")
    assert [score and score.score for score in first.values] == [0.8, 0.9, None]
    assert compared.notes == ()


def test_scores_on_different_files_are_not_compared(project):
    pair(project)
    keep_score(project, "one")
    keep_score(project, "two", dataset_sha256="e" * 64)
    keep_score(project, "two", task="other")
    compared = compare.compare(["one", "two"], project.root)
    assert [fact.name for fact in compared.rows][:2] == ["accuracy on other", "variant"]
    [note] = compared.notes
    assert note.startswith("scores on fpb are left out: the adapters were scored on different rows")


@pytest.mark.parametrize("changes", [{"metric": "rouge_l"}, {"settings": {"rows_seed": 7}}])
def test_scores_of_other_metrics_or_draws_are_not_compared(project, changes):
    pair(project)
    keep_score(project, "one")
    keep_score(project, "two", **changes)
    compared = compare.compare(["one", "two"], project.root)
    assert [fact.kind for fact in compared.rows].count("score") == 0
    assert len(compared.notes) == 1


def test_each_way_of_scoring_is_compared_with_its_own_kind(project):
    pair(project)
    for name, changes in (("one", {"decode": "generate"}), ("two", {"scorer": "reference"})):
        keep_score(project, name, **changes)
    names = [fact.name for fact in compare.compare(["one", "two"], project.root).rows[:2]]
    assert names == ["accuracy on fpb (generated)", "accuracy on fpb (the benchmark's rule)"]


def test_a_score_of_an_earlier_adapter_is_left_out(project):
    pair(project)
    keep_score(project, "one")
    keep_score(project, "two")
    weights = project.root / "lora_adapters" / "fp16_r8" / "two" / "adapter_model.safetensors"
    weights.write_bytes(b"trained again")
    compared = compare.compare(["one", "two"], project.root)
    assert [score and score.score for score in compared.rows[0].values] == [0.8, None]
    [note] = compared.notes
    assert note.startswith("two: its score on fpb belongs to an earlier adapter of that name")
    assert "finlora eval --adapter two --task fpb" in note


def test_of_two_adapters_of_one_name_the_variant_says_which_to_score(project):
    shelve(project, "one", federated={})
    weights = shelve(project, "one") / "adapter_model.safetensors"
    shelve(project, "two")
    keep_score(project, "one")
    weights.write_bytes(b"trained again")
    [note, *_] = compare.compare(["fp16_r8/one", "two"], project.root).notes
    assert "score it again: finlora eval --adapter fp16_r8/one --task fpb" in note


def test_without_scores_it_says_how_to_get_them(project):
    assert pair(project).notes == ("no scores to compare: finlora eval --adapter NAME --task TASK keeps one",)


def test_outside_a_project_folders_compare_without_scores(project):
    pair(project)
    keep_score(project, "one")
    shelf = project.root / "lora_adapters" / "fp16_r8"
    compared = compare.compare([str(shelf / "one"), str(shelf / "two")], None)
    assert compared.rows[0].name == "variant"


def test_a_damaged_score_is_named(project):
    pair(project)
    keep_score(project, "one").write_text("{")
    with pytest.raises(FinLoRAError, match=r"results/fp16_r8/one/fpb\.json: can't be read"):
        compare.compare(["one", "two"], project.root)


@pytest.mark.parametrize("names", [[], ["one"]])
def test_one_adapter_alone_is_refused(project, names):
    shelve(project, "one")
    with pytest.raises(UsageError, match="compare wants two adapters or more"):
        compare.compare(names, project.root)


def test_an_adapter_named_twice_is_refused(project):
    pair(project)
    with pytest.raises(UsageError, match="'one' is named twice; name two different adapters"):
        compare.compare(["one", "two", "one"], project.root)
    folder = str(project.root / "lora_adapters" / "fp16_r8" / "one")
    with pytest.raises(UsageError, match=r"one' is named twice \(also as 'one'\)"):
        compare.compare(["one", folder], project.root)


def test_a_bare_adapter_is_refused(project):
    shelve(project, "one")
    write_adapter(project.root / "lora_adapters" / "fp16_r8" / "bare")
    with pytest.raises(AdapterError, match=r"bare: no finlora\.json says how this adapter was trained"):
        compare.compare(["one", "bare"], project.root)


DAMAGE = [
    ("run", ...),
    ("run.quant_bits", "8"),
    ("run.peft_use_dora", 1),
    ("run.axolotl", []),
    ("run.dataset_path", None),
    ("base_model.identity", ...),
    ("prompt.stop", "x"),
    ("dataset.sha256", 3),
    ("dataset.train", 0),
    ("dataset.dropped.count", -1),
    ("built.trainable_parameters", 1.5),
    ("built.targets", []),
    ("effective_batch", 0),
    ("seconds", float("nan")),
    ("losses.train", []),
    ("losses.train", [[1, 2.0], [2]]),
    ("losses.validation", [[1, "x"]]),
    ("hardware.gpus", {}),
    ("versions", {"peft": 1}),
    ("gpu_peak_bytes", "much"),
]


@pytest.mark.parametrize(("key", "value"), DAMAGE)
def test_a_damaged_manifest_is_refused_by_file_and_key(project, key, value):
    shelve(project, "one")
    edit(shelve(project, "two"), key, value)
    with pytest.raises(AdapterError, match=rf"fp16_r8/two/finlora\.json: {key}.* missing or damaged; get"):
        compare.compare(["one", "two"], project.root)
    assert len(DAMAGE) == 20


def test_a_federated_training_beside_a_central_one(project):
    shelve(project, "one")
    shelve(project, "one", federated={})
    compared = compare.compare(["fp16_r8/one", "fp16_r8_fed/one"], project.root)
    assert compared.columns == ("fp16_r8/one", "fp16_r8_fed/one")
    found = rows(compared)
    assert {
        name: found[name]
        for name in ("clients", "rounds", "tokens", "answer tokens trained", "tokens per second", "steps")
    } == {
        "clients": (None, 2),
        "rounds": (None, 3),
        # Of two rounds with two clients each: counted over all rounds, and no pass more.
        "tokens": (270, 1800),
        "answer tokens trained": (18, 120),
        "tokens per second": (14, 120),
        "steps": (3, 16),
    }
    assert "epsilon" not in found
    assert found["first training loss"] == (2.5, 2.0)
    assert found["last held-out loss"] == (3.0, None)
    assert differing(compared.differences) == {
        "rows trained on": ("10", "12"),
        "rows held out": ("1", "0"),
        "rows dropped": ("1", "4 over all rounds"),
        "steps": ("3", "16"),
        "engine": ("LoraModel", "Flower"),
        "clients": ("none", "a, b"),
        "partition": ("none", "iid"),
        "rounds": ("none", "3; 1 lost: too few updates"),
        "answers": ("none", "5"),
        "aggregate": ("none", "fedavg, weights: rows"),
    }
    assert "not compared" not in compared.verdict
    assert [note for note in compared.notes if note.startswith("fp16_r8_fed/one: federated; a loss is")]
    assert compared.curves[1].train == [(8, 2.0), (16, 1.5)]


def test_what_a_private_training_does_not_tell_is_neither_a_figure_nor_a_difference(project):
    shelve(project, "one")
    shelve(project, "two", federated={"privacy": PRIVATE})
    compared = compare.compare(["one", "two"], project.root)
    found = rows(compared)
    untold = ("first training loss", "last training loss", "tokens", "tokens per second", "steps")
    assert [found[name][1] for name in untold] == [None] * 5
    assert found["epsilon"] == (None, "8.39 at delta 1e-05")
    assert compared.unknown == ("data", "rows trained on", "rows dropped", "steps")
    assert not {*compared.unknown} & differing(compared.differences).keys()
    assert differing(compared.differences)["privacy"] == ("none", "clip 0.5, noise 1, delta 1e-05")
    assert compared.verdict.endswith(
        "; not told by all, and so not compared: data, rows trained on, rows dropped, steps"
    )
    assert [curve.name for curve in compared.curves] == ["one"]
    assert "two: federated under differential privacy; losses, steps and rows are not told" in compared.notes


def test_what_two_tell_is_compared_though_a_third_does_not(project):
    shelve(project, "one")
    shelve(project, "two", {"seed": 1}, dataset_sha256="f" * 64)
    shelve(project, "three", federated={"partition": None, "sha256": None})
    compared = compare.compare(["one", "two", "three"], project.root)
    assert differing(compared.differences)["data"] == (
        *("rows.jsonl: 333333333333", "rows.jsonl: ffffffffffff", "the clients' own: not told"),
    )
    assert compared.unknown == ()


ROUNDS = {
    "clients": (["a", "b", "c"], ("a, b", "a, b, c")),
    "partition.kind": ("dirichlet", ("iid", "dirichlet")),
    "rounds": (4, ("3; 1 lost: too few updates", "4 of 3 asked for; 1 lost: too few updates")),
    "participants": ([["a"], ["a"], ["b"]], ("5", "3")),
    "aggregate": ("ffa", ("fedavg, weights: rows", "ffa, weights: rows")),
    "weights": ("equal", ("fedavg, weights: rows", "fedavg, weights: equal")),
}


@pytest.mark.parametrize("key", ROUNDS)
def test_whatever_differs_between_federated_trainings_is_named(project, key):
    value, shown = ROUNDS[key]
    shelve(project, "one", federated={})
    edit(shelve(project, "two", federated={}), f"federated.{key}", value)
    [(_, values)] = differing(compare.compare(["one", "two"], project.root).differences).items()
    assert values == shown
    assert len(ROUNDS) == 6


def test_many_clients_that_are_others_differ(project):
    for name, last in (("one", "x"), ("two", "y")):
        clients = [*(f"client_{number}" for number in range(9)), last]
        edit(shelve(project, name, federated={}), "federated.clients", clients)
    [fact] = compare.compare(["one", "two"], project.root).differences
    assert fact.name == "clients"
    assert all(value.startswith("10 (") for value in fact.values)


FEDERATED_DAMAGE = [
    ("federated", ..., {}),
    ("federated", [], {}),
    ("federated.clients", [], {}),
    ("federated.partition", "iid", {}),
    ("federated.partition.rows", {"a": "6"}, {}),
    ("federated.rounds", None, {}),
    ("federated.participants", [["a"], "b"], {}),
    ("federated.dropped", [{"a": 1}], {}),
    ("federated.learning_rates", [], {}),
    # Without differential privacy all of it is told.
    ("dataset.train", None, {}),
    ("dataset.tokens", None, {}),
    ("steps", None, {}),
    ("losses.train", [], {}),
    ("federated.privacy", {}, {}),
    ("federated.privacy.epsilon", "8", {"privacy": PRIVATE}),
    ("federated.privacy.assumptions", None, {"privacy": PRIVATE}),
    ("federated.privacy.max_epsilon", "x", {"privacy": PRIVATE}),
    ("dataset.train", 0, {"privacy": PRIVATE}),
    ("losses.train", None, {"privacy": PRIVATE}),
]


@pytest.mark.parametrize(("key", "value", "federated"), FEDERATED_DAMAGE)
def test_a_damaged_federated_manifest_is_refused_by_file_and_key(project, key, value, federated):
    shelve(project, "one")
    edit(shelve(project, "two", federated=federated), key, value)
    with pytest.raises(AdapterError, match=rf"fp16_r8_fed/two/finlora\.json: .*{key}.* missing or damaged"):
        compare.compare(["one", "two"], project.root)
    assert len(FEDERATED_DAMAGE) == 19


@pytest.mark.parametrize("key", ["dataset.sha256", "dataset.train", "steps", "losses.train"])
def test_a_central_manifest_tells_all(project, key):
    shelve(project, "one")
    edit(shelve(project, "two"), key, None)
    with pytest.raises(AdapterError, match=f"{key} missing or damaged"):
        compare.compare(["one", "two"], project.root)


def test_the_command_prints_what_is_not_told_as_such(project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    for name in ("one", "two"):
        shelve(project, name, federated={"privacy": PRIVATE})
    done = run("compare", "one", "two")
    assert done.code == 0
    assert "epsilon               8.39 at delta 1e-05  8.39 at delta 1e-05" in done.out
    assert "Same in everything, the method too; not told by all, and so not compared: data, rows" in done.out
    assert json.loads(run("compare", "one", "two", "--json").out)["differences"] == []


def test_the_command_prints_the_table_and_the_verdict(project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    pair(project, {"quant_bits": 16, "seed": 1}, cpu_peak_bytes=GIB * 3 // 2)
    keep_score(project, "one")
    done = run("compare", "one", "two")
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert ["one", "two"] in lines
    assert ["accuracy", "on", "fpb", "80.0%", "(50.0%-95.0%)", "-"] in lines
    assert ["first", "training", "loss", "2.5000", "2.5000"] in lines
    assert ["CPU", "memory", "peak", "-", "1.50", "GiB"] in lines
    assert ["trainable", "parameters", "8,000", "8,000"] in lines
    assert "The method is the same; these differ: seed\n" in done.out
    assert lines[-2:] == [["differs", "in", "one", "two"], ["seed", "42", "1"]]
    assert done.err == ""


def test_the_command_prints_json(project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    pair(project, {"lora_r": 4})
    done = run("compare", "one", "two", "--json")
    record = json.loads(done.out)
    assert list(record) == ["adapters", "rows", "method", "differences", "verdict", "notes"]
    assert record["method"] == [{"name": "lora_r", "kind": "text", "values": ["8", "4"]}]
    assert record["verdict"] == "Same in everything but the method (lora_r)"
    assert done.err == f"note: {record['notes'][0]}\n"
