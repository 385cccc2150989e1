"""What asking a hosted model will take, before the first request, and what it took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# English text of tokenizers that hosted models use. Source: OpenAI, "What are tokens and how to count
# them?" (help.openai.com). Figures and markup have fewer characters a token.
_CHARACTERS_PER_TOKEN = 4
_MILLION = 1_000_000


@dataclass(frozen=True)
class Estimate:
    """What is to be expected; tries that are made again are not in it.

    Args:
        requests: one for each row.
        tokens_in: of the prompts, about: a token for every 4 characters.
        most_tokens_out: if every answer takes all it may.
        usd: least (answers of one token) and most, in US dollars; None without prices.
    """

    requests: int
    tokens_in: int
    most_tokens_out: int
    usd: tuple[float, float] | None

    def __str__(self) -> str:
        text = f"about {self.tokens_in:,} tokens in, at most {self.most_tokens_out:,} out"
        return text if self.usd is None else f"{text}; about {self.usd[0]:.4f} to {self.usd[1]:.4f} USD"


def estimate(
    contexts: Sequence[str],
    max_new_tokens: int,
    price_in: float | None = None,
    price_out: float | None = None,
) -> Estimate:
    """Estimate what answers will cost.

    Args:
        contexts: what is asked.
        max_new_tokens: of the longest answer.
        price_in: US dollars for a million tokens that are read.
        price_out: US dollars for a million tokens that are answered.
    """
    tokens_in = sum(-(-len(context) // _CHARACTERS_PER_TOKEN) for context in contexts)
    most = len(contexts) * max_new_tokens
    low = cost(tokens_in, len(contexts), price_in, price_out)
    high = cost(tokens_in, most, price_in, price_out)
    return Estimate(len(contexts), tokens_in, most, None if low is None or high is None else (low, high))


def cost(tokens_in: int, tokens_out: int, price_in: float | None, price_out: float | None) -> float | None:
    """Return US dollars, from prices in US dollars for a million tokens; None without prices."""
    if price_in is None or price_out is None:
        return None
    return (tokens_in * price_in + tokens_out * price_out) / _MILLION


@dataclass
class Usage:
    """What was sent, and what the server says that it counted.

    Args:
        requests: all of them, those that failed included.
        tokens_in: that were read.
        tokens_out: that were answered.
        uncounted: answers for which the server named no tokens.
    """

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    uncounted: int = 0

    def add(self, counted: Any) -> None:
        """Add what one answer says in its `usage`."""
        entries = counted if isinstance(counted, Mapping) else {}
        tokens = [entries.get(name) for name in ("prompt_tokens", "completion_tokens")]
        if all(isinstance(count, int) and count >= 0 for count in tokens):
            self.tokens_in += tokens[0] or 0
            self.tokens_out += tokens[1] or 0
        else:
            self.uncounted += 1
