"""Characters: each kind of broken text is found, and what looks like it is not."""

import pytest

from finlora.checks import encoding
from tests.checks.parts import asked, codes, only, rows
from tests.test_mending import REPAIRED

BROKEN = {
    "mojibake": [
        "Lemmink+ñinen won an order",
        "the group -¦ s cumulative sales",
        "a dividend of Â£90m",
        "the companyâ€™s sales",
        "Bj+Ârn Wahlroos",
        "net profit in SAP -« ; sales",
        "on +àland islands",
        "dâ€œquotedâ€\x9d text",
        "Sepp├ñl├ñ 's plan",
    ],
    "lost-character": ["net sales of \ufffd5m", "caf\ufffd"],
    "control-character": ["sales\x00rose", "sales \x9d rose", "a\x1b[31mred", "back\x08space", "DEL\x7f"],
    "other-script": ["the cost ofэ equity", "Сompany sales", "Αpple rose", "the bаnk"],
}
SOUND = [
    "Lemminkäinen won an order",
    "a change of +£5m and -£3m, +€2m and -¥7m",
    "between 5-°C and +½ point",
    "Jean-Émile and a non-équivalent",
    "Net sales: «up» 5%",
    "the company’s “sales” rose – again",
    "tab\tand\nline break\r\n",
    "β_i and σ_p, α of 0.2, ΔP and µm, ∑ R_t",
    "Газпром and Μυτιληναίος rose",
    "日本銀行 held rates",
    "Ünal & Søn 🎉",
    "price × 3 ÷ 2 ± 1",
]


@pytest.mark.parametrize("code", BROKEN)
def test_broken_text_is_found_with_its_line(code):
    sentences = BROKEN[code]
    found = codes(encoding.check(asked("sound", *sentences, "sound")))
    assert found[code] == list(range(2, 2 + len(sentences)))


def test_so_many_examples():
    assert [len(BROKEN[code]) for code in BROKEN] == [9, 2, 5, 4]
    assert len(SOUND) == 12


@pytest.mark.parametrize("sentence", SOUND)
def test_sound_text_is_left_alone(sentence):
    assert codes(encoding.check(asked(sentence)), notes=True) == {}


def test_answers_are_looked_at_too():
    assert codes(encoding.check(rows([("a", "b"), ("a", "Â£90m")]))) == {"mojibake": [2]}


def test_a_row_counts_once():
    (found,) = encoding.check(rows([("Â£1", "Â£2")]))
    assert (found.count, found.message[:10]) == (1, "1 row with")


def test_what_nobody_sees_is_a_note():
    found = only(
        encoding.check(asked("zero\u200bwidth", "soft\u00adhyphen", "family 👨\u200d👩")),
        "invisible-character",
    )
    assert (found.severity, found.lines) == ("note", (1, 2))


@pytest.mark.parametrize("text", REPAIRED)
def test_what_the_converters_repair_is_found(text):
    assert "mojibake" in codes(encoding.check(asked(text)))
    assert codes(encoding.check(asked(REPAIRED[text]))) == {}
