"""What a client's worker agrees to, refuses and publishes; what it trains is in `test_federate`."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from finlora import adapters, config, data
from finlora.federated import worker
from finlora.federated.jobs import GLOBAL, ClientJob, Task
from tests import training
from tests.conftest import trained_manifest


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return training.make_project(tmp_path_factory.mktemp("bank"))


@pytest.fixture
def job(project, tmp_path):
    return ClientJob(
        name="bank",
        run="one",
        config=str(project.path),
        place="_federated/one/clients/bank",
        folder=str(tmp_path / "client"),
        data=str(project.root / "data" / "rows.jsonl"),
        shelf=str(tmp_path / "shelf" / "one"),
        python="python",
    )


def terms_of(project, job):
    made, base = worker._plan(project, job)
    return worker.terms(made, base)


def set_up(project, job, rounds=2, **changes):
    terms = {**terms_of(project, job), **changes}
    return worker.perform(project, job, Task("setup", rounds, "fedavg", 42, terms=json.dumps(terms)))


def test_a_client_of_the_same_run_tells_its_rows_and_writes_what_peft_needs(project, job, tmp_path):
    assert set_up(project, job) == {"counts": {"rows": 66}}
    peft = json.loads((tmp_path / "client" / GLOBAL / adapters.PEFT_CONFIG).read_text())
    assert (peft["r"], peft["lora_alpha"], peft["lora_dropout"]) == (8, 16, 0.0)
    assert sorted(peft["target_modules"]) == ["k_proj", "q_proj", "v_proj"]
    assert peft["base_model_name_or_path"] == "../base"


def test_what_clients_must_have_in_common_names_no_place(project, job):
    terms = terms_of(project, job)
    assert str(project.root) not in json.dumps(terms)
    assert "dataset_path" not in terms["run"]
    assert terms["run"]["learning_rate"] == 0.005


OTHERS = {
    "the learning rate": ("run", {"learning_rate": 0.001}, "learning_rate: 0.001 there, 0.005 here"),
    "the rank": ("run", {"lora_r": 4}, "lora_r: 4 there, 8 here"),
    "an Axolotl key": ("run", {"axolotl": {"warmup_steps": 9}}, "axolotl:"),
    "the base model": ("base model", "fingerprint:abc", "base model: "),
    "the tokenizer": ("tokenizer", "abc", "tokenizer: "),
    "the batch": ("effective batch", 16, "effective batch: 16 there, 8 here"),
    "the version": ("FinLoRA", "0.1", "FinLoRA: "),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_client_that_would_train_something_else_refuses_and_says_what(project, job, what):
    assert len(OTHERS) == 7
    key, other, told = OTHERS[what]
    known = terms_of(project, job)[key]
    changed = {**known, **other} if isinstance(known, dict) else other
    reply = set_up(project, job, **{key: changed})
    assert reply["failure"] == "terms"
    assert told in reply["why"]


def test_too_few_rows_are_refused_before_the_first_round(project, job):
    reply = set_up(project, job, rounds=67)
    assert reply["failure"] == "rows"
    assert "bank (66 rows)" in reply["why"]


def test_rows_too_long_are_judged_over_all_rows_not_those_of_a_round(project, job, tmp_path):
    rows = [{"context": f"sales rose {i} Answer: ", "target": "positive"} for i in range(200)]
    rows[7]["context"] = "sales rose " * 200
    path = tmp_path / "rows.jsonl"
    data.write_rows(path, rows)
    long = replace(job, data=str(path))
    # One of 200 may be dropped, though it is more than 1% of a round's rows.
    assert set_up(project, long, rounds=20) == {"counts": {"rows": 200}}
    rows[8]["context"] = rows[9]["context"] = rows[7]["context"]
    data.write_rows(path, rows)
    reply = set_up(project, long, rounds=20)
    assert reply["failure"] == "rows"
    assert "3 of 200 rows (1.5%) are longer than sequence_len" in reply["why"]
    assert set_up(project, replace(long, allow_dropped_rows=True), rounds=20) == {"counts": {"rows": 200}}


def test_the_finished_adapter_lies_where_this_client_says(project, job, tmp_path):
    set_up(project, job)
    tensors = {"base_model.model.q_proj.lora_A.weight": np.ones((8, 4), np.float32)}
    save_file(tensors, tmp_path / "client" / GLOBAL / adapters.WEIGHTS)
    # The server's manifest may name any place.
    manifest = {**trained_manifest("one"), "run_name": "../../elsewhere", "variant": "../.."}
    terms = json.dumps(terms_of(project, job))
    task = Task("finish", 2, "fedavg", 42, terms=terms, manifest=json.dumps(manifest))
    assert worker.perform(project, job, task) == {"counts": {}}
    adapter = adapters.read(tmp_path / "shelf" / "one")
    assert adapter.weights_sha256() == adapter.manifest[adapters.DIGEST]
    assert sorted(path.name for path in (tmp_path / "shelf").iterdir()) == ["one"]
    assert config.load(project.path).names == list(training.RUNS)
