"""The adapter card: what the hub reads, whose scores it gives, whose words it keeps, hostile names."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from tiny import make_tiny_adapter, make_tiny_base

from finlora import (
    adapter_card,
    adapters,
    card_data,
    card_words,
    cards,
    inference,
    prompts,
    results,
    shelf_checks,
)
from finlora.adapters import CARD
from finlora.errors import AdapterError, ConfigError, FinLoRAError, UsageError
from finlora.models import BaseModel
from finlora.results import Result
from tests.conftest import PRIVATE, shelve, trained_manifest, write_adapter

GOLDEN = Path(__file__).parent / "golden" / "adapter_card.txt"
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
HUB = f"hub:{LLAMA}@0e9e39f249a16976918f6564b8830bc894c89659"
TRAIN = "../data/train"
FPB = {"base_model": LLAMA, "dataset_path": f"{TRAIN}/fpb_train.jsonl", "quant_bits": 8}


def put(project, name="one", settings=None, **facts):
    """Put an adapter on the shelf, on a base model of the hub and the data of a task."""
    folder = shelve(project, name, FPB if settings is None else settings, **{"identity": HUB, **facts})
    return adapters.read(folder)


def result(adapter, **entries):
    """Return a result of an adapter on Financial PhraseBank; `respondent` adds to who answered."""
    who = {
        "kind": "adapter",
        "name": adapter.name,
        "adapter_sha256": adapter.weights_sha256(),
        "base_identity": HUB,
        "quant_bits": 8,
        "prompt_style": "chat",
    }
    made = Result(
        key="k",
        respondent=who,
        task="fpb",
        family="general",
        kind="label",
        scorer="finlora",
        decode="generate",
        dataset="fpb_test.jsonl",
        dataset_sha256="d" * 64,
        limit=None,
        metric="accuracy",
        score=0.83756,
        interval=(0.8156, 0.8587),
        rows=1212,
        errors=0,
        unparsed=0.0021,
        majority=0.6007,
        weighted_f1=0.8311,
        macro_f1=0.8,
        also={},
        classes={},
        confusion=(),
        seconds=9.0,
        rows_per_second=100.0,
        settings={"seed": 42},
        versions={},
    )
    return replace(made, **{**entries, "respondent": {**who, **entries.get("respondent", {})}})


def of_base(adapter, **entries):
    who = {"kind": "base", "name": LLAMA, "adapter_sha256": None, **entries.pop("respondent", {})}
    return result(adapter, **{"score": 0.5512, "decode": "labels", "respondent": who, **entries})


def keep(project, adapter, *found, place=None):
    folder = project.root / "results" / (place or f"{adapter.folder.parent.name}/{adapter.name}")
    for number, one in enumerate(found):
        results.keep(folder / f"{number}.json", one)


def card_of(project, adapter, **options):
    return adapter_card.write(project.root, adapter, **options).read_text()


def front_of(text):
    return ModelCard(text).data


def section(text, heading):
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def snippet(text):
    return re.search(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1]


@pytest.fixture
def full(project):
    """An adapter with two scores, the base model beside one of them."""
    adapter = put(project)
    against = {
        "name": LLAMA,
        "difference": 0.28636,
        "interval": [0.25, 0.32],
        "p_value": 1.5e-20,
        "better": 380,
        "worse": 33,
        "got_worse": [5],
    }
    drawn = {"limit": 200, "task": "tfns", "dataset": "tfns_test.jsonl", "rows": 200, "unparsed": 0.0}
    keep(project, adapter, result(adapter, against=against), result(adapter, decode="labels", **drawn))
    keep(project, adapter, of_base(adapter), place="base/llama")
    return adapter


def test_the_whole_card(project, full, request):
    manifest = {**full.manifest, "versions": {"finlora": "9.9.9", "peft": "0.0.1"}}
    (full.folder / "finlora.json").write_text(json.dumps(manifest))
    text = card_of(project, adapters.read(full.folder))
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_the_hub_reads_the_front_matter_and_gets_every_score_back(project, full):
    path = adapter_card.write(project.root, full)
    data = ModelCard.load(path).data
    assert (data.base_model, data.base_model_relation, data.library_name) == (LLAMA, "adapter", "peft")
    assert (data.license, data.license_name) == ("other", "cc-by-nc-sa-3.0-and-llama3.1")
    assert (data.pipeline_tag, data.language) == ("text-generation", "en")
    assert data.datasets == ["takala/financial_phrasebank"]
    assert data.tags == ["finlora", "axolotl", "lora", "finance", "fpb"]
    assert (data.metrics, data.model_name) == (["accuracy"], "one")
    fpb, tfns = data.eval_results
    assert (fpb.task_type, fpb.dataset_type) == ("text-classification", "takala/financial_phrasebank")
    assert (fpb.dataset_name, fpb.dataset_split) == ("Financial PhraseBank", "test")
    assert (fpb.metric_type, fpb.metric_value) == ("accuracy", 0.8376)
    assert fpb.metric_name == "accuracy (generate, scorer finlora)"
    assert fpb.metric_args == {
        "rows": 1212,
        "interval_95": [0.8156, 0.8587],
        "majority_baseline": 0.6007,
        "base_model": 0.5512,
        "unparsed": 0.0021,
        "data_sha256": "d" * 64,
    }
    assert (tfns.dataset_type, tfns.metric_args["limit"]) == (
        "zeroshot/twitter-financial-news-sentiment",
        200,
    )
    assert fpb.verified is tfns.verified is None
    # Written again by the hub's library, it says the same.
    again = ModelCard(str(ModelCard.load(path))).data
    assert again.eval_results == data.eval_results


def test_two_ways_of_scoring_one_file_stay_two_results(project):
    adapter = put(project)
    keep(project, adapter, result(adapter), result(adapter, scorer="reference", score=0.9, limit=50))
    found = front_of(card_of(project, adapter)).eval_results
    assert [one.metric_value for one in found] == [0.9, 0.8376]
    assert [one.metric_args.get("limit") for one in found] == [50, None]


@pytest.mark.parametrize(
    ("metric", "hub", "shown"), [("bertscore_f1", "bertscore", "0.8376"), ("rouge_l", "rouge", "0.8376")]
)
def test_free_text_is_no_share_and_has_no_most_frequent_answer(project, metric, hub, shown):
    adapter = put(project)
    free = {"kind": "text", "metric": metric, "majority": None, "weighted_f1": None, "macro_f1": None}
    keep(project, adapter, result(adapter, also={"rouge_l": 0.31}, **free))
    text = card_of(project, adapter)
    [found] = front_of(text).eval_results
    assert (found.metric_type, found.task_type) == (hub, "text-generation")
    assert "majority_baseline" not in found.metric_args
    assert f"| - | - | **{shown}** |" in text
    assert "`rouge_l` 0.3100" in text
    assert "weighted F1" not in text


def test_scores_of_other_weights_are_left_out(project):
    adapter = put(project)
    other = result(adapter, respondent={"adapter_sha256": "0" * 64})
    keep(project, adapter, other)
    text = card_of(project, adapter)
    assert "nobody has kept a score of these weights" in section(text, "Scores")
    assert front_of(text).eval_results is None
    keep(project, adapter, other, result(adapter))
    assert len(front_of(card_of(project, adapter)).eval_results) == 1
    # Trained again, the scores are nobody's.
    (adapter.folder / adapters.WEIGHTS).write_bytes(b"others")
    assert card_of(project, adapter) == text


@pytest.mark.parametrize(
    ("entries", "matches"),
    [
        ({}, True),
        ({"decode": "generate"}, True),
        ({"task": "tfns"}, False),
        ({"dataset_sha256": "e" * 64}, False),
        ({"limit": 100}, False),
        ({"scorer": "reference"}, False),
        ({"metric": "rouge_l"}, False),
        ({"respondent": {"base_identity": "hub:another@1"}}, False),
        ({"respondent": {"kind": "endpoint"}}, False),
    ],
    ids=str,
)
def test_the_base_model_beside_a_score_answered_the_same_rows(project, entries, matches):
    adapter = put(project)
    keep(project, adapter, result(adapter))
    keep(project, adapter, of_base(adapter, **entries), place="base/llama")
    text = section(card_of(project, adapter), "Scores")
    assert ("| 55.1% | **83.8%** |" in text) is matches
    assert ("was not scored on these rows" in text) is not matches


def test_rows_drawn_by_another_seed_are_other_rows(project):
    adapter = put(project)
    keep(project, adapter, result(adapter, limit=50))
    keep(project, adapter, of_base(adapter, limit=50, settings={"seed": 1}), place="base/llama")
    assert "was not scored on these rows" in card_of(project, adapter)
    keep(project, adapter, of_base(adapter, limit=50, settings={"seed": 42}), place="base/another")
    assert "was not scored on these rows" not in card_of(project, adapter)


def test_of_several_base_results_the_one_asked_alike_stands_beside(project):
    adapter = put(project)
    keep(project, adapter, result(adapter))
    keep(project, adapter, of_base(adapter), place="base/a")
    style = {"prompt_style": "inst"}
    keep(project, adapter, of_base(adapter, decode="generate", score=0.3, respondent=style), place="base/b")
    keep(project, adapter, of_base(adapter, decode="generate", score=0.4), place="base/c")
    text = card_of(project, adapter)
    assert "| 40.0% | **83.8%** |" in text
    assert "The base model's answers were" not in text


def test_an_adapter_outside_the_shelf_has_its_scores_elsewhere(project, tmp_path):
    made = put(project)
    away = made.folder.rename(tmp_path / "away")
    adapter = adapters.read(away)
    keep(project, adapter, result(adapter), place="elsewhere/away")
    assert "83.8%" in card_of(project, adapter)
    assert "nobody has kept a score" in adapter_card.write(None, adapter).read_text()


def test_a_damaged_result_is_named_and_the_card_stays(project, full):
    text = card_of(project, full)
    bad = project.root / "results" / "8bits_r8" / "one" / "2.json"
    bad.write_text("{")
    with pytest.raises(FinLoRAError, match=re.escape(str(bad))):
        adapter_card.refresh(project.root, full)
    assert (full.folder / CARD).read_text() == text


# What its author wrote.

MINE = "# My adapter\n\nRead this *first*.\n\n"
AFTER = "\n## Citation\n\n    @misc{me}\n"


def test_what_the_author_wrote_is_kept_and_the_rest_renewed(project):
    adapter = put(project)
    text = card_of(project, adapter)
    head, mark, rest = text.partition("<!-- finlora card: begin")
    head = head.replace("license: other", "license: mit  # my choice").replace("language: en\n", "")
    head = head.replace("---\nbase", "---\n# about me\nthumbnail: me.png\n\nbase", 1)
    (adapter.folder / CARD).write_text(head + MINE + mark + rest + AFTER)
    keep(project, adapter, result(adapter))
    assert adapter_card.refresh(project.root, adapter) == adapter.folder / CARD
    edited = (adapter.folder / CARD).read_text()
    assert edited.startswith("---\n# about me\nthumbnail: me.png\n\nbase_model: meta")
    assert MINE + mark in edited
    assert edited.endswith(f"<!-- finlora card: end -->\n{AFTER}")
    data = front_of(edited)
    assert (data.license, data.language, data.thumbnail) == ("mit", None, "me.png")
    assert "license: mit  # my choice" in edited
    assert len(data.eval_results) == 1
    # Again, and nothing changes; with no scores, ours go and the author's stay.
    assert card_of(project, adapter) == edited
    (project.root / "results" / "8bits_r8" / "one" / "0.json").unlink()
    without = front_of(card_of(project, adapter))
    assert (without.eval_results, without.license, without.thumbnail) == (None, "mit", "me.png")


def test_a_card_without_front_matter_stays_so(project):
    adapter = put(project)
    body = card_of(project, adapter).partition("---\n\n")[2]
    (adapter.folder / CARD).write_text(body)
    assert card_of(project, adapter) == body


def test_windows_line_ends_stay(project):
    adapter = put(project)
    text = card_of(project, adapter).replace("\n", "\r\n")
    (adapter.folder / CARD).write_bytes(text.encode())
    keep(project, adapter, result(adapter))
    written = adapter_card.write(project.root, adapter).read_bytes()
    assert written.count(b"\r\n") == written.count(b"\n") > 100
    assert len(front_of(written.decode()).eval_results) == 1


@pytest.mark.parametrize(
    "text",
    ["", "# My own\n", "---\nlibrary_name: peft\n---\n# Model Card for Model ID\n", "finlora card: begin"],
)
def test_a_card_without_marks_is_refused_and_only_overwritten_on_purpose(project, run, text):
    adapter = put(project)
    path = adapter.folder / CARD
    path.write_text(text)
    assert adapter_card.refresh(project.root, adapter) is None
    ended = run("adapters", "card", "one", "--config", project.config)
    assert (ended.code, ended.out) == (2, "")
    assert "is not FinLoRA's" in ended.err
    assert "finlora adapters card one --overwrite" in ended.err
    assert path.read_text() == text
    ended = run("adapters", "card", "one", "--overwrite", "--config", project.config)
    assert (ended.code, ended.out) == (0, f"{path}\n")
    assert front_of(path.read_text()).library_name == "peft"


DAMAGES = {
    "no end": lambda text: text.replace("<!-- finlora card: end -->", ""),
    "two ends": lambda text: text + "<!-- finlora card: end -->\n",
    "two parts": lambda text: text + text.partition("---\n\n")[2],
    "no JSON": lambda text: text.replace('begin {"', "begin {"),
    "no YAML": lambda text: text.replace("library_name: peft", "library_name: [peft"),
    "a list": lambda text: re.sub(r"\A---.*?\n---\n", "---\n- a\n---\n", text, flags=re.DOTALL),
    "one line": lambda text: re.sub(r"\A---.*?\n---\n", "---\n{a: 1}\n---\n", text, flags=re.DOTALL),
    "indented": lambda text: re.sub(r"\A---.*?\n---\n", "---\n  a: 1\n---\n", text, flags=re.DOTALL),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_card_that_nobody_can_read_is_left_alone(project, how):
    adapter = put(project)
    damaged = DAMAGES[how](card_of(project, adapter))
    path = adapter.folder / CARD
    path.write_text(damaged)
    for act in (adapter_card.refresh, adapter_card.write):
        with pytest.raises(AdapterError, match=r"README\.md: can't be renewed.*\n.*--overwrite"):
            act(project.root, adapter)
    assert path.read_text() == damaged
    assert "## Limits" in card_of(project, adapter, overwrite=True)


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_card_that_is_no_text_is_left_alone(project, content):
    adapter = put(project)
    path = adapter.folder / CARD
    path.write_bytes(content) if content else path.mkdir()
    with pytest.raises(AdapterError, match=r"README\.md: can't be read"):
        adapter_card.write(project.root, adapter)


def test_a_bare_adapter_has_no_card(project, run):
    folder = write_adapter(project.root / "lora_adapters" / "v" / "bare")
    assert adapter_card.refresh(project.root, adapters.read(folder)) is None
    ended = run("adapters", "card", "bare", "--config", project.config)
    assert ended.code == 1
    assert "no finlora.json says how this adapter was trained" in ended.err
    assert not (folder / CARD).exists()


# Published with the adapter.


def publish(project, name="one", seconds=20.0, **facts):
    trained = write_adapter(project.root / "trained" / f"{name}{seconds}")
    manifest = trained_manifest(name, FPB, identity=HUB, seconds=seconds, **facts)
    place = adapters.place(project.root, manifest["variant"], name)
    card = adapter_card.first(project.root, manifest, place)
    return adapters.publish(trained, place, manifest, LLAMA, card)


def test_a_published_adapter_has_its_card_and_equal_runs_have_equal_ones(project):
    one = publish(project, seconds=20.0, cpu_peak_bytes=5)
    text = (one.folder / CARD).read_text()
    assert sorted(p.name for p in one.folder.iterdir()) == [
        CARD, adapters.PEFT_CONFIG, adapters.WEIGHTS, adapters.MANIFEST
    ]  # fmt: skip
    assert "None yet" in section(text, "Scores")
    two = publish(project, seconds=31.0, cpu_peak_bytes=7)
    assert one.manifest != two.manifest
    assert (two.folder / CARD).read_text() == text
    # It is what `adapters card` writes, too.
    assert card_of(project, two) == text


def test_the_card_of_an_adapter_that_is_replaced_keeps_its_authors_words_and_loses_its_scores(project):
    adapter = publish(project)
    keep(project, adapter, result(adapter))
    text = card_of(project, adapter)
    (adapter.folder / CARD).write_text(text + AFTER)
    again = publish(project, seconds=9.0)
    now = (again.folder / CARD).read_text()
    assert now.endswith(AFTER)
    assert front_of(now).eval_results is None
    (again.folder / CARD).write_text("my own")
    assert "my own" not in (publish(project, seconds=8.0).folder / CARD).read_text()


# Federated.


def test_the_card_of_a_federated_adapter_says_how_it_came_about(project):
    text = card_of(project, put(project, federated={"rounds_asked": 9}))
    assert "trained with FinLoRA and Flower by 2 clients together on 12 rows of the task `fpb`" in text
    assert section(text, "Federated training").strip().splitlines() == [
        "- clients: 2: a, b",
        "- rows: one file, divided evenly at random; a 6, b 6",
        "- rounds: 3 of 9 asked for; 1 lost: too few updates",
        "- answered: b in 2 of 3 rounds; the others in all",
        "- dropped out: b in round 2 (it went away)",
        "- averaged: A and B, each by itself",
        "- weights: weighted by rows",
        "- learning rate: 0.1 in the first round, 0.0333333 in the last",
        "- privacy: no differential privacy; the adapter may tell of single rows",
    ]
    assert f"- Digest of the training file (SHA-256): `{'3' * 64}`" in text
    assert "- Rows: 12 trained on, 0 held out, 4 left out as too long (counted in every round)" in text
    assert "| training | 16 steps of all clients together of 1 rows, 1 epochs over all rounds, learn" in text
    assert "| mean training loss of a round | 2.0000 at step 8, 1.5000 at step 16 |" in text
    assert "federated-learning" in front_of(text).tags


def test_the_card_of_a_private_adapter_tells_the_guarantee_and_no_counts(project):
    adapter = publish(project, federated={"privacy": PRIVATE, "aggregate": "ffa"})
    text = (adapter.folder / CARD).read_text()
    assert text == card_of(project, adapter)
    assert "by 2 clients together on rows (their number is not told) of the task `fpb`" in text
    told = section(text, "Federated training")
    for part in (
        "- averaged: B alone; A stays as it was drawn\n",
        # Rounded up, never down: the second is 20.125.
        "- privacy: epsilon 8.39 at delta 1e-05, for one whole institution present or zeroed out; 20.2 for",
        "; the limit was 12\n",
        "- noise: multiplier 1, updates clipped to 0.5; in each round the noise's norm is about 45 times",
        "- accounted by: exact Gaussian, Balle &amp; Wang 2018, over 3 rounds; every client in every round",
        "- trust: the server is trusted",
        "- assumed: the noise is computed in floating point",
        "- not told: row counts, steps, losses and the digest of the data",
    ):
        assert part in told
    assert "- Digest of the training file (SHA-256): not told\n" in text
    assert "- Rows: not told, nor how many were left out as too long\n" in text
    assert "| training | steps of 1 rows, 1 epochs over all rounds," in text
    assert "What the clients' rows taught may be lost in it." in section(text, "Limits")
    assert "damaged" not in text
    assert "loss |" not in text
    assert "None" not in section(text, "Data and licence") + section(text, "Method")


@pytest.mark.parametrize(
    ("partition", "sha256", "rows", "digest"),
    [
        (None, None, "each client's own, known to it alone", "known to the clients alone"),
        (
            {"kind": "files", "alpha": None, "rows": {"a": 4, "b": 1200}},
            "e" * 64,
            "a file of its own for each client; a 4, b 1,200",
            f"`{'e' * 64}`",
        ),
    ],
)
def test_rows_that_clients_brought_are_not_those_of_the_runs_task(project, partition, sha256, rows, digest):
    text = card_of(project, put(project, federated={"partition": partition, "sha256": sha256}))
    assert "by 2 clients together on 12 rows of their own." in text
    assert "Each client trained on rows of its own. Their sources and their licences are **not stated" in text
    assert f"- Digest of all training files (SHA-256): {digest}\n" in text
    assert f"- rows: {rows}\n" in text
    assert "fpb" not in text
    assert "datasets" not in front_of(text).to_dict()


def test_an_uneven_draw_and_many_clients_stay_readable(project):
    clients = [f"bank_{number}" for number in range(12)]
    adapter = put(project, federated={"partition": {"kind": "dirichlet", "alpha": 0.5, "rows": None}})
    adapter.manifest["federated"]["clients"] = clients
    text = card_of(project, adapter)
    assert "each label spread by a Dirichlet draw, alpha 0.5 (the smaller, the less alike)\n" in text
    named = ", ".join(rf"bank\_{number}" for number in range(10))
    assert f"- clients: 12: {named} and 2 more\n" in text


def test_hostile_words_of_a_federated_manifest_are_text(project):
    adapter = put(project, federated={})
    adapter.manifest["federated"]["dropped"][1] = {"b": "<script>[x](y)|`"}
    text = card_of(project, adapter)
    assert "<script>" not in text
    assert r"(&lt;script&gt;\[x\](y)\|\`)" in text


def test_a_faulty_task_of_the_project_never_costs_a_training(project):
    own = project.config.parent / "tasks"
    own.mkdir()
    (own / "mine.json").write_text("{")
    adapter = publish(project)
    assert "Financial PhraseBank" in (adapter.folder / CARD).read_text()
    with pytest.raises(ConfigError, match=r"mine\.json"):
        adapter_card.write(project.root, adapter)


def test_verify_takes_the_card_and_finds_no_place_in_it(project, full):
    card_of(project, full)
    [verdict] = shelf_checks.verify(["one"], project.root)
    faults = [fault for fault in verdict.faults if CARD in fault]
    assert faults == []
    text = (full.folder / CARD).read_text()
    assert str(project.root) not in text
    assert os.uname().nodename not in text


# Data and licence.


@pytest.mark.parametrize(
    ("base", "file", "licence", "name"),
    [
        ("builtin:smollm2-135m-instruct-q4_1", f"{TRAIN}/sentiment_sample_train.jsonl", "apache-2.0", None),
        ("builtin:smollm2-135m-instruct-q4_1", f"{TRAIN}/tfns_train.jsonl", "apache-2.0", None),
        ("builtin:smollm2-135m-instruct-q4_1", f"{TRAIN}/fpb_train.jsonl", "cc-by-nc-sa-3.0", None),
        (LLAMA, f"{TRAIN}/tfns_train.jsonl", "llama3.1", None),
        (LLAMA, f"{TRAIN}/fpb_train.jsonl", "other", "cc-by-nc-sa-3.0-and-llama3.1"),
        (LLAMA, f"{TRAIN}/fpb_train_as_published.jsonl", "other", "cc-by-nc-sa-3.0-and-llama3.1"),
        (LLAMA, f"{TRAIN}/headline_train.jsonl", None, None),
        (LLAMA, f"{TRAIN}/mine.jsonl", None, None),
        ("./base", f"{TRAIN}/tfns_train.jsonl", None, None),
        ("unknown/model", f"{TRAIN}/tfns_train.jsonl", None, None),
    ],
)
def test_a_licence_is_named_where_it_is_known(project, base, file, licence, name):
    adapter = put(project, settings={"base_model": base, "dataset_path": file}, identity=f"hub:{base}@1")
    text = card_of(project, adapter)
    data = front_of(text)
    assert (data.license, data.license_name) == (licence, name)
    assert ("Licence of this adapter: **not stated: fill in**" in text) is (licence is None)


@pytest.mark.parametrize("identity", ["fingerprint:abc", "builtin:x@1", "hub:another/model@1"])
def test_a_base_model_that_is_not_on_the_hub_is_not_named_as_one(project, identity):
    """The folder `base` would be the hub id `base`, somebody else's model."""
    adapter = put(project, settings={**FPB, "base_model": "base"}, identity=identity)
    data = front_of(card_of(project, adapter))
    assert data.base_model is None
    assert "base_model_relation" not in data
    assert "REVISION" not in snippet((adapter.folder / CARD).read_text())


def test_a_file_of_the_users_is_not_stated(project):
    adapter = put(project, settings={**FPB, "dataset_path": f"{TRAIN}/mine.jsonl"})
    text = card_of(project, adapter)
    assert "not\nstated: fill in**" in section(text, "Data and licence")
    data = front_of(text)
    assert (data.datasets, data.language) == (None, None)
    assert "finance" not in data.tags


@pytest.mark.parametrize(
    ("path", "digest", "found"),
    [
        (f"{TRAIN}/fpb_train.jsonl", "3" * 64, "its digest"),
        (f"{TRAIN}/fpb_train.jsonl", "4" * 64, "by its place"),
        ("fpb_train.jsonl", "3" * 64, "its digest"),
        ("fpb_train.jsonl", "4" * 64, None),
        ("../../data/train/fpb_train.jsonl", "3" * 64, None),
        ("../elsewhere/fpb_train.jsonl", "4" * 64, None),
    ],
)
def test_the_training_file_is_told_by_its_place_and_proved_by_its_digest(project, path, digest, found):
    rows = project.root / "data" / "train" / "fpb_train.jsonl"
    (rows.with_suffix(".card.json")).write_text(
        json.dumps({"schema": cards.SCHEMA, "sha256": "3" * 64, "form": "mended"})
    )
    rows.write_text("{}\n")
    manifest = trained_manifest("a", {**FPB, "dataset_path": path}, dataset_sha256=digest)
    source = card_data.of(manifest, card_data.known_tasks(project.root, True), project.root)
    assert (source.task.id if source.task else None) == ("fpb" if found else None)
    assert (source.card is not None) is (found == "its digest")
    text = card_of(project, put(project, settings={**FPB, "dataset_path": path}, dataset_sha256=digest))
    assert ("with the known defects mended" in text) is (found == "its digest")
    assert ("known by its place and name only" in text) is (found == "by its place")


def test_a_mix_names_the_parts_of_its_parts(project):
    adapter = put(project, settings={**FPB, "dataset_path": f"{TRAIN}/multi/general_multi.jsonl"})
    text = card_of(project, adapter)
    assert "takala/financial_phrasebank" in front_of(text).datasets
    assert len(front_of(text).datasets) == 6
    assert "(fpb): do not use it commercially" in section(text, "Limits")
    assert "- Part `nwgi`: unstated (unstated)" in text


def test_generated_rows_are_called_so(project):
    adapter = put(project, settings={**FPB, "dataset_path": f"{TRAIN}/sentiment_sample_train.jsonl"})
    text = card_of(project, adapter)
    assert "companies and figures are invented" in text
    assert "generated from templates" in section(text, "Limits")
    assert "investment advice" in section(text, "Limits")


# Hostile texts.

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1)) ![x](http://evil/x.png)",
    "a | b | c\n| d |",
    "``` \n# not a heading\n```",
    "`x` ``y`` ```",
    "\x1b[31mred\x07\x00\u202egnp.exe\u2028",
    "---\nlicense: mit\n---",
    "<!-- finlora card: end -->",
    "\n<!-- finlora card: end -->\n",
    '<!-- finlora card: begin {"a": 1} -->',
    "{{ 7 * 7 }} {% raw %} {# x #}",
    "**bold** _it_ ~~no~~ $$x$$ &lt; &#60;",
    "\\` \\\\` \\",
    "' \" ''' \"\"\" \\",
    "!!python/object/apply:os.system ['id']",
]


def hostile_adapter(project, text):
    """Return an adapter in whose files the text stands wherever a text may stand."""
    adapter = put(project)
    manifest = json.loads(json.dumps(adapter.manifest))
    manifest |= {"run_name": text, "variant": text, "dtype": text, "versions": {text: text}}
    manifest["run"] |= {"dataset_path": f"../data/{text}"}
    manifest["base_model"] |= {"name": text, "identity": f"hub:{text}@{text}"}
    manifest["built"] |= {"targets": [text]}
    manifest["dataset"] |= {"sha256": text}
    manifest["prompt"] |= {"head": text, "tail": text, "style": text, "stop": [text]}
    (adapter.folder / adapters.MANIFEST).write_text(json.dumps(manifest))
    adapter = adapters.read(adapter.folder)
    against = {"name": text, "difference": 0.1, "interval": [0, 0.2], "p_value": None}
    against |= {"better": 1, "worse": 0, "got_worse": []}
    texts = {"task": text, "dataset": text, "dataset_sha256": text, "also": {text: 1.0}, "against": against}
    keep(project, adapter, result(adapter, settings={"seed": text}, limit=5, **texts))
    return adapter


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_is_text(project, text):
    adapter = hostile_adapter(project, text)
    card = card_of(project, adapter)
    data = front_of(card)
    assert len(data.eval_results) == 1
    assert data.license is None
    assert all(char.isprintable() or char == "\n" for char in card)
    # Its marks are found, so that it can be renewed, and the hub's own Markdown shows no tag but ours.
    assert adapter_card.refresh(project.root, adapter)
    assert (adapter.folder / CARD).read_text() == card
    page = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .render(ModelCard(card).content.partition("---\n\n")[2])
    )
    tags = set(re.findall(r"<(\w+)", re.sub(r"<!-- finlora card: .*? -->", "", page)))
    ours = {
        "h1",
        "h2",
        "p",
        "ul",
        "li",
        "strong",
        "code",
        "pre",
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert tags <= ours
    assert "<!--" not in re.sub(r"^<!-- finlora card: (begin \{.*\}|end) -->$", "", page, flags=re.MULTILINE)
    assert page.count("<h2>") == 5
    assert page.count("<h1>") == 1
    assert page.count("<table>") == 2
    names = {}
    values = snippet(card).split("QUESTION")[0].split("ADAPTER")
    exec(
        "\n".join(line for line in "".join(values).splitlines() if re.match("HEAD|TAIL|STOP|BASE", line)),
        names,
    )
    assert (names["HEAD"], names["TAIL"], names["STOP"]) == (text, text, [text])
    compile(snippet(card), "card", "exec")


@pytest.mark.parametrize(
    ("form", "text", "written"),
    [
        (card_words.code, "a", "`a`"),
        (card_words.code, "a``b`c", "```a``b`c```"),
        (card_words.code, "`a", "`` `a ``"),
        (card_words.cell, "a | b", "`a \\| b`"),
        (card_words.words, "<b> [a](b) *c*", "&lt;b&gt; \\[a\\](b) \\*c\\*"),
        (card_words.literal, "```", "'\\x60\\x60\\x60'"),
        (card_words.literal, "a\n```\n", "'a\\n\\x60\\x60\\x60\\n'"),
        (card_words.literal, "<!-- x", "'\\x3c!-- x'"),
        (card_words.fenced, "````", "`````text\n````\n`````"),
        (card_words.digest, "`x`", "damaged"),
    ],
)
def test_how_a_text_is_written(form, text, written):
    assert form(text) == written


def test_words_of_a_projects_own_task_are_text(project):
    words = "<b>x</b> [a](b) ``` # | `"
    own = project.config.parent / "tasks"
    own.mkdir()
    task = json.loads((card_data.tasks.SHIPPED / "tfns.json").read_text())
    task |= {"id": "mine", "name": words, "description": words, "defects": [{"what": words, "mended": words}]}
    task |= {"files": {"train": "train/mine.jsonl"}, "rows": {}, "mended_rows": {}}
    task |= {"prompt": "```\n<!-- finlora card: end -->\n~~~\n{text} {{x}}\nAnswer:"}
    task["licence"] = {"stated": words, "terms": "unstated", "note": words}
    (own / "mine.json").write_text(json.dumps(task))
    adapter = put(project, settings={**FPB, "dataset_path": f"{TRAIN}/mine.jsonl"})
    card = card_of(project, adapter)
    assert "⟨text⟩ {x}" in card
    assert card_of(project, adapter) == card
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(card.partition("---\n\n")[2])
    assert "<b>" not in page
    assert page.count("<h2>") == 5
    assert page.count("&lt;b&gt;x&lt;/b&gt; [a](b) ``` # | `") == 6
    assert front_of(card).language is None


# As trained.


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("base", ["builtin:smollm2-135m-instruct-q4_1", "./base", LLAMA])
def test_every_snippet_is_python(project, bits, base):
    identity = f"hub:{base}@1" if "/L" in base else "x"
    adapter = put(project, settings={**FPB, "base_model": base, "quant_bits": bits}, identity=identity)
    code = snippet(card_of(project, adapter))
    compile(code, "card", "exec")
    assert ("BitsAndBytesConfig(" in code) is (bits != 16)
    assert ("revision=REVISION" in code) is (base == LLAMA)
    assert ("builtin.model_folder()" in code) is base.startswith("builtin")


def test_the_snippet_asks_as_finlora_does(project, tmp_path):
    question = "Net sales rose by 5%.\nAnswer: "
    adapter = put(project, settings={**FPB, "base_model": "./base", "quant_bits": 16}, identity="tiny:1")
    base = BaseModel("./base", make_tiny_base(adapter.folder / "base"), "tiny:1")
    make_tiny_adapter(tmp_path / "made", base.folder)
    for name in (adapters.WEIGHTS, adapters.PEFT_CONFIG):
        (tmp_path / "made" / name).replace(adapter.folder / name)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    record = prompts.prompt_for(tokenizer, None).record(tokenizer)
    (adapter.folder / adapters.MANIFEST).write_text(json.dumps({**adapter.manifest, "prompt": record}))
    adapter = adapters.read(adapter.folder)
    code = snippet(card_of(project, adapter)).replace('"YOUR QUESTION"', repr(question))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=adapter.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answerer = inference.load(adapter, base, prompt_style=None, quant_bits=16, device="cpu")
    [answer] = answerer.generate([question], max_new_tokens=10)
    assert answer
    assert done.stdout.strip() == answer


def test_a_damaged_manifest_is_named(project):
    adapter = put(project)
    manifest = json.loads(json.dumps(adapter.manifest))
    manifest["run"]["learning_rate"] = "<script>"
    del manifest["run_name"]
    (adapter.folder / adapters.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(AdapterError, match=r"run_name, run\.learning_rate missing or damaged"):
        adapter_card.write(project.root, adapters.read(adapter.folder))
    assert not (adapter.folder / CARD).exists()


def test_a_folder_that_cant_be_written_is_told(project, monkeypatch):
    adapter = put(project)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(FinLoRAError, match=r"README\.md: can't be written: No space left"):
        adapter_card.write(project.root, adapter)
    assert not list(adapter.folder.glob(".README*"))


def test_a_name_that_is_nobodys(project, run):
    ended = run("adapters", "card", "nobody", "--config", project.config)
    assert (ended.code, ended.out) == (2, "")
    assert "no adapter 'nobody'" in ended.err


def test_refusing_is_a_usage_error(project):
    adapter = put(project)
    (adapter.folder / CARD).write_text("x")
    with pytest.raises(UsageError):
        adapter_card.write(project.root, adapter)
