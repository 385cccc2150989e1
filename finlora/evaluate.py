"""One evaluation: rows are asked, answers kept as they come, judged, summed up, compared with a baseline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from finlora import bert_scores, kept_answers, results, scoring
from finlora.errors import FinLoRAError
from finlora.files import digest, hold
from finlora.kept_answers import Answer, Kept
from finlora.metrics import statistics
from finlora.questions import Question
from finlora.respondents import Reply, Respondent

BERT_MODEL = "roberta-large"


@dataclass(frozen=True)
class How:
    """How answers are judged and kept.

    Args:
        root: the folder in which `results/` lies.
        scorer: `finlora`, or `reference` for the benchmark's own rule.
        seed: of the bootstrap.
        fresh: ask everything anew.
        bert_model: folder or hub id of the encoder for free text; None takes BERT_MODEL where it is here.
    """

    root: Path
    scorer: str = "finlora"
    seed: int = statistics.SEED
    fresh: bool = False
    bert_model: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """One respondent on one question.

    Args:
        result: what is kept.
        path: the file that holds it.
        predictions: the file with every answer.
        scores: of each row, in order, 0 to 1.
        asked: rows that were answered just now; the others were there.
        notes: what to know, a line each.
    """

    result: results.Result
    path: Path
    predictions: Path
    scores: tuple[float, ...]
    asked: int
    notes: tuple[str, ...]

    def to_record(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        files = {"file": str(self.path), "predictions": str(self.predictions)}
        return {**self.result.to_record(), **files, "notes": list(self.notes)}


@dataclass(frozen=True)
class _Job:
    """One evaluation: who is asked what, and where it is kept."""

    respondent: Respondent
    question: Question
    how: How
    decode: str
    key: str
    folder: Path
    stem: str

    @property
    def name(self) -> str:
        """What the names of its result's files begin with."""
        return self.stem + ".reference" * (self.how.scorer == "reference")


@dataclass(frozen=True)
class _Answered:
    """The answers of one evaluation: one for each row, in order; seconds over all goes; rows asked now."""

    answers: tuple[Answer, ...]
    seconds: float
    asked: int


def evaluate(
    respondent: Respondent,
    question: Question,
    how: How,
    progress: Callable[[], None],
    baseline: Evaluation | None = None,
) -> Evaluation:
    """Ask, judge, keep.

    Args:
        respondent: who answers.
        question: what is asked.
        how: how answers are judged and kept.
        progress: told of each row, those that were answered before included.
        baseline: what this is compared with, on the same question.

    Raises:
        UsageError: an equal evaluation is running; a way of asking that does not fit.
        FinLoRAError: the model or the server fails as a whole; files can't be written. Answers that came
            before are kept, and the next go asks for the others.
    """
    decode = question.decode_for(respondent.facts["kind"], how.scorer)
    key = digest([dict(respondent.identity), question.identity(decode)])
    folder = how.root.joinpath(results.FOLDER, *respondent.place)
    job = _Job(respondent, question, how, decode, key, folder, question.stem(decode))
    path, lines = folder / f"{job.name}.json", kept_answers.predictions(folder, job.name)
    with hold(folder / f".{job.stem}.lock", lambda holder: _busy(job, holder)):
        kept = Kept({}) if how.fresh else kept_answers.find(folder, job.stem, key)
        done = _ask(job, kept, progress)
        scored, bert, notes = _score(job, done.answers)
        settings = {**_settings(job, kept, done), **bert}
        settings["predictions_sha256"] = kept_answers.write(lines, _records(question, done.answers, scored))
        result = _result(job, kept, done, scored, settings)
        scores = tuple(one.score for one in scored.judged)
        compared = baseline if baseline and _same_prompt(baseline.result, result) else None
        if baseline and not compared:
            notes.append(
                f"{question.task}: not compared with {baseline.result.respondent['name']}, which was asked "
                "through another prompt; name one for both with --prompt-style, or ask the adapter's own base"
            )
        against = _against(compared, scores, question, how.seed) if compared else None
        if baseline is None:
            against = _earlier(path, result)
        results.keep(path, replace(result, against=against))
        kept_answers.remove_part(folder, job.stem)
    notes += _failures(question, done.answers)
    return Evaluation(replace(result, against=against), path, lines, scores, done.asked, tuple(notes))


def _same_prompt(one: results.Result, other: results.Result) -> bool:
    return one.settings.get("prompt_sha256") == other.settings.get("prompt_sha256")


def _busy(job: _Job, holder: str) -> str:
    name = job.respondent.facts["name"]
    return (
        f"{name} is being asked for {job.question.task} already, by process {holder}; wait for it or end it"
    )


def _ask(job: _Job, kept: Kept, progress: Callable[[], None]) -> _Answered:
    """Answer the rows that were not answered before; equal contexts are asked once."""
    rows = job.question.rows
    answers = {row.line: kept.answers[row.line] for row in rows if row.line in kept.answers}
    for _ in answers:
        progress()
    waiting: dict[str, list[int]] = {}
    for row in rows:
        if row.line not in answers:
            waiting.setdefault(row.context, []).append(row.line)
    seconds, asked = kept.seconds, sum(map(len, waiting.values()))
    if waiting:
        contexts = list(waiting)
        # Loads the model: that is no time of answering.
        prompts = [sha256(text.encode()).hexdigest() for text in job.respondent.prompts(contexts)]
        with kept_answers.Part(job.folder, job.stem, job.key, Kept(answers, kept.seconds)) as part:

            def done(number: int, reply: Reply) -> None:
                for line in waiting[contexts[number]]:
                    answers[line] = Answer(prompts[number], reply.output, reply.error)
                    part.add(line, answers[line])
                    progress()

            if job.decode == "labels":
                job.respondent.weigh(contexts, job.question.labels, done)
            else:
                job.respondent.answer(contexts, job.question.max_new_tokens, done)
            seconds = part.seconds
    return _Answered(tuple(answers[row.line] for row in rows), seconds, asked)


def _score(job: _Job, answers: Sequence[Answer]) -> tuple[scoring.Scored, dict[str, Any], list[str]]:
    """Judge the answers; return also what to keep of the encoder for free text, and notes."""
    outputs = [answer.output for answer in answers]
    model = job.how.bert_model or BERT_MODEL
    if job.question.kind != "text":
        return scoring.score(job.question, outputs, job.decode, job.how.scorer, job.how.seed), {}, []
    golds = [row.target for row in job.question.rows]
    try:
        bert = bert_scores.score(outputs, golds, model, Path.cwd())
    except FinLoRAError as error:
        if job.how.bert_model:
            raise
        first, _, step = str(error).partition("\n")
        note = f"{job.question.task}: scored by ROUGE-L alone. {first}. {step}"
        return scoring.score(job.question, outputs, job.decode, job.how.scorer, job.how.seed), {}, [note]
    scored = scoring.score(job.question, outputs, job.decode, job.how.scorer, job.how.seed, bert.f1)
    return scored, {"bert_model": bert.model, "bert_layers": bert.layers}, []


def _settings(job: _Job, kept: Kept, done: _Answered) -> dict[str, Any]:
    known = kept.result.settings if kept.result and not done.asked else None
    rows = {"rows_seed": job.question.seed if job.question.limit else None, "seed": job.how.seed}
    most = job.question.max_new_tokens if job.decode == "generate" else None
    own = job.respondent.settings() if known is None else known
    own = {key: value for key, value in own.items() if not key.startswith("bert_")}
    return {**own, "max_new_tokens": most, **rows}


def _records(question: Question, answers: Sequence[Answer], scored: scoring.Scored) -> list[dict[str, Any]]:
    records = []
    for row, answer, judged in zip(question.rows, answers, scored.judged, strict=True):
        record = {
            "row": row.line,
            "prompt": answer.prompt,
            "output": answer.output,
            "parsed": judged.parsed and scored.shown(judged.parsed),
            "gold": scored.shown(judged.gold),
            "hit": judged.score,
        }
        records.append(record if answer.error is None else {**record, "error": answer.error})
    return records


def _result(
    job: _Job, kept: Kept, done: _Answered, scored: scoring.Scored, settings: dict[str, Any]
) -> results.Result:
    question, summary = job.question, scored.summary
    speed = round(len(question.rows) / done.seconds, 2) if done.seconds else None
    return results.Result(
        key=job.key,
        respondent=dict(job.respondent.facts),
        task=question.task,
        family=question.family,
        kind=question.kind,
        scorer=job.how.scorer,
        decode=job.decode,
        dataset=question.source.name,
        dataset_sha256=question.source_sha256,
        limit=question.limit,
        metric=scored.metric,
        score=summary.score,
        interval=summary.interval,
        rows=len(question.rows),
        errors=sum(answer.error is not None for answer in done.answers),
        unparsed=summary.unparsed,
        majority=summary.majority,
        weighted_f1=scored.weighted_f1,
        macro_f1=summary.macro_f1,
        also=scored.also,
        classes=scored.classes(),
        confusion=tuple(scored.confusion()),
        seconds=kept.result.seconds if kept.result and not done.asked else round(done.seconds, 3),
        rows_per_second=kept.result.rows_per_second if kept.result and not done.asked else speed,
        settings=settings,
        versions={**job.respondent.identity.get("versions", {}), **scoring.versions()},
    )


def _against(baseline: Evaluation, scores: Sequence[float], question: Question, seed: int) -> dict[str, Any]:
    """Return the paired comparison with a baseline, with the lines of the rows that got worse."""
    pair = statistics.paired(baseline.scores, scores, seed)
    return {
        "name": baseline.result.respondent["name"],
        "kind": baseline.result.respondent["kind"],
        "difference": pair.difference,
        "interval": list(pair.interval),
        "p_value": pair.p_value,
        "better": pair.better,
        "worse": pair.worse,
        "got_worse": [question.rows[i].line for i in pair.got_worse],
    }


def _earlier(path: Path, result: results.Result) -> Any:
    """Return the comparison that an earlier go kept, where it found the same answers worth the same."""
    try:
        before = results.read(path)
    except FinLoRAError:
        return None
    same = (before.key, before.settings.get("predictions_sha256"))
    return before.against if same == (result.key, result.settings["predictions_sha256"]) else None


def _failures(question: Question, answers: Sequence[Answer]) -> list[str]:
    failed = [
        (row.line, answer.error)
        for row, answer in zip(question.rows, answers, strict=True)
        if answer.error is not None
    ]
    if not failed:
        return []
    line, why = failed[0]
    return [
        f"{question.task}: {len(failed)} of {len(answers)} rows have no answer and count as wrong. The first "
        f"is line {line}: {why}. The same command asks these rows again, and no others"
    ]
