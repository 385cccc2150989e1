"""The generated sentiment rows: form, balance, repeatability, and what training and test must not share."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from finlora.builders.sentiment import Item, build, items
from finlora.builders.sentiment_names import BROKERS, SECTORS

ROOT = Path(__file__).parents[2]
TRAIN_FILE = ROOT / "data/train/sentiment_sample_train.jsonl"
TEST_FILE = ROOT / "data/test/sentiment_sample_test.jsonl"
TRAIN, TEST = build()
TRAIN_ITEMS, TEST_ITEMS = items("train", 960, 42), items("test", 240, 42)
ITEMS = TRAIN_ITEMS + TEST_ITEMS
CONTEXT = re.compile(
    r"Instruction: What is the sentiment of this news\? Please choose an answer from "
    r"\{negative/neutral/positive\}\.\nInput: (.+)\nAnswer: "
)
# Before these the article goes by the sound, not by the letter.
SOUNDS_LIKE_CONSONANT = re.compile(r"(?:Euro|euro|uni|use|one|US)")
SOUNDS_LIKE_VOWEL = re.compile(r"(?:hour|8|11\b|18\b)")


def as_file(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def words(phrase: str) -> str:
    """The phrase without signs and capitals, so that no rewording by a comma passes for another."""
    return " ".join(re.findall(r"[a-z_']+", phrase.lower()))


def named(made: list[Item]) -> set[str]:
    return set().union(*(item.companies for item in made))


def test_committed_files_are_what_build_makes() -> None:
    assert TRAIN_FILE.read_bytes() == as_file(TRAIN)
    assert TEST_FILE.read_bytes() == as_file(TEST)


def test_another_process_with_another_hash_seed_builds_the_same() -> None:
    code = "import json; from finlora.builders.sentiment import build; print(json.dumps(build()), end='')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == [TRAIN, TEST]


def test_another_seed_builds_other_rows() -> None:
    train, test = build(seed=43)
    assert len(train) == len(TRAIN)
    assert train != TRAIN
    assert test != TEST


def test_sizes_are_as_asked() -> None:
    train, test = build(train_rows=101, test_rows=37)
    assert (len(train), len(test)) == (101, 37)


def test_rows_hold_the_prompt_and_one_of_three_labels() -> None:
    assert len(TRAIN) == 960
    assert len(TEST) == 240
    for row, item in zip(TRAIN + TEST, ITEMS, strict=True):
        assert list(row) == ["context", "target"]
        hit = CONTEXT.fullmatch(row["context"])
        assert hit is not None, row
        assert (hit[1], row["target"]) == (item.sentence, item.target)


@pytest.mark.parametrize("rows", [TRAIN, TEST], ids=["train", "test"])
def test_classes_are_mixed_and_near_what_news_holds(rows: list[dict[str, str]]) -> None:
    counts = Counter(row["target"] for row in rows)
    shares = {label: count / len(rows) for label, count in counts.items()}
    assert shares == {
        "negative": pytest.approx(0.21, abs=0.01),
        "neutral": pytest.approx(0.47, abs=0.01),
        "positive": pytest.approx(0.32, abs=0.01),
    }
    for quarter in range(4):
        part = rows[quarter * len(rows) // 4 : (quarter + 1) * len(rows) // 4]
        assert all(sum(row["target"] == label for row in part) >= len(part) // 10 for label in counts)


def test_no_sentence_stands_twice() -> None:
    assert len({re.sub(r"\s", "", item.sentence) for item in ITEMS}) == len(ITEMS) == 1200


def test_train_and_test_share_no_template_event_or_company() -> None:
    for of in ("template", "event"):
        train = {words(getattr(item, of)) for item in TRAIN_ITEMS}
        test = {words(getattr(item, of)) for item in TEST_ITEMS}
        assert len(train) > (200 if of == "template" else 450)
        assert len(test) > (40 if of == "template" else 90)
        assert not train & test
    assert len(named(TRAIN_ITEMS)) > 120
    assert len(named(TEST_ITEMS)) > 50
    assert not named(TRAIN_ITEMS) & named(TEST_ITEMS)


def test_no_sentence_names_a_company_of_the_other_side() -> None:
    of_train = {name for sector in SECTORS for name in sector.train} | set(BROKERS["train"])
    of_test = {name for sector in SECTORS for name in sector.test} | set(BROKERS["test"])
    assert not of_train & of_test
    for made, foreign in ((TRAIN_ITEMS, of_test), (TEST_ITEMS, of_train)):
        pattern = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in sorted(foreign)))
        assert [item.sentence for item in made if pattern.search(item.sentence)] == []


def test_no_phrase_fills_more_than_a_few_rows() -> None:
    assert max(Counter(item.event for item in TRAIN_ITEMS).values()) <= 5
    assert max(Counter(item.event for item in TEST_ITEMS).values()) <= 5


@pytest.mark.parametrize(
    "fault",
    [
        r"[{}]",
        r"  ",
        r"^\s|\s$",
        r"^[a-z]",
        r"[,.;:] ?[,.;:]",
        r"\b(\w+) \1\b",
        r"s's\b",
        r" [,.].* \w+[,] \w",
    ],
    ids=["brace", "spaces", "edges", "capital", "signs", "word twice", "possessive", "mixed spacing"],
)
def test_sentences_are_whole(fault: str) -> None:
    assert [item.sentence for item in ITEMS if re.search(fault, item.sentence)] == []


def test_articles_agree_with_what_follows() -> None:
    found = 0
    for item in ITEMS:
        for article, word in re.findall(r"\b([Aa]n?) (\w+)", item.sentence):
            vowel = word[0] in "aeiouAEIOU" and not SOUNDS_LIKE_CONSONANT.match(word)
            found += 1
            assert (article.lower() == "an") == (vowel or bool(SOUNDS_LIKE_VOWEL.match(word))), item.sentence
    assert found > 200


def test_what_rose_is_good_and_what_fell_is_bad() -> None:
    pairs = 0
    for item in ITEMS:
        verb = re.match(r"(rose|increased|grew|improved|fell|decreased|dropped|declined|sank) to", item.event)
        numbers = re.search(r" to \D*([\d,.]*\d).*? from \D*([\d,.]*\d)", item.sentence)
        if verb and numbers:
            now, before = (float(number.replace(",", "")) for number in numbers.groups())
            assert (item.target == "positive") == (now > before), item.sentence
            pairs += 1
    assert pairs > 20
