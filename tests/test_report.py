"""What a report is made of: what is found, what shares a row, what is averaged, what is set apart."""

import json
from dataclasses import replace

import pytest

from finlora import report, report_findings, report_page, report_record, report_sources, results
from finlora.errors import UsageError
from finlora.files import write_json
from finlora.forgetting import Change, Forgetting
from tests import report_parts
from tests.conftest import PRIVATE, write_adapter, write_project
from tests.report_parts import TASKS, adapter_facts, answers, keep, on_shelf, result

ONE, TWO = "a" * 64, "b" * 64


def scored(project, run, like="fpb", stem=None, share=0.8, digest=ONE, variant="8bits_r8", **facts):
    """Keep a result of an adapter, which need not be on the shelf."""
    made = result(like, answers(like, share, 1), respondent=adapter_facts(run, digest))
    return keep(project.root, variant, run, stem or like, replace(made, **facts))


def of_base(project, task="fpb", share=0.6, **facts):
    return keep(
        project.root, results.BASE, "llama", task, replace(result(task, answers(task, share, 0)), **facts)
    )


def columns(table):
    return [who.name for who in table.columns]


def cells(table):
    """Return task, metric and the scores of each row, in percent."""
    return [
        (row.task, block.metric, [entry and round(100 * entry.result.score) for entry in row.cells])
        for block in table.blocks
        for row in block.rows
    ]


def test_everything_that_lies_there_is_found(project):
    report_parts.fill(project)
    built = report.build(project.root)
    assert len(built.entries) == 9 + 2 * 9 + 3 + 4
    assert [family.name for family in built.families] == [
        *("general", "certification", "reporting", "analysis", "own")
    ]
    assert {who.kind for who in built.respondents} == {"base", "endpoint", "adapter"}
    assert built.without == ("unscored",)
    [(where, fault)] = built.damaged
    assert where == "results/8bits_r8/sentiment_llama_3_1_8b_8bits_r8/broken.json"
    assert fault.startswith("can't be read: Expecting")
    assert str(project.root) not in fault


def test_a_project_with_nothing_says_what_to_do(project):
    with pytest.raises(
        UsageError, match=r"no results and no adapters\.\nScore an adapter first: finlora eval"
    ):
        report.build(project.root)


def test_adapters_alone_make_a_report_of_their_trainings(project):
    on_shelf(project, "one", ONE)
    built = report.build(project.root)
    assert (built.without, built.training.names) == (("one",), ("one",))
    assert built.families == ()


DAMAGE = [
    ("{", "can't be read"),
    ("[]", "schema"),
    (json.dumps({"schema": 1}), "schema"),
    ("\ud800", "can't be read"),
]


@pytest.mark.parametrize(("text", "fault"), DAMAGE)
def test_a_damaged_result_is_named_and_left_out(project, text, fault):
    of_base(project)
    path = scored(project, "one")
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    built = report.build(project.root)
    assert [entry.path for entry in built.entries] == ["base/llama/fpb.json"]
    [(where, why)] = built.damaged
    assert (where, fault in why) == ("results/8bits_r8/one/fpb.json", True)
    assert len(DAMAGE) == 4


IMPOSSIBLE = [
    {"score": 7.0},
    {"score": -0.1},
    {"interval": (0.9, 0.2)},
    {"interval": (0.2, 1e300)},
    {"unparsed": 1.5},
    {"majority": 60.1},
    {"errors": 5000},
    {"also": {"rouge_l": 31.0}},
    {"against": {"name": "b", "difference": 12.0, "interval": (0.1, 0.2), "p_value": None}
     | {"better": 1, "worse": 0, "got_worse": []}},
]  # fmt: skip


@pytest.mark.parametrize("facts", IMPOSSIBLE)
def test_a_result_that_no_scoring_can_come_to_is_left_out(project, facts):
    of_base(project)
    scored(project, "one", **facts)
    built = report.build(project.root)
    assert (len(built.entries), len(built.damaged)) == (1, 1)
    assert len(IMPOSSIBLE) == 9


def test_a_damaged_adapter_is_named(project):
    folder = on_shelf(project, "one", ONE)
    (folder / "finlora.json").write_text('{"schema": 1}')
    write_adapter(project.root / "lora_adapters" / "8bits_r8" / "two")
    (project.root / "lora_adapters" / "8bits_r8" / "three").mkdir()
    built = report.build(project.root)
    assert [where for where, _ in built.damaged] == [
        *("lora_adapters/8bits_r8/three", "lora_adapters/8bits_r8/one/finlora.json")
    ]
    # A bare PEFT adapter is no damage; nobody knows how it was trained.
    assert built.without == ("one", "two")
    assert built.training.names == ()


def test_weights_are_told_from_those_on_the_shelf(project):
    for run in ("same", "replaced", "unknown"):
        on_shelf(project, run, ONE)
    manifest = project.root / "lora_adapters" / "8bits_r8" / "unknown" / "finlora.json"
    # From before digests were kept: the weights themselves are read.
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "weights_sha256": None}))
    for run in ("same", "unknown", "gone"):
        scored(project, run)
    scored(project, "replaced", digest=TWO)
    scored(project, "away", variant=results.ELSEWHERE)
    of_base(project)
    found = {entry.who.place[1]: entry.who.weights for entry in report_sources.gather(project.root).entries}
    assert found == {
        "same": "current",
        "replaced": "replaced",
        "unknown": "replaced",
        "gone": "gone",
        "away": "elsewhere",
        "llama": None,
    }


def test_scores_of_earlier_weights_never_stand_among_those_of_todays(project):
    on_shelf(project, "one", ONE)
    scored(project, "one", "fpb")
    scored(project, "one", "fiqa", digest=TWO)
    [family] = report.build(project.root).families
    assert columns(family.full) == ["one"]
    assert columns(family.apart) == ["one, weights bbbbbbbb"]
    assert family.apart.blocks[0].rows[0].apart == ("weights replaced since",)


NAMES = [
    # Other variants, other weights elsewhere, and nothing but another prompt.
    ([("8bits_r8", ONE, {}), ("4bits_r4", TWO, {})], ["one (4bits_r4)", "one (8bits_r8)"]),
    (
        [("elsewhere", ONE, {}), ("elsewhere", TWO, {})],
        ["one (weights aaaaaaaa)", "one (weights bbbbbbbb)"],
    ),
    ([("elsewhere", ONE, {}), ("elsewhere", ONE, {"prompt_style": "inst"})], ["one (#1)", "one (#2)"]),
]


@pytest.mark.parametrize(("kept", "names"), NAMES)
def test_no_two_columns_have_one_name(project, kept, names):
    for number, (variant, digest, facts) in enumerate(kept):
        who = {**adapter_facts("one", digest), **facts}
        made = replace(result("fpb", answers("fpb", 0.8, 1)), respondent=who)
        keep(project.root, variant, "one", f"fpb{number}", made)
    assert [who.name for who in report.build(project.root).respondents] == names
    assert len(NAMES) == 3


def test_rows_are_tasks_and_columns_respondents(project):
    of_base(project, "fpb", 0.6)
    of_base(project, "fiqa", 0.6)
    scored(project, "worse", "fpb", share=0.7)
    scored(project, "better", "fpb", share=0.9)
    [family] = report.build(project.root).families
    assert columns(family.full) == ["meta-llama/Llama-3.1-8B-Instruct", "better", "worse"]
    (fiqa, _, first), (fpb, _, second) = cells(family.full)
    assert (fiqa, fpb, first[1:]) == ("fiqa", "fpb", [None, None])
    assert second[1] > second[2] > second[0]


APART = {
    "limit": ({"limit": 100, "rows": 100}, ("100 rows drawn",)),
    "published": ({"dataset": "fpb_test_as_published.jsonl"}, ("data as published",)),
    "scorer": ({"scorer": "reference"}, ("the benchmark's scorer",)),
}


@pytest.mark.parametrize("name", APART)
def test_what_is_not_full_stands_apart_and_says_why(project, name):
    facts, words = APART[name]
    scored(project, "one")
    scored(project, "one", stem=f"fpb.{name}", **facts)
    [family] = report.build(project.root).families
    assert len(cells(family.full)) == len(cells(family.apart)) == 1
    assert [row.apart for row in family.apart.blocks[0].rows] == [words]
    assert len(APART) == 3


SEPARATE = {
    "digest": {"dataset_sha256": "9" * 64},
    "dataset": {"dataset": "other.jsonl"},
    "task": {"task": "tfns"},
    "decode": {"decode": "generate"},
    "metric": {"metric": "rouge_l"},
}


@pytest.mark.parametrize("name", SEPARATE)
def test_what_does_not_compare_does_not_share_a_row(project, name):
    scored(project, "one")
    scored(project, "two", **SEPARATE[name])
    [family] = report.build(project.root).families
    rows = cells(family.full)
    assert len(rows) == 2
    assert sorted(scores.count(None) for _, _, scores in rows) == [1, 1]
    assert len(SEPARATE) == 5


def test_other_rows_drawn_and_another_encoder_are_other_rows(project):
    for seed in (1, 2):
        scored(project, f"drawn{seed}", limit=9, rows=9, settings={"rows_seed": seed})
        scored(project, f"text{seed}", "xbrl_term", settings={"bert_model": f"encoder{seed}"})
    general, reporting = report.build(project.root).families
    assert len(cells(general.apart)) == 2
    assert len(cells(reporting.full)) == 2
    scored(project, "text2", "xbrl_term", settings={"bert_model": "encoder1"})
    assert len(cells(report.build(project.root).families[1].full)) == 1


def test_an_average_is_over_the_tasks_that_all_columns_have(project):
    for task, score in (("fpb", 0.5), ("fiqa", 0.7), ("headline", 0.9)):
        of_base(project, task, score=score)
        if task != "headline":
            scored(project, "one", task, score=score + 0.1)
    scored(project, "one", "headline", stem="headline.limit", limit=10, score=0.0)
    [family] = report.build(project.root).families
    [block] = family.full.blocks
    assert (len(block.rows), block.averaged) == (3, 2)
    assert block.averages == pytest.approx((0.6, 0.7))


def test_an_average_never_mixes_metrics_or_ways_of_asking(project):
    of_base(project, "finer", score=0.5)
    of_base(project, "xbrl_term", score=0.9)
    of_base(project, "formula", score=0.1)
    of_base(project, "fpb", score=0.2)
    families = report.build(project.root).families
    blocks = [(b.metric, b.decode, b.averages) for f in families for b in f.full.blocks]
    assert blocks == [
        ("accuracy", "labels", (0.2,)),
        ("accuracy", "generate", (0.5,)),
        ("bertscore_f1", "generate", (0.9,)),
        ("accuracy", "generate", (0.1,)),
    ]


def test_of_many_columns_some_are_folded_and_none_is_lost(project):
    made = result("fpb", answers("fpb", 0.8, 1))
    for i in range(30):
        who = adapter_facts(f"run{i:02}", f"{i:064}")
        keep(project.root, "8bits_r8", f"run{i:02}", "fpb", replace(made, respondent=who, score=i / 100))
    of_base(project)
    [family] = report.build(project.root).families
    assert family.full.shown == 12
    assert len(columns(family.full)) == 31
    assert columns(family.full)[1:4] == ["run29", "run28", "run27"]
    [block] = family.full.blocks
    assert len(block.averages) == 12


def test_a_file_of_the_users_has_a_family_of_its_own(project):
    scored(project, "one", "my_rows")
    scored(project, "one", "fpb", family="<made up>")
    assert [family.name for family in report.build(project.root).families] == ["own"]


def test_confusions_hold_every_row_and_strangers_have_a_column(project):
    made = result("fpb", answers("fpb", 0.6, 1, 0.2))
    odd = [("negative", "bearish", 4), ("positive", None, 3), ("positive", "positive", 2)]
    scored(project, "one", confusion=made.confusion, classes=made.classes)
    scored(project, "two", confusion=odd, classes={"positive": {"precision": "x", "recall": 0.4}})
    one, two = report.build(project.root).confusions
    assert sum(map(sum, one.counts)) == 1212
    assert (one.labels, one.answers) == (("negative", "neutral", "positive"),) * 2
    assert (two.labels, two.answers) == (("positive", "negative"), ("positive", "negative", None))
    assert two.counts == ((2, 0, 0, 3), (0, 0, 4, 0))
    assert two.classes == ((5, None, 0.4, None), (4, None, None, None))


@pytest.mark.parametrize("facts", [{"kind": "number"}, {"kind": "text"}, {"confusion": []}, {"limit": 5}])
def test_only_full_results_on_few_labels_are_pictured(project, facts):
    scored(project, "one", **facts)
    assert report.build(project.root).confusions == ()


def test_a_task_of_more_than_twenty_labels_is_not_pictured(project):
    for number in (20, 21):
        labels = [f"label{i}" for i in range(number)]
        scored(project, f"of{number}", confusion=[(x, x, 1) for x in labels], classes={x: {} for x in labels})
    assert [one.entry.who.name for one in report.build(project.root).confusions] == ["of20"]


def test_what_the_answers_took_and_cost(project):
    settings = {"device": "cuda", "dtype": "bfloat16", "cost_usd": 0.25}
    scored(project, "one", "fpb", settings=settings, seconds=30.0)
    scored(project, "one", "fiqa", settings={**settings, "dtype": "float32"}, seconds=10.0)
    [speed] = report.build(project.root).speeds
    assert (speed.results, speed.rows, speed.seconds) == (2, 1212 + 235, 40.0)
    assert speed.settings == {"device": "cuda", "dtype": "bfloat16, float32", "batch_tokens": ""}
    assert speed.costs == {"cost_usd": 0.5}


def test_what_the_trainings_took(project):
    on_shelf(project, "one", ONE, losses=[(1, 3.0), (2, 1.0)], validation=[(2, 1.5)])
    training = report.build(project.root).training
    facts = {fact.name: fact.values for fact in training.facts}
    assert facts["size on disk"] == (len(b"weights of one"),)
    assert facts["last training loss"] == (1.0,)
    assert {
        "seconds",
        "tokens",
        "GPU memory peak",
        "CPU memory peak",
        "trainable parameters",
    } - facts.keys() == {
        "GPU memory peak",
        "CPU memory peak",
    }
    assert training.curves[0].train == [(1, 3.0), (2, 1.0)]


def test_federated_trainings_stand_among_the_others(project):
    on_shelf(project, "one", ONE)
    on_shelf(project, "one", ONE, federated={})
    on_shelf(project, "two", TWO, federated={"privacy": PRIVATE})
    made = report.build(project.root)
    training = made.training
    assert (made.damaged, training.federated) == ((), True)
    assert training.names == ("8bits_r8/one", "8bits_r8_fed/one", "two")
    facts = {fact.name: fact.values for fact in training.facts}
    assert facts["clients"] == (None, 2, 2)
    assert facts["tokens"] == (270, 1800, None)
    assert facts["last training loss"] == (1.5, 1.5, None)
    assert [curve.name for curve in training.curves] == ["8bits_r8/one", "8bits_r8_fed/one"]
    page, text = report_page.html(made), report_page.markdown(made)
    for written in (page, text):
        assert "Where there are clients, a training is federated" in written
        assert "8.39 at delta 1e-05" in written


def test_without_federated_trainings_nothing_is_said_of_them(project):
    on_shelf(project, "one", ONE)
    made = report.build(project.root)
    assert "ederated" not in report_page.html(made) + report_page.markdown(made)


def test_a_report_of_private_trainings_alone_draws_no_losses(project):
    on_shelf(project, "two", TWO, federated={"privacy": PRIVATE})
    made = report.build(project.root)
    assert (made.damaged, made.training.curves) == ((), ())
    assert "No adapter on the shelf tells of its losses." in report_page.html(made)


def test_a_damaged_federated_manifest_is_named(project):
    path = on_shelf(project, "two", TWO, federated={"privacy": PRIVATE}) / "finlora.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "federated": {**manifest["federated"], "clients": "a"}}))
    assert report.build(project.root).damaged == (
        ("lora_adapters/8bits_r8_fed/two/finlora.json", "federated.clients missing or damaged"),
    )


BESIDE = [
    ({}, ("mended rows", "our own scorer")),
    ({"scorer": "reference"}, ("mended rows",)),
    ({"dataset": "fpb_test_as_published.jsonl"}, ("our own scorer",)),
    ({"scorer": "reference", "dataset": "fpb_test_as_published.jsonl"}, ()),
    ({"scorer": "reference", "dataset": "fpb_as_published.jsonl", "limit": 9}, ("a part of the rows",)),
]


@pytest.mark.parametrize(("facts", "reasons"), BESIDE)
def test_a_result_compares_with_published_ones_only_by_their_rows_and_rule(project, facts, reasons):
    scored(project, "one", **facts)
    [beside] = report.build(project.root).beside
    assert (beside.task.name, beside.ours[0][1]) == ("FPB", reasons)
    assert len(BESIDE) == 5


def test_free_text_compares_only_by_the_encoder_of_the_benchmark(project):
    facts = {"dataset": "xbrl_term_test_as_published.jsonl"}
    scored(project, "one", "xbrl_term", **facts, settings={"bert_model": "hub:ProsusAI/finbert@1"})
    scored(project, "two", "xbrl_term", **facts, settings={"bert_model": "hub:roberta-large@1"})
    scored(project, "three", "xbrl_term", **facts, metric="rouge_l")
    [beside] = report.build(project.root).beside
    assert {entry.who.name: why for entry, why in beside.ours} == {
        "one": (),
        "three": ("ROUGE-L is not published",),
        "two": ("another encoder",),
    }


def test_findings_name_what_must_not_be_missed(project):
    report_parts.fill(project)
    found = {
        one.title.partition(" × ")[2]: one for one in report_findings.findings(report.build(project.root))
    }
    assert len(found) == 8
    assert found["on the shelf, but never scored"].items == ("unscored",)
    assert found["scored, but no longer on the shelf"].items == ("ner_llama_3_1_8b_8bits_r8",)
    worse = found["worse than its baseline, beyond chance"].items
    assert [item.partition(" on ")[2].partition(":")[0] for item in worse] == ["xbrl_tags_extract"] * 2
    below = found["no better than always giving the most frequent answer"].items
    assert "meta-llama/Llama-3.1-8B-Instruct on headline: 43.4%, most frequent 56.0%" in below


def test_many_findings_are_counted(project):
    made = replace(result("fpb", answers("fpb", 0.8, 1)), errors=2)
    for i in range(25):
        keep(
            project.root, "base", f"m{i}", "fpb", replace(made, respondent={"kind": "base", "name": f"m{i}"})
        )
    [found] = report_findings.findings(report.build(project.root))
    assert found.title.startswith("25 × rows without an answer")
    assert (len(found.items), found.more) == (10, 15)


def test_the_tally_counts_whole_intervals_on_full_data(project):
    ends = [(0.1, 0.3), (-0.3, -0.1), (-0.1, 0.1), (0.0, 0.2)]
    for number, interval in enumerate(ends):
        against = {"name": "b", "difference": sum(interval) / 2, "interval": interval, "p_value": 0.5}
        kept = {**against, "better": 3, "worse": 1, "got_worse": [1]}
        scored(project, f"run{number}", against=kept)
        scored(project, f"run{number}", stem="fpb.limit5", limit=5, against=kept)
    built = report.build(project.root)
    ends = report_findings.tally(built)
    assert (ends.better, ends.worse, ends.open, ends.all) == (1, 1, 2, 4)
    assert len(built.compared) == 8


def test_the_record_holds_everything(project):
    report_parts.fill(project)
    record = json.loads(json.dumps(report_record.to_record(report.build(project.root))))
    assert len(record["results"]) == 34
    [one] = [one for one in record["results"] if one["file"].endswith("r8/fpb.limit100.json")]
    assert (one["apart"], one["weights"], one["limit"]) == (["100 rows drawn"], "current", 100)
    assert set(one["against"]) == {"name", "difference", "interval", "p_value", "better", "worse"}
    assert record["never_scored"] == ["unscored"]
    assert len(record["damaged"]) == 1
    assert {task["task"] for task in record["published"]} == {*TASKS, "nwgi"} - {"my_rows"}


def test_equal_results_have_an_equal_digest_wherever_they_lie(tmp_path, clean_environment):
    digests = set()
    for name in ("here", "there"):
        project = write_project(tmp_path / name, {})
        of_base(project)
        digests.add(report.build(project.root).digest)
    assert len(digests) == 1
    of_base(project, share=0.7)
    assert report.build(project.root).digest not in digests


def forgotten(project, run="one", variant="8bits_r8", **facts):
    """Keep a general benchmark of an adapter; return the file."""
    made = Forgetting(
        adapter={
            "name": run, "variant": variant, "adapter_sha256": ONE,
            "base_model": "b", "base_identity": "b:1",
        },
        task="mmlu",
        rows=100,
        limit=facts.get("limit"),
        parts={"mmlu": {"version": 1, "hash": "h", "few_shot": 0, "rows": 100}},
        metrics={"acc,none": Change(0.40, 0.45, 0.05, 0.05, -0.05, (-0.09, -0.01), 0.03, 2, 7, True)},
        settings={"dtype": "float32"},
        seconds={"adapter": 1.0, "base": 1.0},
        versions={"lm_eval": "0.4.11"},
    )  # fmt: skip
    path = project.root / "results" / "forgetting" / variant / run / "mmlu.json"
    write_json(path, made.to_record())
    return path


def test_what_tuning_cost_in_general_ability_is_shown(project):
    forgotten(project, "<b>one", limit=5)
    made = report.build(project.root)
    assert [one.task for one in made.forgotten] == ["mmlu"]
    page, text = report_page.html(made), report_page.markdown(made)
    assert "mmlu, a trial" in page
    assert "&lt;b&gt;one" in page
    assert "<b>one" not in page
    assert "0.4500" in page
    assert "| -0.0500 | -0.0900 to -0.0100 |" in text
    assert report_record.to_record(made)["forgetting"][0]["metrics"]["acc,none"]["worse"] == 7
    # It is no score on a finance task.
    assert made.entries == ()


def test_of_two_adapters_of_one_name_the_variant_tells_which_was_measured(project):
    forgotten(project)
    assert "| mmlu | one |" in report_page.markdown(report.build(project.root))
    forgotten(project, variant="8bits_r8_fed")
    made = report.build(project.root)
    assert "| mmlu | 8bits_r8/one |" in report_page.markdown(made).replace("\\", "")
    assert "| mmlu | 8bits_r8_fed/one |" in report_page.markdown(made).replace("\\", "")
    assert "8bits_<wbr>r8_<wbr>fed/<wbr>one" in report_page.html(made)


def test_a_damaged_benchmark_is_named(project):
    forgotten(project).write_text("{")
    made = report.build(project.root)
    assert (made.forgotten, [where for where, _ in made.damaged]) == (
        (), ["results/forgetting/8bits_r8/one/mmlu.json"],
    )  # fmt: skip
