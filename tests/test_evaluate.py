"""One evaluation, with told answers: asked once, kept, gone on with after a cut, judged, paired."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finlora import kept_answers, questions, results
from finlora.errors import FinLoRAError, UsageError
from finlora.evaluate import Evaluation, How, evaluate
from finlora.files import hold
from finlora.questions import Asked, Question
from finlora.respondents import Done, Reply


class Told:
    """A respondent that answers as it was told; `fails` after so many answers."""

    def __init__(self, answers: Mapping[str, str], name: str = "one", fails: int | None = None) -> None:
        self.answers, self.fails = answers, fails
        self.place = ("fp16_r8", name)
        self.facts: Mapping[str, Any] = {"kind": "adapter", "name": name, "adapter_sha256": "a" * 64}
        self.identity: Mapping[str, Any] = {"name": name, "versions": {"torch": "9.9"}}
        self.trained_on: str | None = None
        self.asked: list[str] = []

    def prompts(self, contexts: Sequence[str]) -> list[str]:
        return [f"<u>{context}" for context in contexts]

    def weigh(self, contexts: Sequence[str], labels: Sequence[str], done: Done) -> None:
        self.answer(contexts, 0, done)

    def answer(self, contexts: Sequence[str], max_new_tokens: int, done: Done) -> None:
        for number, context in reversed(list(enumerate(contexts))):
            if self.fails is not None and len(self.asked) == self.fails:
                raise FinLoRAError("the power went")
            self.asked.append(context)
            text = self.answers[context]
            done(number, Reply("", "no route") if text == "ERROR" else Reply(text))

    def settings(self) -> dict[str, Any]:
        return {"dtype": "float32", "asked": len(self.asked)}

    def close(self) -> None:
        """Hold nothing."""


TARGETS = ["up", "down", "up", "flat", "up", "down"]
RIGHT = {f"row {i}": target for i, target in enumerate(TARGETS)}


def question(folder: Path, targets: Sequence[str] = TARGETS, **asked: Any) -> Question:
    path = folder / "mine.jsonl"
    rows = [{"context": f"row {i}", "target": target} for i, target in enumerate(targets)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    [made] = questions.read(Asked(file=path, **asked), None)
    return made


def nothing() -> None:
    """Be told of a row."""


def run(who: Told, asked: Question, root: Path, **how: Any) -> Evaluation:
    baseline = how.pop("baseline", None)
    return evaluate(who, asked, How(root, **how), nothing, baseline)


def lines(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [json.loads(line) for line in evaluation.predictions.read_text().splitlines()]


def without_times(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text())
    return {key: value for key, value in record.items() if key not in ("seconds", "rows_per_second")}


def test_the_record_and_the_predictions(tmp_path: Path) -> None:
    who = Told({**RIGHT, "row 1": "Up.", "row 3": "no idea"})
    done = run(who, question(tmp_path, decode="generate"), tmp_path)
    result = done.result
    assert (result.score, result.rows, result.unparsed, result.majority) == (4 / 6, 6, 1 / 6, 0.5)
    assert result.interval[0] < 4 / 6 < result.interval[1]
    assert (result.decode, result.metric, result.errors) == ("generate", "accuracy", 0)
    assert result.classes["down"] == {"rows": 2, "precision": 1.0, "recall": 0.5, "f1": 2 / 3}
    assert ("flat", None, 1) in result.confusion
    assert done.path == tmp_path / "results" / "fp16_r8" / "one" / "mine.generate.json"
    assert results.read(done.path) == result
    assert lines(done)[1] == {
        "row": 2, "prompt": lines(done)[1]["prompt"], "output": "Up.",
        "parsed": "up", "gold": "down", "hit": 0.0,
    }  # fmt: skip
    assert [line["row"] for line in lines(done)] == [1, 2, 3, 4, 5, 6]
    assert len({line["prompt"] for line in lines(done)}) == 6
    assert sorted(path.name for path in done.path.parent.iterdir()) == [
        ".mine.generate.lock", "mine.generate.json", "mine.generate.predictions.jsonl",
    ]  # fmt: skip


def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    first = run(Told(RIGHT), question(tmp_path), tmp_path)
    before = first.path.read_bytes(), first.predictions.read_bytes()
    again = Told(RIGHT)
    second = run(again, question(tmp_path), tmp_path)
    assert (again.asked, second.asked, first.asked) == ([], 0, 6)
    # Times too are those of the answers.
    assert (second.path.read_bytes(), second.predictions.read_bytes()) == before
    fresh = Told(RIGHT)
    assert run(fresh, question(tmp_path), tmp_path, fresh=True).asked == 6
    assert without_times(second.path) == without_times(first.path)


def test_equal_contexts_are_asked_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    rows = [{"context": "same", "target": target} for target in ("up", "down", "up")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    [asked] = questions.read(Asked(file=path), None)
    who = Told({"same": "up"})
    assert (run(who, asked, tmp_path).result.score, who.asked) == (2 / 3, ["same"])


def test_it_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    whole = run(Told(RIGHT), question(tmp_path), tmp_path / "whole")
    cut = Told(RIGHT, fails=2)
    with pytest.raises(FinLoRAError, match="the power went"):
        run(cut, question(tmp_path), tmp_path)
    folder = tmp_path / "results" / "fp16_r8" / "one"
    part = folder / ".mine.part.jsonl"
    assert cut.asked == ["row 5", "row 4"]
    # A kill may leave half a line.
    part.write_bytes(part.read_bytes() + b'{"row": 3, "prom')
    rest = Told(RIGHT)
    done = run(rest, question(tmp_path), tmp_path)
    assert (rest.asked, done.asked) == (["row 3", "row 2", "row 1", "row 0"], 4)
    assert done.predictions.read_bytes() == whole.predictions.read_bytes()
    assert not part.exists()
    assert done.result.rows == 6


@pytest.mark.parametrize("change", ["weights", "rows", "tokens", "edited"])
def test_answers_to_something_else_are_not_taken(tmp_path: Path, change: str) -> None:
    asked = question(tmp_path, decode="generate")
    first = run(Told(RIGHT), asked, tmp_path)
    who = Told(RIGHT)
    if change == "weights":
        who.identity = {**who.identity, "adapter_sha256": "b"}
    elif change == "rows":
        asked = question(tmp_path, [*TARGETS[:-1], "flat"], decode="generate")
    elif change == "tokens":
        asked = replace(asked, max_new_tokens=3)
    else:
        first.predictions.write_text(
            first.predictions.read_text().replace('"output": "flat"', '"output": "up"')
        )
    assert run(who, asked, tmp_path).asked == 6


def test_a_damaged_result_gives_way(tmp_path: Path) -> None:
    first = run(Told(RIGHT), question(tmp_path), tmp_path)
    first.path.write_text("{")
    assert run(Told(RIGHT), question(tmp_path), tmp_path).asked == 6
    assert results.read(first.path).score == 1.0


def test_a_row_without_an_answer_counts_as_wrong_and_is_asked_again(tmp_path: Path) -> None:
    first = run(Told({**RIGHT, "row 0": "ERROR"}), question(tmp_path), tmp_path)
    assert (first.result.errors, first.result.score, first.result.unparsed) == (1, 5 / 6, 1 / 6)
    assert lines(first)[0]["error"] == "no route"
    [note] = first.notes
    assert note.startswith(
        "mine: 1 of 6 rows have no answer and count as wrong. The first is line 1: no route"
    )
    again = Told(RIGHT)
    second = run(again, question(tmp_path), tmp_path)
    assert (again.asked, second.result.errors, second.result.score, second.notes) == (["row 0"], 0, 1.0, ())


def test_the_other_scorer_takes_the_same_answers(tmp_path: Path) -> None:
    asked = question(tmp_path, decode="generate")
    # The benchmark's rule takes the first label it finds; ours reads what is said.
    first = run(Told({**RIGHT, "row 0": "not down but up"}), asked, tmp_path)
    who = Told({})
    second = run(who, asked, tmp_path, scorer="reference")
    assert (who.asked, second.asked) == ([], 0)
    assert second.path.name == "mine.generate.reference.json"
    assert first.path.name == "mine.generate.json"
    assert second.result.also == {"right_in_any_order": 5 / 6, "right_in_some_order": 5 / 6}
    assert (first.result.key, second.result.scorer) == (second.result.key, "reference")


def test_lists_of_tags_are_taken_apart_by_the_benchmarks_rule(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"context": "row", "target": "Revenues,Goodwill"}) + "\n")
    [asked] = questions.read(Asked(file=path, metric="tags"), None)
    done = run(Told({"row": "Revenues,Depreciation"}), asked, tmp_path, scorer="reference")
    assert (done.result.score, done.result.rows) == (0.5, 1)
    assert set(done.result.also) == {"right_in_any_order", "right_in_some_order"}
    assert (lines(done)[0]["hit"], lines(done)[0]["parsed"]) == (0.5, "Revenues")
    assert run(Told({}), asked, tmp_path).result.score == 0.0


def test_a_baseline_is_compared_row_by_row(tmp_path: Path) -> None:
    asked = question(tmp_path)
    before = run(Told({**RIGHT, "row 0": "down", "row 1": "up"}, "base"), asked, tmp_path)
    who = Told({**RIGHT, "row 5": "up"})
    after = run(who, asked, tmp_path, baseline=before)
    pair = after.result.against
    assert pair is not None
    assert (pair["name"], pair["better"], pair["worse"], pair["got_worse"]) == ("base", 2, 1, [6])
    assert pair["difference"] == pytest.approx(1 / 6)
    assert pair["p_value"] == 1.0
    assert results.read(after.path) == after.result
    # It stays with equal answers, and goes with other ones.
    assert run(Told({}), asked, tmp_path).result.against == pair
    other = Told({**RIGHT, "row 5": "up", "row 4": "down"})
    assert run(other, asked, tmp_path, fresh=True).result.against is None


def test_free_text_is_scored_by_rouge_where_there_is_no_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"context": "row", "target": "the profit rose"}) + "\n")
    [asked] = questions.read(Asked(file=path, metric="text"), None)
    done = run(Told({"row": "the profit fell"}), asked, tmp_path)
    assert (done.result.metric, done.result.score) == ("rouge_l", pytest.approx(2 / 3))
    assert (done.result.majority, done.result.weighted_f1, done.result.classes) == (None, None, {})
    assert "mine: scored by ROUGE-L alone. BERTScore has no model" in done.notes[0]
    with pytest.raises(FinLoRAError, match="BERTScore has no model"):
        run(Told({}), asked, tmp_path, bert_model="./nowhere")


def test_two_at_once_do_not_mix(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "fp16_r8" / "one"
    with (
        hold(folder / ".mine.lock", str),
        pytest.raises(UsageError, match="one is being asked for mine already, by process"),
    ):
        run(Told(RIGHT), question(tmp_path), tmp_path)


def test_an_open_question_with_many_answers_has_no_table_of_classes(tmp_path: Path) -> None:
    targets = [f"{i}.5" for i in range(60)]
    answers = {f"row {i}": f"{i}.50" for i in range(60)}
    done = run(Told(answers), question(tmp_path, targets, metric="number"), tmp_path)
    assert (done.result.score, done.result.classes, done.result.confusion) == (1.0, {}, ())
    assert done.result.weighted_f1 == 1.0


def test_a_disk_that_is_full_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    add: Callable[..., None] = kept_answers.Part.add

    def failing(self: kept_answers.Part, row: int, answer: kept_answers.Answer) -> None:
        if len(kept) == 3:
            raise FinLoRAError(f"{self.path}: can't be written: No space left on device")
        add(self, row, answer)
        kept.append(row)

    monkeypatch.setattr(kept_answers.Part, "add", failing)
    with pytest.raises(FinLoRAError, match="No space left"):
        run(Told(RIGHT), question(tmp_path), tmp_path)
    monkeypatch.undo()
    who = Told(RIGHT)
    assert (run(who, question(tmp_path), tmp_path).result.score, len(who.asked)) == (1.0, 3)


def test_a_baseline_of_another_prompt_is_not_compared(tmp_path: Path) -> None:
    asked = question(tmp_path)
    before = run(Told(RIGHT, "base"), asked, tmp_path)
    other = replace(before, result=replace(before.result, settings={"prompt_sha256": "other"}))
    after = run(Told(RIGHT), asked, tmp_path, baseline=other)
    assert after.result.against is None
    assert "not compared with base, which was asked through another prompt" in after.notes[0]


def test_a_weighed_label_is_judged_as_it_is(tmp_path: Path) -> None:
    targets = ["***", "- high", "\u22121", "***"]
    answers = {f"row {i}": target for i, target in enumerate(targets)}
    done = run(Told({**answers, "row 3": "- high"}), question(tmp_path, targets), tmp_path)
    assert (done.result.score, done.result.unparsed) == (0.75, 0.0)
    assert [line["hit"] for line in lines(done)] == [1.0, 1.0, 1.0, 0.0]


def test_half_a_character_in_a_part_file_is_passed_over(tmp_path: Path) -> None:
    with pytest.raises(FinLoRAError):
        run(Told(RIGHT, fails=2), question(tmp_path), tmp_path)
    part = tmp_path / "results" / "fp16_r8" / "one" / ".mine.part.jsonl"
    part.write_text(part.read_text() + '{"row": 1, "prompt": "x", "output": "\\ud800"}\n')
    who = Told(RIGHT)
    assert (run(who, question(tmp_path), tmp_path).result.score, len(who.asked)) == (1.0, 4)
