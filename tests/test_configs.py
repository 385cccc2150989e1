"""The `configs` verbs, as functions and through the command line."""

import json

from finlora import config, configs
from finlora.config import RunConfig
from tests.conftest import RUN, write_adapter

RUNS = {
    "first": RUN,
    "second": {**RUN, "dataset_path": "../data/train/gone.jsonl", "quant_bits": 8, "peft_use_dora": True},
    "third": {**RUN, "axolotl": {"weight_decai": 1, "seed": 2}},
    "broken": {"base_model": 3},
}


def test_the_overview_says_what_is_present(project):
    file = project.load(RUNS)
    write_adapter(project.root / "lora_adapters" / "8bits_r8_dora" / "second")
    assert [line.run for line in configs.overview(file)] == ["first", "second", "third"]
    first, second, _ = configs.records(configs.overview(file))
    assert first == {
        "run": "first",
        "base_model": "./base",
        "variant": "fp16_r8",
        "dataset": "../data/train/rows.jsonl",
        "dataset_present": True,
        "adapter_present": False,
    }
    assert (second["dataset_present"], second["adapter_present"]) == (False, True)


def test_an_adapter_of_another_variant_is_not_this_runs(project):
    file = project.load(RUNS)
    write_adapter(project.root / "lora_adapters" / "4bits_r8" / "first")
    assert not configs.overview(file)[0].adapter_present


def test_a_run_is_shown_with_every_default_and_which_they_are(project):
    shown = configs.show("first", project.load(RUNS).pick("first"))
    assert shown["run"] == "first"
    assert shown["variant"] == "fp16_r8"
    assert shown["settings"].keys() == RunConfig.model_fields.keys()
    assert set(shown["settings"]) - set(shown["defaults"]) == {"base_model", "dataset_path", "lora_r"}


def test_all_faults_of_all_runs_come_at_once(project):
    messages = [str(problem) for problem in configs.validate(project.load(RUNS))]
    assert len(messages) == 4
    assert all(message.startswith(f"{project.config}:") for message in messages)
    text = "\n".join(messages)
    for fragment in (
        "base_model is 3",
        "run 'broken': the key 'dataset_path' is missing",
        "axolotl.weight_decai is no key of Axolotl's schema, did you mean 'weight_decay'?",
        "axolotl.seed is set by FinLoRA",
    ):
        assert fragment in text


def test_list_on_the_command_line(project, run):
    project.write_config(RUNS)
    done = run("configs", "list", "--config", project.config)
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert lines == [
        ["run", "base", "model", "variant", "dataset", "adapter"],
        ["first", "./base", "fp16_r8", "yes", "-"],
        ["second", "./base", "8bits_r8_dora", "-", "-"],
        ["third", "./base", "fp16_r8", "yes", "-"],
    ]
    assert done.err == "note: 1 other runs have faults; see: finlora configs validate\n"
    as_json = run("configs", "list", "--json", "--config", project.config)
    assert json.loads(as_json.out) == configs.records(configs.overview(project.load()))


def test_long_names_are_not_cut_where_nobody_looks(project, run):
    name = "a_run_with_a_name_of_some_length_" * 5
    project.write_config({name: {**RUN, "base_model": "meta-llama/" + "x" * 80}})
    line = run("configs", "list", "--config", project.config).out.splitlines()[1]
    assert line.split()[:2] == [name, "meta-llama/" + "x" * 80]


def test_show_on_the_command_line(project, run):
    done = run("configs", "show", "first_run", "--config", project.config)
    assert (done.code, done.err) == (0, "first_run (fp16_r8)\n")
    values = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()}
    assert len(values) == 1 + len(RunConfig.model_fields)
    assert values["lora_r"] == ["8"]
    assert values["seed"] == ["42", "default"]
    as_json = run("configs", "show", "first_run", "--json", "--config", project.config)
    assert json.loads(as_json.out) == configs.show("first_run", project.load().pick("first_run"))


def test_validate_on_the_command_line(project, run):
    good = run("configs", "validate", "--config", project.config)
    assert (good.code, good.out, good.err) == (0, f"{project.config}: 2 runs, no fault\n", "")
    as_json = run("configs", "validate", "--json", "--config", project.config)
    assert (as_json.code, json.loads(as_json.out)) == (0, [])
    project.write_config(RUNS)
    bad = run("configs", "validate", "--config", project.config)
    assert (bad.code, bad.out) == (2, "")
    assert bad.err.startswith("Error: 4 problems\n  1. ")
    as_json = run("configs", "validate", "--json", "--config", project.config)
    assert as_json.code == 2
    problems = json.loads(as_json.out)
    assert len(problems) == 4
    assert {"message", "file", "line", "column"} == set(problems[0])


def test_the_schema_on_the_command_line(run):
    done = run("configs", "schema")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == config.json_schema()
