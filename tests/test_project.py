"""Laying out a project; nothing that is there is touched."""

import subprocess

import pytest

from finlora import build, config, data, project
from finlora.deepspeed import SHIPPED
from finlora.errors import FinLoRAError, UsageError


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_new_project_is_whole(tmp_path):
    laid = project.init(tmp_path / "new")
    assert laid.folder == tmp_path / "new"
    assert sorted(laid.files) == files(laid.folder)
    assert len(laid.files) == 2 + 8 + 6 + 1
    assert {f"deepspeed_configs/{name}.json" for name in SHIPPED} <= set(laid.files)
    assert (laid.folder / "lora_adapters").is_dir()
    file = config.load(laid.folder / "configs" / "finetune_configs.json")
    assert not file.problems
    assert file.root == laid.folder
    present = [run for run in file.runs.values() if file.resolve(run.dataset_path).is_file()]
    assert present
    assert all(len(data.read_rows(file.resolve(run.dataset_path))) > 100 for run in present)


def test_what_may_be_private_stays_out_of_git(tmp_path):
    project.init(tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for name in (
        "results/a.json",
        "lora_adapters/fp16_r8/a/x",
        "axolotl-output/a/x",
        "data/train/deep/mine.jsonl",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    shown = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--short", "-uall"], check=True, capture_output=True, text=True
    )
    seen = {line[3:] for line in shown.stdout.splitlines()}
    assert {".gitignore", "configs/finetune_configs.json"} <= seen
    assert not [name for name in seen if name.startswith(("results", "lora", "axolotl")) or ".jsonl" in name]


def test_the_examples_are_the_committed_config(tmp_path, request):
    project.init(tmp_path)
    committed = request.config.rootpath / "configs"
    for name in ("finetune_configs.json", "finetune_configs.schema.json"):
        assert (tmp_path / "configs" / name).read_bytes() == (committed / name).read_bytes()


def test_a_project_is_not_laid_out_twice(tmp_path):
    project.init(tmp_path)
    before = files(tmp_path)
    with pytest.raises(UsageError, match="exists already: this folder is a project"):
        project.init(tmp_path)
    assert files(tmp_path) == before


def test_what_is_there_is_kept(tmp_path):
    train, test = build.dataset_files(tmp_path, "sentiment_sample")
    (tmp_path / ".gitignore").write_text("mine")
    mine = tmp_path / "deepspeed_configs" / "zero1.json"
    for path in (train, mine):
        path.parent.mkdir(parents=True)
        path.write_text("mine")
    laid = project.init(tmp_path)
    assert (train.read_text(), mine.read_text()) == ("mine", "mine")
    assert (tmp_path / ".gitignore").read_text() == "mine"
    assert str(test.relative_to(tmp_path)) in laid.files
    assert str(train.relative_to(tmp_path)) not in laid.files
    assert str(mine.relative_to(tmp_path)) not in laid.files


def test_the_config_comes_last(tmp_path):
    """A project that could not be laid out whole has no config, so that `init` can be called again."""
    (tmp_path / "lora_adapters").write_text("a file in a folder's place")
    with pytest.raises(OSError, match="File exists"):
        project.init(tmp_path)
    assert not (tmp_path / "configs" / "finetune_configs.json").exists()


def test_a_file_in_the_projects_place(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FinLoRAError, match="can't be written"):
        project.init(tmp_path / "file")
    assert files(tmp_path) == ["file"]


def test_init_on_the_command_line(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("init", "new")
    assert done.code == 0
    assert done.err == "Next: cd new && finlora configs list\n"
    assert sorted(done.out.splitlines()) == files(tmp_path)
    monkeypatch.chdir(tmp_path / "new" / "data")
    assert run("configs", "validate").code == 0
