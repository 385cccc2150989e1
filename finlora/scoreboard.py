"""Everybody who is to be scored, on everything that is asked: in which order, and compared with whom."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from finlora import adapter_card, answering, metrics, questions, results
from finlora.config_place import project_root
from finlora.endpoint import Asked as AskedEndpoint
from finlora.endpoint import Endpoint
from finlora.errors import FinLoRAError, UsageError, did_you_mean
from finlora.evaluate import Evaluation, How, evaluate
from finlora.local_respondents import Local
from finlora.machine_checks import check_packages
from finlora.questions import Question
from finlora.respondents import Respondent


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for; see `finlora eval --help`."""

    adapters: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    file: Path | None = None
    metric: str | None = None
    baseline: bool = False
    base_model: str | None = None
    prompt_style: str | None = None
    decode: str | None = None
    scorer: str = "finlora"
    as_published: bool = False
    limit: int | None = None
    seed: int = questions.SEED
    max_new_tokens: int | None = None
    bert_model: str | None = None
    fresh: bool = False
    offline: bool = False
    endpoint: AskedEndpoint | None = None


Place = tuple[str, str]


class Watch(Protocol):
    """Is told of each row that is done."""

    def advance(self) -> None:
        """Count one more row."""


# Takes what is being done and the number of rows.
Watching = Callable[[str, int], AbstractContextManager[Watch]]


def run(
    wanted: Wanted, config: Path | None, say: Callable[[str], None], watching: Watching
) -> list[Evaluation]:
    """Score everybody on everything.

    Args:
        wanted: who and what.
        config: the project's config file; None outside a project: then `results/` lies in the current folder.
        say: takes lines for the user.
        watching: shows the rows of one evaluation.

    Returns:
        One evaluation for each question and respondent: all of a question together, base models first.

    Raises:
        UsageError, DataError, AdapterError, BaseModelError: with the next step; nothing was asked yet.
        FinLoRAError: as of `evaluate`.
    """
    _check(wanted)
    asked = questions.read(
        questions.Asked(
            wanted.tasks,
            wanted.file,
            wanted.metric,
            wanted.as_published,
            wanted.limit,
            wanted.seed,
            wanted.max_new_tokens,
            wanted.decode,
        ),
        config,
    )
    root = project_root(config) if config else Path.cwd()
    how = How(root, wanted.scorer, wanted.seed, wanted.fresh, wanted.bert_model)
    bases, adapters = _local(wanted, config, say)
    hosted = [Endpoint(wanted.endpoint, say)] if wanted.endpoint else []
    turns: list[tuple[Respondent, Place | None]] = [(base, None) for base in bases.values()]
    turns += [*adapters, *((one, None) for one in hosted)]
    found: dict[tuple[Place, str], Evaluation] = {}
    for who, base in turns:
        for question in asked:
            baseline = found[base, question.task] if base else None
            with watching(f"{who.facts['name']}: {question.task}", len(question.rows)) as watch:
                one = evaluate(who, question, how, watch.advance, baseline)
            found[who.place, question.task] = _warned(one, who, question)
        who.close()
    if config:
        _renew_cards([who for who, _ in adapters], root, say)
    return [one for question in asked for (_, task), one in found.items() if task == question.task]


def _renew_cards(adapters: Sequence[Local], root: Path, say: Callable[[str], None]) -> None:
    """Put the scores into the cards; they are kept already, so a card that can't be renewed is no failure."""
    for who in adapters:
        if who.adapter is None or who.place[0] == results.ELSEWHERE:
            continue
        try:
            card = adapter_card.refresh(root, who.adapter)
        except FinLoRAError as error:
            card, why = None, str(error)
        else:
            why = "it has no marks of FinLoRA's"
        if card is None:
            say(f"{who.facts['name']}: its card was not renewed: {why}")


def _check(wanted: Wanted) -> None:
    if not wanted.adapters and not wanted.base_model and not wanted.endpoint:
        raise UsageError(
            "name who is to be scored: --adapter NAME (finlora adapters list shows them), "
            "--base-model MODEL, or --endpoint URL with --model NAME"
        )
    if wanted.baseline and not wanted.adapters:
        raise UsageError("--baseline compares adapters with their base model; name one: --adapter NAME")
    if wanted.metric is not None and wanted.metric not in metrics.KINDS:
        near = did_you_mean(wanted.metric, metrics.KINDS)
        raise UsageError(
            f"--metric {wanted.metric}: no such kind of answer{near}; allowed: {', '.join(metrics.KINDS)}"
        )


def _local(
    wanted: Wanted, config: Path | None, say: Callable[[str], None]
) -> tuple[dict[Place, Local], list[tuple[Local, Place | None]]]:
    """Return the base models by their places, and the adapters, each with that of its base."""
    bases: dict[Place, Local] = {}
    adapters: list[tuple[Local, Place | None]] = []
    if not wanted.adapters and not wanted.base_model:
        return bases, adapters
    check_packages()
    for name in dict.fromkeys(wanted.adapters) or [None]:
        opened = answering.Wanted(
            name, wanted.base_model, prompt_style=wanted.prompt_style, offline=wanted.offline
        )
        base = None
        if wanted.baseline or name is None:
            alone = Local(replace(opened, no_adapter=True), config, say)
            base = alone.place
            bases.setdefault(base, alone)
        if name is not None:
            adapters.append((Local(opened, config, say), base))
    _refuse_twins([adapter for adapter, _ in adapters], wanted.adapters)
    return bases, adapters


def _refuse_twins(adapters: Sequence[Local], names: Sequence[str]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for adapter, name in zip(adapters, dict.fromkeys(names), strict=True):
        if adapter.place in seen:
            raise UsageError(f"'{name}' and '{seen[adapter.place]}' are one adapter; name it once")
        seen[adapter.place] = name


def _warned(one: Evaluation, who: Respondent, question: Question) -> Evaluation:
    if who.trained_on != question.source_sha256:
        return one
    note = f"{who.facts['name']} was trained on these very rows: the score says nothing about new ones"
    return replace(one, notes=(note, *one.notes))
