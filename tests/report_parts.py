"""A project full of results, as `finlora eval` keeps them: made-up answers, judged and summed up for real."""

import json
import random
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from finlora import results
from finlora.metrics import Judged
from finlora.metrics.statistics import Paired, paired, summarise
from finlora.results import Result
from tests.conftest import Project, shelve

SENTIMENT = ("negative", "neutral", "positive")
BASE = {"base_model": "meta-llama/Llama-3.1-8B-Instruct", "base_identity": "commit:1", "quant_bits": 8}
# Task: family, kind, metric, labels, rows, right answers of the base and of an adapter.
TASKS: dict[str, tuple[str, str, str, tuple[str, ...], int, float, float]] = {
    "fpb": ("general", "label", "accuracy", SENTIMENT, 1212, 0.69, 0.85),
    "fiqa": ("general", "label", "accuracy", SENTIMENT, 235, 0.55, 0.80),
    "headline": ("general", "label", "accuracy", ("No", "Yes"), 900, 0.46, 0.93),
    "cfa_level1": ("certification", "letter", "accuracy", ("A", "B", "C"), 90, 0.44, 0.47),
    "finer": ("reporting", "tags", "accuracy", (), 501, 0.22, 0.71),
    "xbrl_term": ("reporting", "text", "bertscore_f1", (), 651, 0.57, 0.62),
    "formula": ("analysis", "number", "accuracy", (), 200, 0.12, 0.31),
    "xbrl_tags_extract": ("analysis", "tags", "accuracy", (), 589, 0.66, 0.61),
    "my_rows": ("", "label", "accuracy", ("buy", "hold", "sell"), 120, 0.35, 0.52),
}


def answers(task: str, right: float, seed: int, unparsed: float = 0.01) -> list[Judged]:
    """Return judged answers of which a share is right; equal seeds are equally hard rows."""
    _, kind, _, labels, rows, _, _ = TASKS[task]
    rows_of, own = random.Random(f"{task}"), random.Random(f"{task}{seed}")
    found = []
    for _ in range(rows):
        hard = rows_of.random()
        gold = (
            rows_of.choices(labels, [len(labels) - i / 2 for i in range(len(labels))])[0]
            if labels
            else "gold"
        )
        if kind == "text":
            found.append(Judged("text", "gold", min(1.0, max(0.0, own.gauss(right, 0.08)))))
        elif 0.6 * hard + 0.4 * own.random() < right:
            found.append(Judged(gold, gold, 1.0))
        elif own.random() < unparsed:
            found.append(Judged(None, gold, 0.0))
        else:
            others = [label for label in labels if label != gold] or ["other"]
            found.append(Judged(own.choice(others), gold, 0.0))
    return found


def result(task: str, judged: list[Judged], **facts: Any) -> Result:
    """Return what `finlora eval` would keep of these answers."""
    family, kind, metric, labels, _, _, _ = TASKS[task]
    golds = labels or (() if kind == "text" else ("gold",))
    summary = summarise(judged, golds)
    made = Result(
        key=f"key of {task}",
        respondent={"kind": "base", "name": BASE["base_model"], **BASE},
        task=task,
        family=family or None,
        kind=kind,
        scorer="finlora",
        decode="labels" if kind in ("label", "letter") else "generate",
        dataset=f"{task}_test.jsonl",
        dataset_sha256=(task.encode().hex() * 32)[:64],
        limit=None,
        metric=metric,
        score=summary.score,
        interval=summary.interval,
        rows=summary.n,
        errors=0,
        unparsed=summary.unparsed,
        majority=summary.majority if labels else None,
        weighted_f1=summary.weighted_f1 if kind != "text" else None,
        macro_f1=summary.macro_f1 if kind != "text" else None,
        also={"rouge_l": 0.31} if kind == "text" else {},
        classes={label: asdict(one) for label, one in summary.classes.items()},
        confusion=[(gold, answer, n) for gold, its in summary.confusion.items() for answer, n in its.items()],
        seconds=summary.n / 40,
        rows_per_second=40.0,
        settings={"dtype": "bfloat16", "device": "cuda", "batch_tokens": 16384, "seed": 42},
        versions={"finlora": "0.4.0"},
    )
    return replace(made, **facts)


def against(name: str, before: list[Judged], after: list[Judged]) -> dict[str, Any]:
    """Return the comparison of two respondents as a result keeps it."""
    found: Paired = paired([one.score for one in before], [one.score for one in after])
    kept = {**asdict(found), "name": name, "got_worse": [row + 1 for row in found.got_worse]}
    return kept


def keep(root: Path, variant: str, run: str, stem: str, made: Result) -> Path:
    path = root / results.FOLDER / variant / run / f"{stem}.json"
    results.keep(path, made)
    path.with_name(f"{stem}.predictions.jsonl").write_text("{}\n")
    return path


def adapter_facts(run: str, digest: str, variant: str = "8bits_r8") -> dict[str, Any]:
    return {"kind": "adapter", "name": run, "variant": variant, "adapter_sha256": digest, **BASE}


def on_shelf(project: Project, run: str, digest: str, **facts: Any) -> Path:
    """Put an adapter on the shelf, its manifest with the digest of its weights as a training writes it."""
    folder = shelve(project, run, {"quant_bits": 8, "base_model": BASE["base_model"]}, **facts)
    path = folder / "finlora.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "weights_sha256": digest}))
    return folder


def curve(steps: int, start: float, end: float, seed: int) -> list[tuple[int, float]]:
    noise = random.Random(seed)
    return [
        (step, round(end + (start - end) * 2 ** (-9 * step / steps) + noise.gauss(0, 0.04 * end), 4))
        for step in range(1, steps + 1)
    ]


def fill(project: Project) -> None:
    """Fill a project: three adapters on the shelf, a base, a hosted model, and what has to stand apart."""
    root, base = project.root, {task: answers(task, facts[5], 0, 0.06) for task, facts in TASKS.items()}
    for task, judged in base.items():
        keep(root, results.BASE, "meta_llama_llama_3_1_8b_instruct_chat_8bits", task, result(task, judged))
    for number, run in enumerate(
        ["sentiment_llama_3_1_8b_8bits_r8", "finer_llama_3_1_8b_8bits_r8", "unscored"]
    ):
        losses = curve(300 + 100 * number, 2.4, 0.3 + 0.2 * number, number)
        held = [(step, loss * 1.08) for step, loss in losses[49::50]]
        peaks = {"gpu_peak_bytes": 12_400_000_000, "cpu_peak_bytes": 5_100_000_000}
        on_shelf(
            project,
            run,
            str(number) * 64,
            losses=losses,
            validation=[(0, 2.6), *held],
            seconds=4210.0,
            **peaks,
        )
        for task in TASKS if number < 2 else ():
            judged = answers(task, TASKS[task][6] - 0.04 * number, number + 1)
            paired_with = against(BASE["base_model"], base[task], judged)
            facts = adapter_facts(run, str(number) * 64)
            keep(root, "8bits_r8", run, task, result(task, judged, respondent=facts, against=paired_with))
    apart(project, base)
    hosted = {"kind": "endpoint", "name": "gpt-4o", "url": "https://api.example.com/v1", "model": "gpt-4o"}
    for task in ("fpb", "formula", "finer"):
        judged = answers(task, TASKS[task][6] - 0.06, 9, 0.3)
        settings = {"temperature": 0, "cost_usd": 0.42}
        made = result(task, judged, respondent=hosted, decode="generate", errors=3, settings=settings)
        keep(root, results.ENDPOINT, "api.example.com_gpt_4o", f"{task}.generate", made)


def apart(project: Project, base: dict[str, list[Judged]]) -> None:
    """Keep results that must not stand among the full ones."""
    root, run, facts = project.root, "sentiment_llama_3_1_8b_8bits_r8", TASKS["fpb"]
    judged = answers("fpb", facts[6], 4)
    who = adapter_facts(run, "0" * 64)
    published = {"dataset": "fpb_test_as_published.jsonl", "dataset_sha256": "f" * 64, "scorer": "reference"}
    made = result("fpb", judged, respondent=who)
    keep(root, "8bits_r8", run, "fpb.as_published.reference", replace(made, decode="generate", **published))
    few = replace(made, limit=100, rows=100, settings={**made.settings, "rows_seed": 42})
    keep(root, "8bits_r8", run, "fpb.limit100", replace(few, against=against("base", base["fpb"], judged)))
    old = replace(made, respondent=adapter_facts("finer_llama_3_1_8b_8bits_r8", "e" * 64))
    keep(root, "8bits_r8", "finer_llama_3_1_8b_8bits_r8", "nwgi", replace(old, task="nwgi", rows=1212))
    away = replace(made, respondent=adapter_facts("ner_llama_3_1_8b_8bits_r8", "d" * 64))
    keep(root, "8bits_r8", "ner_llama_3_1_8b_8bits_r8", "fpb", away)
    (root / results.FOLDER / "8bits_r8" / run / "broken.json").write_text('{"schema": 2')
