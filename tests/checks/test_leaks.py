"""Leaks: a company, a document or a time on both sides."""

import pytest

from finlora.checks import leaks
from tests.checks.parts import codes, only, rows


def side(file="train.jsonl", **columns):
    count = len(next(iter(columns.values())))
    return rows([(f"{file} {i}", "a") for i in range(count)], file, **columns)


@pytest.mark.parametrize("column", ["company", "document", "url"])
def test_what_both_sides_have(column):
    train = side(**{column: ["Acme", "Borealis", ""]})
    test = side("test.jsonl", **{column: ["Cetus", "ACME", "", "acme"]})
    found = only(leaks.between(train, test), f"shared-{column}")
    assert (found.lines, found.against, found.against_lines) == ((2, 4), "train.jsonl", (1, 1))
    assert found.message.startswith(f"2 rows of the test (50%) with a {column}")
    assert codes(leaks.between(train, side(**{column: ["Acme 2", "", "Bo"]}))) == {}


def test_columns_that_one_side_lacks():
    assert leaks.between(side(company=["a"]), side(document=["a"])) == []


@pytest.mark.parametrize(
    ("train", "test", "early"),
    [
        ({"year": ["2020", "2021"]}, {"year": ["2021", "2022"]}, [1]),
        ({"year": ["2020", "2021"]}, {"year": ["2022", "2023"]}, None),
        ({"date": ["2021-03-01"]}, {"date": ["2021-04-01"]}, None),
        ({"date": ["2021-03-01"]}, {"date": ["2021-02-28", "2021-03-01", "2021-03-02"]}, [1, 2]),
        ({"date": ["2021-03-01T10:00"]}, {"date": ["2020"]}, [1]),
        ({"year": ["FY2021"]}, {"year": ["2020"]}, None),
        ({"year": ["20215"]}, {"year": ["2020"]}, None),
        ({"year": ["2021"]}, {"date": ["2020-01-01"]}, None),
    ],
)
def test_a_test_that_is_not_later(train, test, early):
    found = codes(leaks.between(side(**train), side("test.jsonl", **test)))
    assert found == ({} if early is None else {"not-later": early})
