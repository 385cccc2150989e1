"""What all rows about filings share: the prompt's form, how much of a filing it shows, who is asked about.

The form is that of the FinLoRA benchmark's XBRL tasks, so that rows of any origin can be mixed.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from finlora.errors import UsageError

TASKS = {
    "tag": "xbrl_tags_extract",
    "value": "xbrl_value_extract",
    "formula": "xbrl_formula_extract",
    "calculation": "xbrl_formula_calc_extract",
}
# Characters of a row that fits 4,096 tokens, the default `sequence_len`. The tokenizer of SmolLM2, which
# takes each digit as a token, was seen to have 1.9 to 2.5 characters a token here; most others have more.
LONGEST = 7_600


def fact_line(tag: str, text: str) -> str:
    """Return one fact as prompts show it: no attributes, and no name in the closing part."""
    return f"<{tag}>{text}</>"


def context(instruction: str, facts: Sequence[str], question: str) -> str:
    """Return a row's context; it ends with the answer mark."""
    shown = "\n".join(facts)
    return f"{instruction}\nXML File: {shown}\nQuestion: {question}\nAnswer:"


def nearest(facts: Sequence[str], asked: Iterable[int], room: int) -> list[str]:
    """Keep as many facts as there is room for: those asked about, then their neighbours.

    Args:
        facts: lines of `fact_line` in document order.
        asked: places of the facts an answer needs; they are always kept.
        room: characters there are for facts, a line end for each counted.

    Returns:
        The kept lines in document order.
    """
    needed = set(asked)
    order = sorted(
        range(len(facts)), key=lambda place: (min((abs(place - a) for a in needed), default=0), place)
    )
    kept = []
    for place in order:
        room -= len(facts[place]) + 1
        if room < 0 and place not in needed:
            break
        kept.append(place)
    return [facts[place] for place in sorted(kept)]


def sides(filings: Iterable[tuple[str, int]], share: float, seed: int) -> Mapping[tuple[str, int], str]:
    """Divide filings by company and year, so that no company and no year stands on both sides.

    Test filings are those of the last year by the test companies, training filings those of earlier years
    by the others; what is neither would leak, or be no test of a later year. Where all filings are of one
    year, companies alone divide them.

    Args:
        filings: company and fiscal year of each.
        share: share of the companies that are test companies, at least one.
        seed: decides which; a company's lot does not depend on the other companies.

    Returns:
        For each company and year: train, test, or an empty text for neither.

    Raises:
        UsageError: too few companies for two sides.
    """
    known = sorted(set(filings))
    years = {year for _, year in known}
    last = max(years, default=0)
    trainable = {company for company, year in known if len(years) == 1 or year < last}
    testable = {company for company, year in known if year == last}
    # Companies that can only be tested come first.
    order = sorted(testable, key=lambda company: (company in trainable, _lot(company, seed)))
    wanted = max(1, round(share * len({company for company, _ in known})))
    tested: set[str] = set()
    for company in order:
        if len(tested) < wanted and trainable - tested - {company}:
            tested.add(company)
    if not tested:
        raise UsageError(_too_few(known))
    return {
        (company, year): _side(company in tested, len(years) == 1, year == last) for company, year in known
    }


def _side(is_tested: bool, one_year: bool, is_last: bool) -> str:
    if is_tested:
        return "test" if is_last else ""
    return "train" if one_year or not is_last else ""


def _lot(company: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{company}".encode()).hexdigest()


def _too_few(known: Sequence[tuple[str, int]]) -> str:
    found = "; ".join(f"{company} {year}" for company, year in known[:10]) or "none"
    more = f"; {len(known) - 10} more" if len(known) > 10 else ""
    return (
        "too few filings for training and test rows that share no company: at least one company with a "
        "filing of an earlier year and another with one of the last year are needed\n"
        f"There are: {found}{more}"
    )
