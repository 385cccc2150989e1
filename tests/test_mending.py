"""Mending: repairs that are certain, rows that say nothing, repeats, groups, and the published splits."""

import pytest

from finlora.converters import mending

REPAIRED = {
    "Lemmink+ñinen": "Lemminkäinen",
    "Osakeyhti+Â Lemmink+ñinen": "Osakeyhtiö Lemminkäinen",
    "Bank of +àland": "Bank of Åland",
    "in +àm+Ñl will": "in Åmål will",
    "CEO , Bj+Ârn": "CEO , Björn",
    "The Group -¦ s result": "The Group 's result",
    "Lemmink+ñinen -¦ s": "Lemminkäinen 's",
    "ASMobile -® 2006": "ASMobile © 2006",
    "SAP -« ; NetWeaver": "SAP ® ; NetWeaver",
    "for Â£90m": "for £90m",
    "donâ€™t sell": "don’t sell",
    "said â€\x9dno": "said ”no",
    "Lemmink├ñinen": "Lemminkäinen",
}
LEFT_ALONE = [
    "plain text + more",
    "naïve café in Åbo",
    "CAFÉ™ bar",
    "this year+ó ??",
    "Varpaisj+â rvi",
    "5+ñ",
    "1 000 Â",
    "Â",
    "don’t – no",
    "株価",
    "-¦ x",
    # Would become a zero byte, in a UTF-8 of another kind.
    "3â‚¬À€",
    # Would become U+001A, which U+FFFD stands for in ftfy's code pages.
    "Â£3m\ufffd",
]


@pytest.mark.parametrize("text", REPAIRED)
def test_a_certain_repair(text):
    assert mending.clean_text(text) == (REPAIRED[text], ("broken encoding repaired",))


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_is_whole_or_uncertain_stays(text):
    assert mending.clean_text(text) == (text, ())


def test_the_cases_are_all_there():
    assert (len(REPAIRED), len(LEFT_ALONE)) == (13, 13)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("NaN", "'nan' instead of a text"),
        ("a\ufffdb", "a replacement character (U+FFFD) where a letter was lost"),
        ("a\x9db", "control characters"),
        ("a\x00b", "control characters"),
        ("a\ud800b", "half a character (a lone surrogate)"),
        ("nano\tbanana\n", None),
        ("ä", None),
    ],
)
def test_texts_that_cant_be_used(text, why):
    assert mending.broken(text) == why


def rows(*pairs):
    return [{"context": context, "target": target} for context, target in pairs]


def test_repeats_go_whatever_their_space_and_case():
    some = rows(("A b", "x"), ("a  B", "X "), ("A b", "y"), ("c", "x"), ("A b", "x"))
    assert mending.without_duplicates(some) == [0, 2, 3]
    assert mending.without_duplicates(some, apart_from=rows(("C", "x"))) == [0, 2]


def test_a_group_is_on_one_side():
    some = [{"company": f"c{i % 10}"} for i in range(100)]
    train, test = mending.keep_groups_apart(some, "company", 0.25, seed=42)
    assert sorted(train + test) == list(range(100))
    assert len(test) in (20, 30)
    assert {some[i]["company"] for i in train}.isdisjoint(some[i]["company"] for i in test)
    assert mending.keep_groups_apart(some, "company", 0.25, seed=42) == (train, test)
    assert mending.keep_groups_apart(some, "company", 0.25, seed=43) != (train, test)


def test_a_single_group_is_for_training():
    assert mending.keep_groups_apart([{"g": 1}] * 3, "g", 0.9, seed=0) == ([0, 1, 2], [])


@pytest.mark.parametrize(("n", "share"), [(129, 1 / 3), (4846, 0.25), (6507, 0.1), (7, 0.5)])
def test_the_published_splits_are_those_of_the_libraries(n, share):
    from datasets import Dataset
    from sklearn.model_selection import train_test_split

    expected = train_test_split(list(range(n)), test_size=share, random_state=42, shuffle=True)
    assert list(mending.sklearn_split(n, share, 42)) == expected
    halves = Dataset.from_dict({"i": list(range(n))}).train_test_split(test_size=share, seed=42)
    theirs = (list(halves["train"]["i"]), list(halves["test"]["i"]))
    assert mending.datasets_split(n, share, 42) == theirs
