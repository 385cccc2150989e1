"""Who answers the rows of an evaluation: an adapter, a base model alone, a hosted model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Reply:
    """What came of one row.

    Args:
        output: the raw text that was answered.
        error: why there is no answer, in a line; None where there is one.
    """

    output: str
    error: str | None = None


# Takes the number of a context, from 0, and what came of it; in any order, each number once.
Done = Callable[[int, Reply], None]


class Respondent(Protocol):
    """Who answers. What it holds is known before anything is loaded or asked.

    Args:
        place: folder and name below `results/`.
        facts: who it is, for `results.Result.respondent`.
        identity: all of it that decides an answer, as JSON values.
        trained_on: digest of the rows it was trained on; None where that is not known.
    """

    place: tuple[str, str]
    facts: Mapping[str, Any]
    identity: Mapping[str, Any]
    trained_on: str | None

    def prompts(self, contexts: Sequence[str]) -> list[str]:
        """Return the whole text that is read for each context."""

    def weigh(self, contexts: Sequence[str], labels: Sequence[str], done: Done) -> None:
        """Answer each context with the likeliest label; of equally likely ones the first."""

    def answer(self, contexts: Sequence[str], max_new_tokens: int, done: Done) -> None:
        """Answer each context in its own words, greedily."""

    def settings(self) -> dict[str, Any]:
        """Return how it was asked (dtype, device, batch, …), once it was."""

    def close(self) -> None:
        """Let go of what answering holds, so that the next one has its memory."""
