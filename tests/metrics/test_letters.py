"""One-letter answers in sentences: which letter, and what is none."""

import pytest

from finlora.metrics import letters

RIGHT_FORMS = [
    "{0}",
    " {0} ",
    "{0}.",
    "{0})",
    "({0})",
    "[{0}]",
    "**{0}**",
    "`{0}`",
    '"{0}"',
    "{0}:",
    "{0},",
    "- {0}",
    "({1})",
    "{1})",
    "{1}.",
    "{0}. Net income",
    "{0}) Net income",
    "{0}: Net income",
    "({0}) Net income",
    "{0} - the market",
    "{0} because the others are wrong",
    "{0}, because D is wrong",
    "Answer: {0}",
    "answer: {0}.",
    "The answer is {0}",
    "The correct answer is {0}.",
    "The correct answer is ({0}).",
    "The correct answer is: {0}",
    "The correct option is {0}",
    "The answer is option {0}",
    "Answer: {0} because A is wrong",
    "Option {0}",
    "Choice {0}.",
    "I choose {0}",
    "I think {0} is correct",
    "{0} is correct",
    "{0} is the right answer.",
    "\\boxed{{{0}}}",
    "#### {0}",
    "{0}\nQuestion: next\nAnswer: E",
    "Answer:\n{0}",
    "It is {0}.",
    "The answer should be {0}.",
    "Option Z is out. The correct answer is {0}.",
    "<think>E?</think>{0}",
    "{0}\n\nThe interest rises.",
    "A bond pays 5. The answer is {0}.",
    "The answer is {0}, since rates fall",
]
RIGHT = [(form.format(x, x.lower()), x) for form in RIGHT_FORMS for x in "ABCDE"]
NO_ANSWER = [
    "",
    " ",
    "F",
    "Z.",
    "A company should hold cash",
    "a company",
    "a",
    "A good plan",
    "BE",
    "Bonds",
    "Cash flows",
    "A and B",
    "A, B",
    "A/C",
    "B or C",
    "A & B",
    "A. B",
    "(A) or (B)",
    "The answer is A and B",
    "The answer is A or C",
    "The answer is not A",
    "The answer is not B.",
    "The answer is a company",
    "The answer is A. The answer is B.",
    "Option A or B",
    "Option A. Option B.",
    "A is wrong",
    "B is incorrect",
    "B isn't right",
    "Class B shares",
    "C-suite",
    "D'oh",
    "A's",
    "The bond of class C",
    "Vitamin D is good",
    "None of these",
    "I do not know",
    "12",
    "C++",
    "B%",
]


def test_the_tables_are_whole():
    assert (len(RIGHT), len(NO_ANSWER)) == (240, 40)


@pytest.mark.parametrize(("output", "letter"), RIGHT)
def test_a_letter_is_read(output, letter):
    judged = letters.judge(output, letter)
    assert (judged.parsed, judged.score) == (letter, 1.0)
    assert letters.judge(output, "ABCDEA"["ABCDE".index(letter) + 1]).score == 0.0


@pytest.mark.parametrize("output", [text for text in NO_ANSWER if text != "a"])
def test_words_and_several_letters_are_no_answer(output):
    assert letters.judge(output, "A").parsed is None


def test_a_small_letter_alone_is_an_answer():
    assert letters.judge("a", "A").score == 1.0


@pytest.mark.parametrize(
    ("gold", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(C)", "C"),
        ("B. Net income", "B"),
        ("D) 5%", "D"),
        ("A: a", "A"),
        ("E.", "E"),
    ],
)
def test_the_gold_may_hold_its_choice(gold, letter):
    assert letters.judge(letter, gold).gold == letter


@pytest.mark.parametrize("gold", ["", "F", "A company", "Bonds", "AB", "positive"])
def test_a_gold_without_a_letter_is_refused(gold):
    with pytest.raises(ValueError, match="is no letter from A to E"):
        letters.judge("A", gold)


@pytest.mark.parametrize("text", ["answer is " * 20_000, "B, " * 50_000, "(" * 100_000, "a " * 50_000])
def test_long_outputs_end(text):
    assert letters.judge(text, "A").parsed is None
