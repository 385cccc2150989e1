"""Models of other families train by their own nature: modules, padding and prompts follow from the model."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest

from finlora import launch, model_shapes, tiny_model
from tests import training
from tests.tiny import make_tiny_tokenizer

pytestmark = pytest.mark.slow

# A real model of each family, the template of its tokenizer here, and the modules it must get by itself.
FAMILIES = {
    "mistral": ("mistralai/Mistral-7B-Instruct-v0.3", None, ["k_proj", "q_proj", "v_proj"]),
    "qwen3": ("Qwen/Qwen3-8B", "chatml", ["k_proj", "q_proj", "v_proj"]),
    "gemma2": ("google/gemma-2-9b-it", "llama3", ["k_proj", "q_proj", "v_proj"]),
    "phi3": ("microsoft/Phi-3-mini-4k-instruct", "chatml", ["qkv_proj"]),
}
METHODS = {
    "8bits_r8": ({"quant_bits": 8}, "Linear8bitLt"),
    "4bits_r4": ({"quant_bits": 4, "lora_r": 4}, "Linear4bit"),
    "fp16_r8_dora": ({"peft_use_dora": True}, "Linear"),
    "fp16_r8_rslora": ({"peft_use_rslora": True}, "Linear"),
    "fp16_r8": ({}, "Linear"),
}
CASES = [(family, method) for family in FAMILIES for method in METHODS]
# Each token of its own is enough to tell whose template and end token were used.
ENDS = {None: "</s>", "chatml": "<|im_end|>", "llama3": "<|eot_id|>"}


def lay_out(root: Path) -> Path:
    """Write a tiny model of each family and a config with every method of each; return the config."""
    for family, (name, template, _) in FAMILIES.items():
        shape, _ = model_shapes.config_of(name, root)
        tiny_model.write(root / family, shape, make_tiny_tokenizer(template))
    rows = [
        {"context": f"Sales {'rose' if i % 2 else 'fell'} by {i}%. ", "target": "good" if i % 2 else "bad"}
        for i in range(32)
    ]
    (root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = {**training.COMMON, "dataset_path": "./rows.jsonl", "val_set_size": 0.0, "num_epochs": 2}
    runs = {
        f"{family}_{method}": {**common, "base_model": f"./{family}", **METHODS[method][0]}
        for family, method in CASES
    }
    (root / "config.json").write_text(json.dumps(runs))
    return root / "config.json"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train every case, one on each core at a time: most of such a training is imports, which use one."""
    root = tmp_path_factory.mktemp("families")
    config = lay_out(root)
    free: SimpleQueue[int] = SimpleQueue()
    for core in os.sched_getaffinity(0):
        free.put(core)

    def train(case):
        core = free.get()
        # Of a thread, and of what it starts.
        os.sched_setaffinity(0, {core})
        command = [sys.executable, "-m", "finlora", "finetune", "_".join(case), "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        free.put(core)
        return case, done

    with ThreadPoolExecutor(launch.cores()) as pool:
        return dict(pool.map(train, CASES))


def test_four_families_in_each_method():
    assert (len(FAMILIES), len(METHODS), len(CASES)) == (4, 5, 20)


@pytest.mark.parametrize(("family", "method"), CASES)
def test_a_family_trains_in_a_method(trained, family, method):
    done = trained[family, method]
    assert done.returncode == 0, done.stderr[-2000:]
    folder = Path(done.stdout.removeprefix("adapter: ").strip())
    assert folder.parent.name == method
    manifest = json.loads((folder / "finlora.json").read_text())
    _, template, targets = FAMILIES[family]
    assert manifest["built"]["targets"] == targets
    assert manifest["built"]["base_classes"] == [METHODS[method][1]]
    assert manifest["prompt"]["end"] == ENDS[template]
    assert manifest["prompt"]["style"] == ("chat" if template else "plain")
    assert manifest["pad"] != manifest["prompt"]["end"]
    losses = [loss for _, loss in manifest["losses"]["train"]]
    assert len(losses) == 8
    assert losses[-1] < losses[0] - 0.05
    tensors = training.weights(folder)
    assert len(tensors) == 2 * len(targets) * (2 + bool(manifest["built"]["dora"]))
    assert all(tensor.abs().max() > 0 for tensor in tensors.values())
