"""Closed labels are parsed: what names one, what names none or several."""

import pytest

from finlora.metrics import labels

THREE = ["negative", "neutral", "positive"]
SEVEN = [
    "strong negative",
    "moderately negative",
    "mildly negative",
    "neutral",
    "mildly positive",
    "moderately positive",
    "strong positive",
]
YES_NO = ["Yes", "No"]
RATINGS = ["AA", "AA+", "AA-", "A", "C++", "a.b*", "(x)", "1", "1.5"]

# What a model may put around an answer; the braces are the label's place.
RIGHT_FORMS = [
    "{}",
    " {} ",
    "\n{}\n",
    "{}.",
    "{}!",
    "{},",
    '"{}"',
    "'{}'",
    "**{}**",
    "`{}`",
    "“{}”",
    "({})",
    "[{}]",
    "- {}",
    "* {}",
    "# {}",
    "Answer: {}",
    "Answer:\n{}",
    "The sentiment is: {}.",
    "The sentiment is {}",
    "It is {}.",
    "{}\nInput: negative positive neutral mildly positive",
    "{}\nAnswer: negative",
    "{}. It does not lose.",
    "{}, because sales rose",
    "{} because sales rose",
    "{} (not negative)",
    "{}: sales rose",
    "{} - sales rose",
    "{}; sales rose",
    "{} – sales rose",
    "I would say {} here.",
    "The final answer is {}.",
    "<think>negative?</think>{}",
    "Sure! The label is {}.",
    "{}\n\nExplanation: negative words",
    "Final answer: **{}**",
    "{}{}".replace("{}{}", "{}"),
]
NO_ANSWER_FORMS = [
    "not {}",
    "It is not {}.",
    "It isn't {}",
    "never {}",
    "The news is hardly {}",
    "not{}",
    "non{}",
    "non-{}",
    "{}ly",
    "{}-ish",
    "{}?",
    "{} is not right",
    "{} isn't it",
    "{}_x",
    "x_{}",
    "neither {}",
    "cannot be {}",
    "{} would not fit",
    "don't say {}",
    "#{}",
    "{}%",
    "{}s",
]


def cases(forms, names):
    return [(form.format(name, name), name) for form in forms for name in names]


RIGHT = cases(RIGHT_FORMS, THREE) + cases(RIGHT_FORMS, SEVEN)
NONE = cases(NO_ANSWER_FORMS, ["positive", "negative", "neutral"])


def test_the_tables_are_whole():
    assert (len(RIGHT), len(NONE), len(OTHERS), len(ODD)) == (380, 66, 25, 17)


@pytest.mark.parametrize(("output", "label"), RIGHT)
def test_a_named_label_is_read(output, label):
    names = THREE if label in THREE else SEVEN
    judged = labels.judge(output, label, names)
    assert (judged.parsed, judged.gold, judged.score) == (label, label, 1.0)


@pytest.mark.parametrize(("output", "label"), NONE)
def test_a_denied_or_hidden_label_is_no_answer(output, label):
    assert labels.judge(output, label, THREE).parsed is None


OTHERS = [
    ("positive or negative", THREE, None),
    ("negative/neutral/positive", THREE, None),
    ("{negative/neutral/positive}", THREE, None),
    ("positive, neutral", THREE, None),
    ("positive; negative.", THREE, None),
    ("positive - negative", THREE, None),
    ("neutral and positive", THREE, None),
    ("It could be positive or negative. Positive.", THREE, None),
    ("", THREE, None),
    ("   \n ", THREE, None),
    ("bullish", THREE, None),
    ("negative", SEVEN, None),
    ("positive", SEVEN, None),
    ("strongly negative", SEVEN, None),
    ("mildly positive, moderately positive", SEVEN, None),
    ("mildly positive but not strong positive", SEVEN, None),
    ("strong  NEGATIVE", SEVEN, "strong negative"),
    ("The sentiment is neutral. Positive would be wrong.", THREE, "neutral"),
    ("Negative words, but the final answer: neutral", THREE, "neutral"),
    ("Not sure", YES_NO, None),
    ("I know nothing", YES_NO, None),
    ("yesterday", YES_NO, None),
    ("No, the headline does not say so.", YES_NO, "no"),
    ("Yes, no doubt", YES_NO, "yes"),
    ("There is no doubt about it", YES_NO, None),
]


@pytest.mark.parametrize(("output", "names", "parsed"), OTHERS)
def test_several_labels_are_no_answer_and_the_longest_one_counts(output, names, parsed):
    judged = labels.judge(output, names[0], names)
    assert judged.parsed == parsed
    assert judged.score == float(parsed == judged.gold)


ODD = [
    ("AA", "aa"),
    ("AA+", "aa+"),
    ("AA-", "aa-"),
    ("A", "a"),
    ("The rating is AA+.", "aa+"),
    ("It is AA", "aa"),
    ("AA++", None),
    ("AAA", None),
    ("A+", None),
    ("C++", "c++"),
    ("C+", None),
    ("a.b*", "a.b"),
    ("aXb", None),
    ("1.5", "1.5"),
    ("1", "1"),
    ("1.55", None),
    ("12", None),
]


@pytest.mark.parametrize(("output", "parsed"), ODD)
def test_labels_may_be_any_text(output, parsed):
    assert labels.judge(output, "A", RATINGS).parsed == parsed


def test_a_gold_outside_the_set_is_refused():
    with pytest.raises(ValueError, match="'bullish' is none of the labels: negative, neutral, positive"):
        labels.judge("positive", "bullish", THREE)


@pytest.mark.parametrize(
    ("output", "gold", "score"),
    [
        ("Person.", "person", 1.0),
        ("Answer: person", "person", 1.0),
        ("person or location", "person", 0.0),
        ("", "person", 0.0),
        ("persona", "person", 0.0),
    ],
)
def test_without_a_set_the_text_must_be_equal(output, gold, score):
    assert labels.judge_exact(output, gold).score == score


@pytest.mark.parametrize("text", ["positive " * 50_000, "(" * 100_000, "not " * 50_000, "\n" * 100_000])
def test_long_outputs_end(text):
    assert labels.judge(text, "negative", THREE).score == 0.0
