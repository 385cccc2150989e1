"""Builds the financial-maths rows: questions made here, answers computed here in decimal arithmetic."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from random import Random

from finlora.builders import (
    formula_balance,
    formula_bonds,
    formula_business,
    formula_macro,
    formula_options,
    formula_portfolio,
    formula_profit,
    formula_rates,
    formula_risk,
    formula_shares,
    formula_streams,
    formula_time,
)
from finlora.builders.formula_kinds import Kind
from finlora.builders.formula_words import TEST_WORDS, TRAIN_WORDS
from finlora.errors import UsageError

Row = dict[str, str]

KINDS: tuple[Kind, ...] = (
    *formula_time.KINDS,
    *formula_streams.KINDS,
    *formula_balance.KINDS,
    *formula_profit.KINDS,
    *formula_business.KINDS,
    *formula_shares.KINDS,
    *formula_portfolio.KINDS,
    *formula_risk.KINDS,
    *formula_rates.KINDS,
    *formula_bonds.KINDS,
    *formula_options.KINDS,
    *formula_macro.KINDS,
)

# Below the first, two decimals could be off by more than 2%; from the second on, the unit is a poor one.
SMALLEST, TOO_LARGE = Decimal("0.25"), Decimal(1_000_000)
# An answer this near (in cents) to a half cent would depend on how the reader rounds.
HALF_CENT_GAP = Decimal("0.01")
CURRENCIES = ("$", "€", "£")
# Every kind can be asked with more sets of numbers than this; a test counts them.
SETS = 5_000
CENT = Decimal("0.01")

_Seen = dict[str, set[tuple[Decimal, ...]]]


def build(seed: int = 42, train_rows: int = 800, test_rows: int = 200) -> tuple[list[Row], list[Row]]:
    """Make financial-maths questions with computed answers.

    Rows are spread evenly over `KINDS`, and inside a kind over its templates. Training and test rows share no
    template, no name and, kind by kind, no set of numbers. Test rows do not depend on `train_rows`.

    Args:
        seed: the same seed gives the same rows, in any process.
        train_rows: how many training rows to make.
        test_rows: how many test rows to make.

    Returns:
        Training rows and test rows, each row with `context` (the prompt) and `target` (the answer).

    Raises:
        UsageError: a negative number of rows, or more rows than there are sets of numbers for.
    """
    _check_sizes(train_rows, test_rows)
    seen: _Seen = {kind.name: set() for kind in KINDS}
    with localcontext(Context(prec=40)):
        test = _split(Random(f"{seed}:test"), test_rows, "test", seen)
        train = _split(Random(f"{seed}:train"), train_rows, "train", seen)
    return train, test


def _check_sizes(train_rows: int, test_rows: int) -> None:
    if min(train_rows, test_rows) < 0:
        raise UsageError(f"{train_rows} training rows, {test_rows} test rows: give 0 or more of each")
    left = SETS - -(-test_rows // len(KINDS))
    if train_rows > left * len(KINDS) or left < 0:
        most = (
            f"at most {left * len(KINDS):,} training rows beside {test_rows:,} test rows"
            if left > 0
            else f"at most {SETS * len(KINDS):,} rows, test rows included"
        )
        raise UsageError(
            f"{train_rows:,} training rows and {test_rows:,} test rows are too many: {len(KINDS)} kinds of "
            f"question, each with {SETS:,} sets of numbers that never come twice, make {most}"
        )


def two_decimals(value: Decimal) -> str:
    """Write a number with exactly two decimals, halves rounded away from zero."""
    return f"{value.quantize(CENT, ROUND_HALF_UP):f}"


def _split(rng: Random, count: int, split: str, seen: _Seen) -> list[Row]:
    words = TRAIN_WORDS if split == "train" else TEST_WORDS
    rows = []
    for place in range(count):
        turn, which = divmod(place, len(KINDS))
        kind = KINDS[which]
        asked = kind.train if split == "train" else kind.test
        values, answer = _draw(kind, rng, seen[kind.name])
        question = _question(asked[turn % len(asked)], kind, values, words, rng)
        rows.append({"context": _prompt(kind, question), "target": two_decimals(answer)})
    rng.shuffle(rows)
    return rows


def _draw(kind: Kind, rng: Random, seen: set[tuple[Decimal, ...]]) -> tuple[dict[str, Decimal], Decimal]:
    # There is always a further one: `build` asks no kind for more than SETS.
    while True:
        values = kind.draw(rng)
        # Sorted, for the same numbers in other places make a question too much alike.
        numbers = tuple(sorted(values.values()))
        if numbers in seen or not kind.sensible(values):
            continue
        answer = kind.answer(values)
        if is_plain(answer):
            seen.add(numbers)
            return values, answer


def is_plain(answer: Decimal) -> bool:
    """Tell whether two decimals do an answer justice, however its reader rounds."""
    from_half = abs(abs(answer) * 100 % 1 - Decimal("0.5"))
    return SMALLEST <= abs(answer) < TOO_LARGE and from_half >= HALF_CENT_GAP


def _question(
    template: str,
    kind: Kind,
    values: Mapping[str, Decimal],
    words: Mapping[str, Sequence[str]],
    rng: Random,
) -> str:
    numbers = {name: given.show(values[name]) for name, given in kind.inputs.items()}
    names = {role: rng.choice(choices) for role, choices in words.items()}
    return template.format(**numbers, **names).replace("$", rng.choice(CURRENCIES))


def _prompt(kind: Kind, question: str) -> str:
    return (
        f"Use formula {kind.name} to answer the question. Answer with a numerical answer with 2 decimal "
        f"places and with no explanations or other text. Formula: {kind.formula}, "
        f'Explanation: {kind.explanation}. Question: "{question}". Answer:'
    )
