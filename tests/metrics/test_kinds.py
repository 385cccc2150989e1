"""One entry for all kinds; `mixed` goes by the gold's own form."""

import re
import subprocess
import sys

import pytest

from finlora import metrics
from finlora.metrics import forms

FORMS = [
    ("21462.58", "number"),
    ("-5", "number"),
    ("$1,577.00", "number"),
    ("5.2%", "number"),
    ("(5)", "number"),
    ("1.2 million", "number"),
    ("us-gaap:Revenues", "tags"),
    ("DebtInstrumentFaceAmount", "tags"),
    ("Goodwill,LineOfCredit,Revenues,Assets", "tags"),
    ("jpm:Fees", "tags"),
    ("us-gaap:Revenues / us-gaap:Assets", "formula"),
    ("(1234 - 567) / 89", "formula"),
    ("NetIncomeLoss/Revenues*100", "formula"),
    ("(5 / 3) * 100", "formula"),
    ("B", "letter"),
    ("B. Net income", "letter"),
    ("(c)", "letter"),
    ("positive", "exact"),
    ("strong negative", "exact"),
    ("Yes", "exact"),
    ("Yes/No", "exact"),
    ("non-performing", "exact"),
    ("The company sold 3 units.", "exact"),
    ("person, location", "exact"),
    ("", "exact"),
    ("Goodwill", "exact"),
]
JUDGED = [
    ("label", "It is positive.", "positive", ("positive", "negative"), 1),
    ("label", "positive", "negative", ("positive", "negative"), 0),
    ("label", "Positive.", "positive", (), 1),
    ("label", "positive news", "positive", (), 0),
    ("label", "5", "5.0", ("a", "b"), 1),
    ("letter", "The answer is B", "B", (), 1),
    ("letter", "The answer is C", "B", (), 0),
    ("number", "5.20", "5.2", (), 1),
    ("number", "5.24", "5.2", (), 0),
    ("number", "us-gaap:Assets", "Assets", (), 0),
    ("tags", "Assets", "us-gaap:Assets", (), 1),
    ("tags", "125,000", "125000.0", (), 1),
    ("tags", "125,004", "125000.0", (), 0),
    ("formula", "b + a", "a + b", (), 1),
    ("formula", "a - b", "a + b", (), 0),
    ("text", "a b", "a c", (), 0.5),
    ("mixed", "5.20", "5.2", (), 1),
    ("mixed", "The tag is us-gaap:Revenues", "us-gaap:Revenues", (), 1),
    ("mixed", "Positive", "positive", (), 1),
    (
        "mixed",
        "AssetsCurrent * 100 / LiabilitiesCurrent",
        "(us-gaap:AssetsCurrent / us-gaap:LiabilitiesCurrent) * 100",
        (),
        1,
    ),
    (
        "mixed",
        "AssetsCurrent / LiabilitiesCurrent",
        "(us-gaap:AssetsCurrent / us-gaap:LiabilitiesCurrent) * 100",
        (),
        0,
    ),
    ("mixed", "so B", "B", (), 0),
    ("mixed", "I choose B", "B", (), 1),
    ("mixed", "It is neutral", "neutral", ("neutral", "positive"), 1),
    ("mixed", "5.24", "5.2", (), 0),
    ("mixed", "", "", (), 0),
]


def test_the_tables_are_whole():
    assert (len(FORMS), len(JUDGED)) == (26, 26)
    assert {kind for kind, *_ in JUDGED} == set(metrics.KINDS)


@pytest.mark.parametrize(("gold", "form"), FORMS)
def test_a_gold_has_a_form(gold, form):
    assert forms.form_of(gold) == form


@pytest.mark.parametrize(("kind", "output", "gold", "labels", "score"), JUDGED)
def test_an_answer_is_judged_by_its_kind(kind, output, gold, labels, score):
    assert metrics.judge(kind, output, gold, labels).score == score


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match=re.escape("'bleu' is no kind of answer: label, letter, number")):
        metrics.judge("bleu", "a", "a")


def test_amounts_and_labels_need_no_heavy_library():
    code = (
        "import sys; from finlora import metrics; metrics.judge('number', '5', '5'); "
        "metrics.judge('label', 'a', 'a', ['a']); metrics.judge('tags', 'AbC', 'AbC'); "
        "sys.exit(' '.join({'sympy', 'torch', 'nltk', 'numpy'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
