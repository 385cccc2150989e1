"""What a training will be: options, machine and DeepSpeed, checked before anything starts."""

import json
import shlex
from pathlib import Path

import pytest
import yaml

from finlora import finetune, launch, machine_checks, training_plan
from finlora.config import check_run
from finlora.errors import ConfigError, DeepSpeedError, UsageError
from finlora.machine_checks import check_machine
from finlora.training_plan import Options, dry_run, plan, seen_from
from tests.conftest import RUN


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A CPU without bfloat16, unless a test asks for another machine."""

    def ask(gpus=0, bf16=False):
        monkeypatch.setattr(launch, "visible_gpus", lambda: gpus)
        monkeypatch.setattr(launch, "cpu_has_bf16", lambda: bf16)

    ask()
    return ask


def planned(project, options=None, **settings):
    return plan(project.load({"a": {**RUN, **settings}}), "a", options or Options())


def test_a_run_as_the_config_gives_it(project):
    made = planned(project)
    assert made.name == "a"
    assert made.root == project.root
    assert made.dataset == project.dataset
    assert made.folder == project.root / "axolotl-output" / "a"
    assert made.adapter == project.root / "lora_adapters" / "fp16_r8" / "a"
    assert (made.machine.device, made.machine.processes, made.machine.bf16) == ("cpu", 1, False)
    assert (made.machine.base, made.machine.deepspeed, made.machine.resume) == ("./base", None, None)
    assert made.zero_stage is None


def test_planning_writes_nothing_for_one_process(project):
    before = project.files()
    planned(project, deepspeed="zero3")
    assert project.files().keys() == before.keys()


def test_overrides_are_checked_and_renamed(project):
    made = planned(project, Options(overrides={"lora_r": 4, "quant_bits": 4}, new_name="b"))
    assert (made.name, made.run.lora_r, made.run.variant) == ("b", 4, "4bits_r4")
    assert made.adapter == project.root / "lora_adapters" / "4bits_r4" / "b"
    assert made.folder.name == "b"
    with pytest.raises(ConfigError, match="--set: run 'a': unknown key 'lora_rr', did you mean 'lora_r'"):
        planned(project, Options(overrides={"lora_rr": 4}, new_name="b"))
    with pytest.raises(ConfigError, match=r"axolotl\.weight_decai is no key"):
        planned(project, Options(overrides={"axolotl": {"weight_decai": 1}}, new_name="b"))


@pytest.mark.parametrize(("processes", "accumulation"), [(1, 8), (2, 4), (4, 2), (8, 1)])
def test_a_global_batch_stays_over_any_number_of_processes(project, processes, accumulation):
    made = planned(project, Options(processes=processes), batch_size=2, global_batch_size=16)
    assert made.mapping()["gradient_accumulation_steps"] == accumulation
    assert made.effective_batch == 16


@pytest.mark.parametrize(
    ("processes", "words"),
    [
        (3, "Possible with 3 processes: batch_size none; with batch_size 2: --num-processes 1, 2, 4, 8"),
        (16, "Possible with 16 processes: batch_size 1; with batch_size 2: --num-processes 1, 2, 4, 8"),
    ],
)
def test_a_global_batch_that_can_not_be_split_lists_what_can(project, processes, words):
    with pytest.raises(UsageError) as fault:
        planned(project, Options(processes=processes), batch_size=2, global_batch_size=16)
    assert f"global_batch_size 16 can't be split over {processes} processes" in str(fault.value)
    assert words in str(fault.value)


@pytest.mark.parametrize("options", [Options(overrides={"lora_r": 4}), Options(max_steps=3)])
def test_another_result_needs_another_name(project, options):
    with pytest.raises(UsageError, match="Name it: --as a_trial"):
        planned(project, options)


def test_max_steps_reach_the_yaml(project):
    made = planned(project, Options(max_steps=3, new_name="b"))
    assert made.mapping()["max_steps"] == 3


@pytest.mark.parametrize("name", ["../b", "a/b", "", ".b", "b c"])
def test_a_new_name_is_a_folder_name(project, name):
    options = Options(overrides={"lora_r": 4}, new_name=name)
    with pytest.raises(UsageError):
        planned(project, options)


def test_a_new_name_is_no_run_of_the_file(project):
    for taken in ("a", "b", "broken"):
        file = project.load({"a": RUN, "b": RUN, "broken": {}})
        with pytest.raises(UsageError, match=f"--as {taken}: a run of the config file is called so"):
            plan(file, "a", Options(new_name=taken))


def test_a_new_name_alone_is_allowed(project):
    assert planned(project, Options(new_name="b")).name == "b"


def test_a_faulty_run_is_refused_with_its_faults(project):
    with pytest.raises(ConfigError, match="lora_r is 0"):
        planned(project, lora_r=0)


def test_axolotl_keys_are_checked_all_at_once(project):
    with pytest.raises(ConfigError) as fault:
        planned(project, axolotl={"lora_r": 3, "weight_decai": 1, "warmup_steps": 2})
    assert [problem.message for problem in fault.value.problems] == [
        "run 'a': axolotl.lora_r is set by FinLoRA; use the run's own keys",
        "run 'a': axolotl.weight_decai is no key of Axolotl's schema, did you mean 'weight_decay'?",
    ]
    assert planned(project, axolotl={"warmup_steps": 2}).mapping()["warmup_steps"] == 2


def test_processes_are_the_gpus_or_one(project, machine):
    assert planned(project).machine.processes == 1
    assert planned(project, Options(processes=3)).machine.processes == 3
    machine(gpus=4)
    assert planned(project).machine.processes == 4
    assert planned(project, Options(processes=2)).machine.processes == 2
    assert planned(project).machine.device == "cuda"


def test_deepspeed_is_for_several_processes(project):
    with pytest.raises(UsageError, match=r"--deepspeed zero2 is for several processes.*--num-processes N"):
        planned(project, Options(deepspeed="zero2"))
    assert planned(project, Options(deepspeed="none")).machine.deepspeed is None


@pytest.mark.parametrize(
    ("asked", "of_run", "file", "stage"),
    [
        (None, None, "deepspeed_configs/zero1.json", 1),
        (None, "zero3_offload", "deepspeed_configs/zero3_offload.json", 3),
        ("zero2", "zero3", "deepspeed_configs/zero2.json", 2),
        ("none", "zero3", None, None),
        (None, "none", None, None),
    ],
)
def test_deepspeed_as_the_command_line_or_the_run_chooses(project, asked, of_run, file, stage):
    settings = {} if of_run is None else {"deepspeed": of_run}
    made = planned(project, Options(processes=2, deepspeed=asked), **settings)
    assert (made.machine.deepspeed, made.zero_stage) == (file, stage)
    assert made.mapping().get("deepspeed") == file
    # A plan writes nothing: the training does.
    assert not (project.root / "deepspeed_configs").exists()


def test_deepspeed_files_are_found_from_the_config_or_the_current_folder(project, monkeypatch, tmp_path):
    mine = {"zero_optimization": {"stage": 2}}
    (project.root / "configs" / "mine.json").write_text(json.dumps(mine))
    (tmp_path / "outside.json").write_text(json.dumps(mine))
    monkeypatch.chdir(tmp_path)
    for word in ("mine.json", "./mine.json", "../configs/mine.json"):
        made = planned(project, Options(processes=2), deepspeed=word)
        assert (made.machine.deepspeed, made.zero_stage) == ("configs/mine.json", 2)
    made = planned(project, Options(processes=2, deepspeed="outside.json"))
    assert made.machine.deepspeed == str(tmp_path / "outside.json")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "zerro2",
            r"deepspeed: 'zerro2' is neither a file nor one of none, zero1, .*, did you mean 'zero2'\?",
        ),
        ("gone.json", r"configs/gone\.json' is neither a file nor one of"),
    ],
)
def test_a_deepspeed_choice_that_is_none(project, word, message):
    with pytest.raises(UsageError, match=message):
        planned(project, Options(processes=2), deepspeed=word)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"zero_optimization": {"stage": 4}}'])
def test_a_deepspeed_file_that_is_none(project, content):
    (project.root / "configs" / "mine.json").write_text(content)
    with pytest.raises(DeepSpeedError, match=r"mine\.json"):
        planned(project, Options(processes=2), deepspeed="mine.json")


@pytest.mark.parametrize(
    ("gpus", "cpu_bf16", "settings", "processes", "bf16"),
    [
        (0, False, {}, 1, False),
        (0, True, {}, 1, True),
        (0, True, {}, 2, False),
        (0, True, {"quant_bits": 4}, 1, False),
        (0, True, {"quant_bits": 8}, 1, False),
        (0, True, {"dtype": "float32"}, 1, False),
        (0, False, {"dtype": "bfloat16"}, 1, True),
        (1, False, {}, 1, True),
        (2, False, {"quant_bits": 8}, 2, True),
        (1, False, {"dtype": "float32"}, 1, False),
    ],
)
def test_when_training_computes_in_bfloat16(project, machine, gpus, cpu_bf16, settings, processes, bf16):
    machine(gpus, cpu_bf16)
    made = planned(project, Options(processes=processes), **settings)
    assert made.machine.bf16 is bf16
    assert made.mapping()["bf16"] is bf16
    assert made.mapping()["fp16"] is False


REFUSED = [
    ({"quant_bits": 8, "peft_use_dora": True}, 1, "8-bit with DoRA does not train on a CPU"),
    ({"dtype": "bfloat16"}, 2, "set dtype to auto or float32"),
    ({"dtype": "bfloat16", "quant_bits": 4}, 1, "set dtype to auto or float32"),
]


@pytest.mark.parametrize(("settings", "processes", "message"), REFUSED)
def test_what_a_cpu_cannot_train_is_planned_but_not_started(project, machine, settings, processes, message):
    made = planned(project, Options(processes=processes), **settings)
    with pytest.raises(UsageError, match=message):
        check_machine(made)
    machine(gpus=2)
    check_machine(planned(project, Options(processes=processes), **settings))


def test_what_a_cpu_can_train(project):
    for settings in ({}, {"quant_bits": 8}, {"quant_bits": 4, "peft_use_dora": True}, {"dtype": "bfloat16"}):
        check_machine(planned(project, **settings))


def test_several_cpu_processes_need_a_compiler(project, monkeypatch, tmp_path):
    made = planned(project, Options(processes=2))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="apt install g"):
        check_machine(made)
    check_machine(planned(project))
    (tmp_path / "g++").write_text("#!/bin/sh\n")
    (tmp_path / "g++").chmod(0o755)
    check_machine(made)


def test_paths_inside_the_project_are_relative():
    assert seen_from(Path("/p"), Path("/p/data/x")) == "data/x"
    assert seen_from(Path("/p"), Path("/q/x")) == "/q/x"
    assert seen_from(Path("/p"), Path("/pp/x")) == "/pp/x"


def test_the_dataset_outside_the_project_is_absolute(project):
    assert planned(project, dataset_path="/d/x.jsonl").mapping()["datasets"][0]["path"] == "/d/x.jsonl"
    assert planned(project).mapping()["datasets"][0]["path"] == "data/train/rows.jsonl"


def test_a_dry_run_is_the_yaml_and_a_command_a_shell_can_take(project, monkeypatch):
    monkeypatch.setattr(launch, "cores", lambda: 6)
    made = planned(project, Options(processes=2))
    text = dry_run(made)
    settings, _, command = text.partition("# FINLORA_JOB names a file")
    assert yaml.safe_load(settings) == made.mapping()
    words = shlex.split(command.partition("\n")[2])
    assert words[:3] == ["cd", str(project.root), "&&"]
    variables = {word.partition("=")[0]: word.partition("=")[2] for word in words[3:] if "=" in word}
    own = made.environment()
    # The shell puts its own PATH behind this Python's programs.
    assert variables["PATH"] == own["PATH"].partition(":")[0] + ":$PATH"
    assert {**variables, "PATH": own["PATH"]} == own
    assert variables["OMP_NUM_THREADS"] == "3"
    assert variables["FINLORA_JOB"] == str(made.folder / "job.json")
    assert words[3 + len(variables) :] == made.argv()
    assert made.argv()[-3:] == ["-m", "axolotl.cli.train", "axolotl-output/a/axolotl.yml"]


def test_a_dry_run_says_what_stands_in_the_way_of_a_start(project):
    made = planned(project, Options())
    assert machine_checks.obstacles(made) == []
    project.dataset.unlink()
    found = machine_checks.obstacles(made)
    assert found == [f"{project.dataset}: no such dataset file"]


def test_a_dry_run_quotes_what_a_shell_would_take_apart(tmp_path, clean_environment):
    root = tmp_path / "my project; rm -rf $HOME"
    made = training_plan.Plan(
        name="a",
        run=check_run("a", RUN)[0],
        root=root,
        dataset=root / "x",
        machine=training_plan.Machine("cpu", 1, False, "b"),
        zero_stage=None,
    )
    words = shlex.split(made.shell())
    assert words[1] == str(root)
    assert f"FINLORA_JOB={made.folder / 'job.json'}" in words


def test_the_command_line_prints_the_plan_and_starts_nothing(project, run):
    before = project.files()
    done = run("finetune", "first_run", "--dry-run", "--config", project.config)
    assert done.code == 0
    assert done.out == dry_run(plan(project.load(), "first_run", Options()))
    rendered = run("render", "second_run", "--config", project.config)
    assert rendered.out == plan(project.load(), "second_run", Options()).yaml()
    assert (rendered.code, rendered.err, done.err) == (0, "", "")
    assert project.files() == before


@pytest.mark.parametrize(
    ("settings", "gpus", "words"),
    [
        ({"peft_use_dora": True}, 0, "DoRA needs whole weights"),
        ({"peft_use_dora": True}, 2, "DoRA needs whole weights"),
        ({"quant_bits": 8}, 0, "can't gather 8-bit weights"),
        ({"quant_bits": 8}, 2, "can't gather 8-bit weights"),
        ({"quant_bits": 4}, 0, "can't gather 4-bit weights"),
    ],
)
def test_what_zero_3_can_not_do_is_refused_before_the_start(project, machine, settings, gpus, words):
    machine(gpus=gpus)
    made = planned(project, Options(processes=2, deepspeed="zero3"), **settings)
    with pytest.raises(UsageError, match=words) as fault:
        check_machine(made)
    assert "--deepspeed zero1 or zero2" in str(fault.value)
    check_machine(planned(project, Options(processes=2, deepspeed="zero2"), **settings))


@pytest.mark.parametrize(("settings", "gpus"), [({}, 0), ({}, 2), ({"quant_bits": 4}, 2)])
def test_what_zero_3_can_do_is_let_through(project, machine, settings, gpus):
    machine(gpus=gpus)
    check_machine(planned(project, Options(processes=2, deepspeed="zero3_offload"), **settings))


@pytest.mark.parametrize("name", ["axolotl-output", "axolotl-output/a"])
def test_a_file_in_the_place_of_the_trainings_folder_is_named(project, name):
    path = project.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    with pytest.raises(UsageError) as caught, finetune.alone(project.root / "axolotl-output" / "a", "a"):
        pass
    assert str(caught.value) == (
        f"{path} is a file, and trainings work in a folder of that name; move the file away"
    )
    assert path.read_text() == "mine"


def test_a_dry_run_writes_nothing(project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(launch, "visible_gpus", lambda: 2)
    before = project.files()
    for more in ([], ["--deepspeed", "zero3"], ["--launcher", "slurm"]):
        assert run("finetune", "first_run", "--dry-run", *more).code == 0
    assert run("render", "first_run").code == 0
    assert project.files() == before
