"""What many tests share: a small project, the command line in this process and in one of its own."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from finlora import results
from finlora.cli import main
from finlora.config import ConfigFile, check_run, load
from finlora.federated.dp import Privacy
from finlora.federated.summary import completed
from finlora.manifest import History, compose
from finlora.privacy import QUIET

IID = {"kind": "iid", "alpha": None, "rows": {"a": 6, "b": 6}}
PRIVATE = Privacy(clip=0.5, noise=1.0, delta=1e-5, max_epsilon=12.0)
RUN: dict[str, Any] = {"base_model": "./base", "dataset_path": "../data/train/rows.jsonl", "lora_r": 8}
ROWS = [{"context": f"Net sales rose by {i}%. Answer: ", "target": "positive"} for i in range(6)]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/golden/ anew")


def pytest_configure(config: pytest.Config) -> None:
    """Let `--update-golden` start in a clean tree alone, where its changes are the only ones to see."""
    # A shell starts what it puts in the background with Ctrl-C ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("--update-golden", default=False):
        command = ["git", "status", "--porcelain", "--", ".", ":!tests/golden"]
        dirty = subprocess.run(
            command, cwd=config.rootpath, capture_output=True, text=True, check=True
        ).stdout
        if dirty:
            raise pytest.UsageError(f"--update-golden: commit your other changes first:\n{dirty}")


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Project:
    """A project folder with one dataset; tests write the config they need."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "configs" / "finetune_configs.json"

    @property
    def dataset(self) -> Path:
        return self.root / "data" / "train" / "rows.jsonl"

    def write_config(self, runs: Mapping[str, Any] | str | bytes) -> Path:
        text = json.dumps(runs, indent=2) if isinstance(runs, Mapping) else runs
        self.config.write_bytes(text.encode() if isinstance(text, str) else text)
        return self.config

    def load(self, runs: Mapping[str, Any] | None = None) -> ConfigFile:
        return load(self.config if runs is None else self.write_config(runs))

    def files(self) -> dict[str, bytes | None]:
        """Return everything that lies in the project: content by path, None for folders."""
        return {
            str(path.relative_to(self.root)): path.read_bytes() if path.is_file() else None
            for path in sorted(self.root.rglob("*"))
        }


def write_project(root: Path, runs: Mapping[str, Any]) -> Project:
    project = Project(root)
    for folder in (project.config.parent, project.dataset.parent, root / "lora_adapters"):
        folder.mkdir(parents=True)
    project.write_config(runs)
    project.dataset.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return project


def write_adapter(folder: Path, base: str = "./base", manifest: Mapping[str, Any] | None = None) -> Path:
    """Write what an adapter folder holds, with weights nobody loads."""
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"weights of " + folder.name.encode())
    (folder / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "r": 8, "base_model_name_or_path": base})
    )
    if manifest is not None:
        (folder / "finlora.json").write_text(json.dumps(manifest))
    return folder


def trained_manifest(name: str, settings: Mapping[str, Any] | None = None, **facts: Any) -> dict[str, Any]:
    """Compose the manifest of a training that came to pass in events only.

    Args:
        name: the run.
        settings: of the run, besides those of RUN.
        facts: losses, validation (both (step, loss) pairs), seconds, targets, style, gpus,
            cpu_peak_bytes, gpu_peak_bytes, dataset_sha256, identity; federated: facts of `federate`.
    """
    run, faults = check_run(name, {**RUN, **(settings or {})})
    assert run is not None, faults
    losses = facts.get("losses", [(1, 2.5), (2, 2.0), (3, 1.5)])
    report = {
        "rows": 12,
        "train": 10,
        "validation": 1,
        "dropped": {"count": 1, "reason": "longer", "lines": [3]},
        "longest": 90,
        "tokens": 900,
        "trained_tokens": 60,
    }
    prompt = {
        "style": facts.get("style", "chat"),
        "head": "<u>",
        "tail": "<a>",
        "separator": "",
        "end": "</s>",
    }
    targets = facts.get("targets", ["k_proj", "q_proj", "v_proj"])
    peaks = {key: facts.get(key, 0) for key in ("gpu_peak_bytes", "cpu_peak_bytes")}
    history = History()
    for event in [
        {"event": "rows", "report": report, "prompt": {**prompt, "stop": ["</s>"], "probe": "p"}, "pad": "x"},
        {"event": "built", "facts": {"targets": targets, "trainable_parameters": run.lora_r * 1000}},
        {"event": "start", "engine": "LoraModel", "zero_stage": None, "step": 0}
        | {"total": len(losses), "devices": facts.get("gpus", [])},
        *({"event": "step", "step": step, "loss": loss} for step, loss in losses),
        *(
            {"event": "eval", "step": step, "loss": loss}
            for step, loss in facts.get("validation", [(0, 3.0)])
        ),
        {"event": "trained", "step": len(losses), "seconds": facts.get("seconds", 20.0), **peaks},
    ]:
        history.add(event)
    base = {"name": run.base_model, "identity": facts.get("identity", "tiny:1"), "tokenizer_sha256": "2"}
    made = compose(
        name=name,
        run=run,
        base=base,
        dataset_sha256=facts.get("dataset_sha256", "3" * 64),
        yaml="",
        bf16=False,
        processes=1,
        machines=1,
        effective_batch=run.batch_size * run.gradient_accumulation_steps,
        cores=2,
        history=history,
    )
    if "federated" in facts:
        made = federate(made, **facts["federated"])
    # As it is read back.
    again: dict[str, Any] = json.loads(json.dumps({"schema": 1, **made}))
    return again


def federate(
    made: Mapping[str, Any], privacy: Privacy | None = None, partition: Any = IID, **facts: Any
) -> dict[str, Any]:
    """Turn a composed manifest into that of two clients' training in three rounds; the second is lost.

    Args:
        made: of a training on one file.
        privacy: differential privacy; no round is lost then.
        partition: as in the manifest.
        facts: rounds_asked, aggregate, sha256 (of the data).
    """
    counts = {"rows": 5, "dropped": 1, "tokens": 450, "trained_tokens": 30, "steps": 4, "loss": 2.0}
    both: dict[str, Any] = {"a": counts, "b": counts}
    told: dict[str, Any] = {"loss": 2.0, "rows": 12}
    if privacy:
        both, told, partition = {"a": {}, "b": {}}, {}, {"kind": partition["kind"], "alpha": None}
    records = [
        {"round": number, "learning_rate": 0.1 / number, "clients": both, "dropped": {}, "lost": False}
        | {"seconds": 5.0, **told}
        for number in (1, 2, 3)
    ]
    if not privacy:
        records[1] |= {"clients": {"a": counts}, "dropped": {"b": "it went away"}, "lost": True}
        records[2] |= {"loss": 1.5}
    sha256 = None if privacy else facts.get("sha256", made["dataset"]["sha256"])
    frame = {
        **made,
        "variant": f"{made['variant']}_fed",
        "engine": {"class": "Flower", "zero_stage": None},
        "dataset": {"sha256": sha256, "validation": 0},
        "federated": {
            "clients": ["a", "b"],
            "partition": partition,
            "rounds_asked": facts.get("rounds_asked", 3),
            "aggregate": facts.get("aggregate", "fedavg"),
            "weights": "equal" if privacy else "rows",
            "privacy": asdict(privacy) if privacy else None,
        },
    }
    return completed(frame, records)


def shelve(project: Project, name: str, settings: Mapping[str, Any] | None = None, **facts: Any) -> Path:
    """Put an adapter with a whole manifest on a project's shelf; arguments as for `trained_manifest`."""
    manifest = trained_manifest(name, settings, **facts)
    return write_adapter(
        project.root / "lora_adapters" / manifest["variant"] / name, manifest["run"]["base_model"], manifest
    )


def scored(**changes: Any) -> results.Result:
    """Return the result of an adapter on ten rows of fpb."""
    made = results.Result(
        key="k" * 64,
        respondent={"kind": "adapter", "name": "one", "adapter_sha256": "a" * 64, "base_model": "./base"},
        task="fpb",
        family="general",
        kind="label",
        scorer="finlora",
        decode="labels",
        dataset="fpb_test.jsonl",
        dataset_sha256="d" * 64,
        limit=None,
        metric="accuracy",
        score=0.8,
        interval=(0.5, 0.95),
        rows=10,
        errors=0,
        unparsed=0.1,
        majority=0.6,
        weighted_f1=0.79,
        macro_f1=0.7,
        also={},
        classes={
            "up": {"rows": 6, "precision": 1.0, "recall": 1.0, "f1": 1.0},
            "down": {"rows": 4, "precision": None, "recall": 0.5, "f1": 0.6},
        },
        confusion=(("up", "up", 6), ("down", "down", 2), ("down", "up", 1), ("down", None, 1)),
        seconds=2.0,
        rows_per_second=5.0,
        settings={"prompt_sha256": "e" * 64, "dtype": "float32", "device": "cpu", "rows_seed": None},
        versions={"finlora": "0.0"},
    )
    return replace(made, **changes)


def keep_score(project: Project, run: str, variant: str = "fp16_r8", **changes: Any) -> Path:
    """Keep a score of the adapter that lies on the shelf, as `eval` does; return the file."""
    folder = project.root / "lora_adapters" / variant / run
    digest = hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()
    own = changes.pop("respondent", {})
    made = scored(**changes)
    who = {**made.respondent, "name": run, "variant": variant, "adapter_sha256": digest}
    path = project.root / "results" / variant / run / f"{made.task}.json"
    results.keep(path, replace(made, respondent={**who, **own}))
    return path


@pytest.fixture(scope="module", autouse=True)
def environment_of_a_module() -> Iterator[None]:
    """Undo what a file of tests did to this process: loading a model, for one, goes offline for good."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Take away what this shell says to FinLoRA and the hub, and restore what a command sets."""
    for name in [name for name in os.environ if name.startswith(("HF_", "FINLORA_", "TRANSFORMERS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("FINLORA_CACHE", str(tmp_path_factory.mktemp("cache")))
    # What DeepSpeed compiles is the same for all tests, and takes a while.
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(Path("~/.cache/finlora/torch_extensions").expanduser()))
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def project(tmp_path: Path, clean_environment: None) -> Project:
    return write_project(tmp_path / "project", {"first_run": RUN, "second_run": {**RUN, "quant_bits": 4}})


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], clean_environment: None) -> Callable[..., Result]:
    """Run the command line in this process."""

    def command(*args: object) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Result(left.value.code, out, err)

    return command


@pytest.fixture
def run_process(clean_environment: None) -> Callable[..., Result]:
    """Run the command line in a process of its own."""

    def command(*args: object, cwd: Path | None = None, **env: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "finlora", *map(str, args)],
            cwd=cwd,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return command
