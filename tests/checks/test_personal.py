"""Personal data: shapes and check digits; nothing that is found is ever shown."""

import pytest

from finlora.checks import personal
from tests.checks.parts import asked, codes, rows

# Numbers from the standards' and issuers' own examples; none belongs to anybody.
FOUND = {
    "e-mail": ["write to jane.doe@example.co.uk now", "x+y@example.com"],
    "iban": [
        "DE89 3704 0044 0532 0130 00",
        "to GB82WEST12345698765432.",
        "GB82 WEST 1234 5698 7654 32 TODAY",
    ],
    "card": ["4111 1111 1111 1111", "card 5555555555554444", "3782 822463 10005", "6011-1111-1111-1117"],
    "ssn": ["SSN 078-05-1120"],
    "phone": ["+44 20 7946 0958", "+358 9 123 4567", "(202) 555-0143", "call 202-555-0143", "1-202-555-0143"],
}
SOUND = [
    "tickers @apple and $AAPL; 5@20",
    "user@localhost",
    "DE89 3704 0044 0532 0130 01",
    "FY21 2022 REPORT ACME CORP",
    "4111 1111 1111 1112",
    "sales of 4,111,111,111,111,111",
    "4000 0000 0000 0000",
    "order 9111 1111 1111 1111",
    "$5555555555554444",
    "078-05-11200",
    "000-12-3456",
    "2019-05-1120",
    "between 2019-2021 and 100-200-3000",
    "+12.5% and +1,034.7 mn",
    "rose +5 to 10 000 000 000",
    "the range 123-456-7890",
    "+1 23 45 67",
    "EUR 202.555.014",
    "accession 0000320193-20-000096",
]


@pytest.mark.parametrize("code", FOUND)
def test_found(code):
    texts = FOUND[code]
    assert codes(personal.check(asked("none", *texts)))[code] == list(range(2, 2 + len(texts)))


def test_so_many_examples():
    assert [len(FOUND[code]) for code in FOUND] == [2, 3, 4, 1, 5]
    assert len(SOUND) == 19


@pytest.mark.parametrize("text", SOUND)
def test_left_alone(text):
    assert codes(personal.check(asked(text))) == {}


def test_nothing_is_shown():
    said = repr(personal.check(asked(*(text for texts in FOUND.values() for text in texts))))
    assert not any(part in said for part in ("jane", "3704", "4111", "05-1120", "7946", "0143"))


def test_answers_are_looked_at_too():
    assert codes(personal.check(rows([("a", "x@example.com")]))) == {"e-mail": [1]}
