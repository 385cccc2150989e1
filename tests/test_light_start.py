"""Light commands start without the training stack; so does the help of every command."""

import json
import os
import subprocess
import sys

import click
import pytest

from finlora.cli import cli
from tests.conftest import RUN, shelve
from tests.tiny import make_tiny_tokenizer

HEAVY = (
    "torch",
    "transformers",
    "peft",
    "datasets",
    "axolotl",
    "deepspeed",
    "accelerate",
    "bitsandbytes",
    "numpy",
    "matplotlib",
    "openai",
)
LIGHT = ("yaml", "pydantic", "rich", "huggingface_hub")

# Runs several command lines one after the other, and tells which modules were loaded by then. One
# process for all: what any of them loads is seen, and each start costs a fifth of a second.
DRIVER = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from finlora.cli import main
codes, loaded = [], []
for argv in json.loads(sys.argv[1]):
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            main(argv)
        except SystemExit as left:
            codes.append(left.code)
    loaded.append(sorted({name.partition(".")[0] for name in sys.modules} & set(json.loads(sys.argv[2]))))
print(json.dumps([codes, loaded]))
"""


def leaves(command=cli, words=()):
    """Yield the words of every command and group of the tree."""
    yield list(words)
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*words, name))


def loaded_by(argvs, cwd):
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(argvs), json.dumps([*HEAVY, *LIGHT])],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert done.returncode == 0, done.stderr
    codes, loaded = json.loads(done.stdout)
    return codes, {" ".join(argv): set(modules) for argv, modules in zip(argvs, loaded, strict=True)}


def test_the_check_sees_a_heavy_import(project):
    code = DRIVER.replace("codes, loaded = [], []", "codes, loaded = [], []; import transformers")
    done = subprocess.run(
        [sys.executable, "-c", code, '[["--help"]]', json.dumps(HEAVY)], capture_output=True, check=True
    )
    assert "transformers" in json.loads(done.stdout)[1][0]


def test_help_of_every_command_loads_next_to_nothing(project):
    argvs = [[*words, "--help"] for words in leaves()]
    assert len(argvs) == 32
    codes, loaded = loaded_by(argvs, project.root)
    assert codes == [0] * 32
    # Not even what reads a config or draws a table.
    assert {words: modules for words, modules in loaded.items() if modules} == {}


def test_light_commands_load_nothing_heavy(project):
    shipped = {**RUN, "base_model": "meta-llama/Llama-3.1-8B-Instruct"}
    project.write_config({"first_run": RUN, "second_run": RUN, "shipped_shape": shipped})
    argvs = [
        ["--version"],
        ["configs", "list"],
        ["configs", "list", "--json"],
        ["configs", "show", "first_run"],
        ["configs", "validate"],
        ["configs", "schema"],
        ["render", "first_run"],
        ["plan", "shipped_shape", "--gpu", "a5000", "--gpus", "2"],
        ["plan", "shipped_shape", "--memory-gb", "8", "--json"],
        ["finetune", "first_run", "--dry-run"],
        ["finetune", "second_run", "--dry-run", "--num-processes", "2"],
        ["finetune", "first_run", "--dry-run", "--num-processes", "2", "--launcher", "slurm"],
        ["fetch-deepspeed"],
        ["data", "list"],
        ["data", "list", "--family", "general", "--json"],
        ["data", "show", "tfns"],
        ["data", "build", "sentiment_sample"],
        ["data", "build", "formula", "--rows", "70", "--test-rows", "60"],
        ["data", "preview", "first_run"],
        ["data", "preview", "first_run", "--json"],
        ["init", "new"],
        ["compare", "one", "two"],
        ["compare", "one", "two", "--json"],
        ["adapters", "list"],
        ["adapters", "list", "--json"],
        ["adapters", "show", "one"],
        ["adapters", "show", "one", "--json"],
        ["adapters", "card", "one"],
        ["report"],
        ["report", "--json"],
    ]
    # A base model whose shape comes with FinLoRA; that of the other runs is nowhere.
    shipped = {**RUN, "base_model": "meta-llama/Llama-3.1-8B-Instruct"}
    project.write_config({"first_run": RUN, "second_run": {**RUN, "quant_bits": 4}, "shipped_shape": shipped})
    for name in ("one", "two"):
        shelve(project, name)
    make_tiny_tokenizer().save_pretrained(project.root / "configs" / "base")
    (project.root / "configs" / "base" / "config.json").write_text("{}")
    codes, loaded = loaded_by(argvs, project.root)
    assert codes == [0] * 30
    assert {words: found for words, modules in loaded.items() if (found := modules & set(HEAVY))} == {}


@pytest.mark.parametrize(
    "argv",
    [
        ["finetune", "first_run"],
        ["finetune", "first_rum"],
        ["rehearse", "first_run"],
        ["rehearse", "first_rum"],
        ["infer", "--adapter", "nobody", "--prompt", "x"],
        ["eval", "--adapter", "nobody", "--data", "data/train/rows.jsonl"],
        ["forgetting", "--adapter", "nobody"],
        ["data", "preview", "first_rum"],
        ["data", "fetch", "nobody"],
        ["nobody"],
    ],
)
def test_a_mistake_is_told_before_anything_heavy_is_loaded(project, argv):
    codes, loaded = loaded_by([argv], project.root)
    assert codes in ([1], [2])
    assert loaded[" ".join(argv)] & set(HEAVY) == set()


def test_python_dash_m_is_the_same_command(run_process, tmp_path):
    done = run_process("--version", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("finlora, version ")
