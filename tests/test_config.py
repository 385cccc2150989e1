"""The run config: every fault named with its line, defaults in one place, names and variants."""

import json
import random
from pathlib import Path

import pytest

from finlora import config
from finlora.config import RunConfig, check_run, find_config, load, project_root
from finlora.errors import ConfigError, UsageError
from tests.conftest import RUN

NEEDED = {"base_model": "x", "dataset_path": "y"}
DEFAULTS = {
    "quant_bits": 16,
    "lora_r": 8,
    "lora_alpha": 16,
    "lora_dropout": 0.05,
    "lora_target_modules": None,
    "peft_use_dora": False,
    "peft_use_rslora": False,
    "learning_rate": 1e-4,
    "num_epochs": 1,
    "batch_size": 1,
    "gradient_accumulation_steps": 1,
    "global_batch_size": None,
    "sequence_len": 4096,
    "val_set_size": 0.02,
    "seed": 42,
    "prompt_style": None,
    "dtype": "auto",
    "deepspeed": "zero1",
    "axolotl": {},
}
BAD_VALUES = {
    "base_model": ["", None, 3, ["x"], "a\0b", "\ud800", "~nobody-is-called-so/x"],
    "dataset_path": ["", None, {}, "a\0b", "~nobody-is-called-so/x"],
    "quant_bits": [0, 5, 32, "8", True, 8.5],
    "lora_r": [0, -1, 4097, 8.5, "8", True, None],
    "lora_alpha": [0, 65537, "16", 0.5],
    "lora_dropout": [-0.1, 1, 1.5, "0", None],
    "lora_target_modules": [[], "q_proj", [1], {}],
    "peft_use_dora": ["true", 1, None],
    "peft_use_rslora": ["false", 0],
    "learning_rate": [0, -1e-4, 1.1, "1e-4", float("nan"), float("inf")],
    "num_epochs": [0, 1001, "1"],
    "batch_size": [0, 65537, 1.5],
    "gradient_accumulation_steps": [0, "2"],
    "global_batch_size": [0, "16", 16.5, True],
    "sequence_len": [7, 1048577, 512.5],
    "val_set_size": [-0.01, 1, "0.1"],
    "seed": [-1, 2**32, 1.5],
    "prompt_style": ["alpaca", 3, ""],
    "dtype": ["fp16", "float16", None],
    "deepspeed": ["", None, 3],
    "axolotl": [[], "x", None],
}


def test_defaults():
    run, faults = check_run("a", NEEDED)
    assert not faults
    assert run.model_dump() == {**NEEDED, **DEFAULTS}
    assert set(BAD_VALUES) == set(RunConfig.model_fields)


@pytest.mark.parametrize("key", BAD_VALUES)
def test_a_bad_value_is_shown_beside_what_is_allowed(key):
    for value in BAD_VALUES[key]:
        run, faults = check_run("a", {**NEEDED, key: value})
        assert run is None
        allowed = RunConfig.model_fields[key].description
        assert faults == [
            (key, f"run 'a': {key} is {json.dumps(value, ensure_ascii=False)}; allowed: {allowed}")
        ]


def test_every_key_says_what_is_allowed():
    assert all(field.description for field in RunConfig.model_fields.values())


def test_long_values_are_cut_in_messages():
    _, faults = check_run("a", {**NEEDED, "lora_r": "x" * 500})
    assert f'lora_r is "{"x" * 56}...; allowed:' in faults[0][1]


def test_null_bits_mean_unquantised():
    assert check_run("a", {**NEEDED, "quant_bits": None})[0].quant_bits == 16


def test_all_faults_of_a_run_come_at_once_in_file_order():
    _, faults = check_run("bad name", {"lora_rr": 4, "dataset_path": 3, "zzz": 1, "lora_r": 0})
    assert sorted(key for key, _ in faults) == ["", "base_model", "dataset_path", "lora_r", "lora_rr", "zzz"]
    messages = dict(faults)
    assert messages[""].startswith("run 'bad name': a run name is letters, digits")
    assert messages["lora_rr"] == "run 'bad name': unknown key 'lora_rr', did you mean 'lora_r'?"
    assert "unknown key 'zzz'; known keys: base_model, dataset_path, quant_bits" in messages["zzz"]
    assert "the key 'base_model' is missing (text: a hub id" in messages["base_model"]


@pytest.mark.parametrize("name", ["", ".hidden", "-x", "a b", "a/b", "../a", "é", "x" * 201])
def test_a_name_that_can_be_no_folder(name):
    run, faults = check_run(name, NEEDED)
    assert run is None
    assert "it becomes a folder" in faults[0][1]


@pytest.mark.parametrize("name", ["a", "A-1_2.b", "9", "x" * 200])
def test_a_name_that_can(name):
    assert check_run(name, NEEDED)[0] is not None


@pytest.mark.parametrize("entry", [None, 3, "x", [NEEDED], True])
def test_a_run_is_an_object(entry):
    assert check_run("a", entry)[1] == [("", f"run 'a' is {json.dumps(entry)}; a run is a JSON object")]


@pytest.mark.parametrize(
    ("settings", "variant"),
    [
        ({}, "fp16_r8"),
        ({"quant_bits": 16}, "fp16_r8"),
        ({"quant_bits": 8}, "8bits_r8"),
        ({"quant_bits": 4, "lora_r": 4}, "4bits_r4"),
        ({"quant_bits": 8, "peft_use_dora": True}, "8bits_r8_dora"),
        ({"quant_bits": 8, "peft_use_rslora": True}, "8bits_r8_rslora"),
        ({"peft_use_rslora": True, "peft_use_dora": True, "lora_alpha": 8}, "fp16_r8_dora_rslora_a8"),
        ({"quant_bits": 8, "peft_use_dora": True, "lora_alpha": 32}, "8bits_r8_dora_a32"),
        ({"quant_bits": 8, "lora_alpha": 16}, "8bits_r8"),
    ],
)
def test_variants(settings, variant):
    assert check_run("a", {**NEEDED, **settings})[0].variant == variant


def test_good_and_bad_runs_are_kept_apart_with_the_lines_of_the_faults(project):
    project.write_config(
        '{\n"$schema": "./s.json",\n"good": {"base_model": "x", "dataset_path": "y"},\n'
        '"bad": {\n"base_model": "x",\n"dataset_path": "y",\n"lora_r": 0,\n"nope": 1},\n"worse": 3\n}'
    )
    file = load(project.config)
    assert list(file.runs) == ["good"]
    assert file.names == ["good", "bad", "worse"]
    assert [problem.line for problem in file.problems["bad"]] == [7, 8]
    assert [problem.line for problem in file.problems["worse"]] == [9]
    assert {problem.file for faults in file.problems.values() for problem in faults} == {str(project.config)}
    with pytest.raises(ConfigError, match="2 problems") as fault:
        file.pick("bad")
    assert len(fault.value.problems) == 2


def test_a_byte_order_mark_is_no_fault(project):
    project.write_config(b"\xef\xbb\xbf" + json.dumps({"a": RUN}).encode())
    assert list(load(project.config).runs) == ["a"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "1:1: not JSON"),
        (b"{}", "holds no run"),
        (b'{"$schema": "x"}', "holds no run"),
        (b'{"a": "\xff"}', "not UTF-8 text"),
        (b"[]", "must be a JSON object"),
    ],
)
def test_a_file_that_is_no_config(project, content, message):
    project.write_config(content)
    with pytest.raises(ConfigError, match=message):
        load(project.config)


def test_a_folder_is_no_config(project):
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load(project.root)


def test_pick_names_the_near_run_and_where_all_are(project):
    with pytest.raises(UsageError) as fault:
        project.load().pick("first_rum")
    assert str(fault.value) == (
        f"no run 'first_rum' in {project.config}, did you mean 'first_run'?\n"
        "See all runs with: finlora configs list"
    )


def test_the_project_is_above_a_folder_called_configs(tmp_path):
    assert project_root(tmp_path / "configs" / "x.json") == tmp_path
    assert project_root(tmp_path / "lora" / "x.json") == tmp_path / "lora"


def test_paths_are_relative_to_the_file(project, monkeypatch):
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/home/somebody")
    file = project.load()
    assert file.root == project.root
    assert file.resolve("../data/train/rows.jsonl") == project.dataset
    assert file.resolve("x.jsonl") == project.config.parent / "x.jsonl"
    assert file.resolve("/x.jsonl") == Path("/x.jsonl")
    assert file.resolve("~/x.jsonl") == Path("/home/somebody/x.jsonl")


def test_find_config_prefers_what_is_given_then_the_variable_then_what_is_around(
    project, monkeypatch, tmp_path
):
    deep = project.root / "data" / "train"
    monkeypatch.chdir(deep)
    assert find_config() == project.config
    other = tmp_path / "other.json"
    other.write_text("{}")
    monkeypatch.setenv("FINLORA_CONFIG", str(other))
    assert find_config() == other
    assert find_config(project.config) == project.config
    monkeypatch.setenv("FINLORA_CONFIG", "")
    assert find_config() == project.config


def test_find_config_names_who_sent_it_to_a_file_that_is_not_there(project, monkeypatch):
    monkeypatch.chdir(project.root)
    with pytest.raises(UsageError, match=r"nowhere\.json: no such config file \(from --config\)"):
        find_config(Path("nowhere.json"))
    monkeypatch.setenv("FINLORA_CONFIG", "gone.json")
    with pytest.raises(UsageError, match=r"gone\.json: no such config file \(from FINLORA_CONFIG\)"):
        find_config()


def test_without_a_config_the_next_step_is_named(tmp_path, monkeypatch, clean_environment):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="Make a project with: finlora init FOLDER"):
        find_config()


def test_the_schema_agrees_with_the_checks():
    schema = config.json_schema()
    assert schema["$schema"].endswith("2020-12/schema")
    run = schema["$defs"]["run"]
    assert set(run["properties"]) == set(RunConfig.model_fields)
    assert run["required"] == ["base_model", "dataset_path"]
    assert run["additionalProperties"] is False
    assert [*schema["patternProperties"]] == ["^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"]


def test_the_committed_schema_is_current():
    committed = Path(__file__).parents[1] / "configs" / "finetune_configs.schema.json"
    assert json.loads(committed.read_text()) == config.json_schema()


def test_a_step_is_said_in_one_way():
    run, faults = check_run("a", {**NEEDED, "global_batch_size": 16, "gradient_accumulation_steps": 2})
    assert (run, [key for key, _ in faults]) == (None, ["global_batch_size"])
    assert "leave one of them out" in faults[0][1]


def test_random_rubbish_gives_faults_and_never_a_crash():
    """Every value of every key, drawn from a heap of odd ones: a run or a list of faults comes back."""
    chance = random.Random(7)
    heap = [v for values in BAD_VALUES.values() for v in values] + [8, 0.5, "zero2", ["q"], {"a": None}, True]
    keys = [*RunConfig.model_fields, "", "nope", "Lora_r", "é"]
    checked = 0
    for _ in range(2000):
        entry = {key: chance.choice(heap) for key in chance.sample(keys, chance.randrange(len(keys)))}
        run, faults = check_run("a", entry)
        assert (run is None) == bool(faults)
        checked += 1
    assert checked == 2000
