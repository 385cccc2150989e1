"""The shipped runs, rendered: any change of what Axolotl is told shows up here.

A file for every variant, of the task sentiment; the runs of other tasks are held to these. They are
written anew by `pytest tests/test_golden.py --update-golden`, in a clean tree, so that the change is
seen in the next `git diff`.
"""

import json
from pathlib import Path

import pytest
import yaml

from finlora import axolotl_yaml
from finlora.axolotl_yaml import Machine
from finlora.config import load
from finlora.training_plan import seen_from

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
FILE = load(ROOT / "configs" / "finetune_configs.json")
KEPT = [name for name in FILE.runs if name.startswith("sentiment_")]


def rendered(name):
    """Render a run for one fixed machine: four GPUs for the Llama runs, a CPU for SmolLM2's."""
    run = FILE.runs[name]
    if "smollm2" in name:
        machine = Machine("cpu", 1, bf16=run.quant_bits == 16, base=run.base_model)
    else:
        machine = Machine("cuda", 4, True, base=run.base_model, deepspeed="deepspeed_configs/zero1.json")
    dataset = seen_from(FILE.root, FILE.resolve(run.dataset_path))
    return axolotl_yaml.to_yaml(axolotl_yaml.render(name, run, machine, dataset))


@pytest.fixture(scope="session", autouse=True)
def update(request):
    """Write the golden files anew when asked."""
    if not request.config.getoption("--update-golden"):
        return
    for path in GOLDEN.glob("*.yml"):
        path.unlink()
    for name in KEPT:
        (GOLDEN / f"{name}.yml").write_text(rendered(name), encoding="utf-8")


def test_every_variant_has_a_golden_file_and_no_other_is_left():
    assert len(FILE.names) == 70
    assert not FILE.problems
    assert len(KEPT) == 2 + 6
    assert {FILE.runs[name].variant for name in KEPT} == {run.variant for run in FILE.runs.values()}
    assert sorted(path.name for path in GOLDEN.glob("*.yml")) == sorted(f"{name}.yml" for name in KEPT)


@pytest.mark.parametrize("name", KEPT)
def test_a_run_is_rendered_as_before(name):
    assert rendered(name) == (GOLDEN / f"{name}.yml").read_text(encoding="utf-8")


def test_runs_of_one_variant_differ_in_what_their_task_says_alone():
    others = [name for name in FILE.runs if name not in KEPT]
    assert len(others) == 62
    for name in others:
        run = FILE.runs[name]
        golden = (GOLDEN / f"sentiment_llama_3_1_8b_{run.variant}.yml").read_text(encoding="utf-8")
        assert yaml.safe_load(rendered(name)) == {
            **yaml.safe_load(golden),
            "datasets": [
                {"path": run.dataset_path.removeprefix("../"), "ds_type": "json", "type": "finlora"}
            ],
            "micro_batch_size": run.batch_size,
            "gradient_accumulation_steps": run.gradient_accumulation_steps,
            "num_epochs": run.num_epochs,
            "output_dir": f"axolotl-output/{name}/trained",
            "dataset_prepared_path": f"axolotl-output/{name}/prepared",
        }


@pytest.mark.parametrize("name", FILE.runs)
def test_yaml_reads_back_as_what_was_meant(name):
    run = FILE.runs[name]
    settings = yaml.safe_load(rendered(name))
    assert settings["adapter"] == ("qlora" if run.quant_bits == 4 else "lora")
    assert (settings["load_in_4bit"], settings["load_in_8bit"]) == (run.quant_bits == 4, run.quant_bits == 8)
    assert (settings["peft_use_dora"], settings["peft_use_rslora"]) == (
        run.peft_use_dora,
        run.peft_use_rslora,
    )
    assert (settings["lora_r"], settings["lora_alpha"]) == (run.lora_r, run.lora_alpha)
    assert settings["learning_rate"] == run.learning_rate
    assert settings["micro_batch_size"] == run.batch_size
    assert name.endswith(run.variant)


@pytest.fixture(scope="module")
def axolotl_keys():
    from axolotl.utils.schemas.config import AxolotlInputConfig

    return frozenset(AxolotlInputConfig.model_fields)


@pytest.mark.slow
def test_the_shipped_list_of_axolotls_keys_is_current(axolotl_keys):
    assert axolotl_yaml.known_keys() == axolotl_keys


@pytest.mark.slow
def test_every_key_that_finlora_can_write_is_in_axolotls_schema(axolotl_keys):
    pages = [path.read_text(encoding="utf-8") for path in GOLDEN.glob("*.yml")]
    written = {key for page in pages for key in yaml.safe_load(page)}
    assert len(written) > 40
    # Axolotl drops keys it does not know without a word.
    assert written - axolotl_keys == set()
    assert axolotl_yaml.owned_keys() - axolotl_keys == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", FILE.runs)
def test_axolotl_takes_every_run(name, monkeypatch):
    """Axolotl's own checks, for a GPU with bfloat16 that need not be there."""
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault

    monkeypatch.chdir(ROOT)
    settings = yaml.safe_load(rendered(name))
    # The plugin reads a job file as soon as it is named; the trainings of the slow tests use it.
    del settings["plugins"]
    gpu = {"bf16": True, "fp8": False, "tf32": True, "n_gpu": 4, "compute_capability": "sm_90"}
    checked = validate_config(
        DictDefault(settings), capabilities=gpu, env_capabilities={"torch_version": "2.13.0"}
    )
    kept = {key: checked[key] for key in settings if key != "datasets"}
    assert json.loads(json.dumps(kept)) == {
        key: value for key, value in settings.items() if key != "datasets"
    }
