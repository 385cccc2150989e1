"""When requests to a hosted model may start, and how long to wait before a further try."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class Timing:
    """How time passes.

    Args:
        sleep: waits for seconds.
        clock: seconds since some moment.
        chance: a number from 0 to 1, that keeps tries of several rows apart.
    """

    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def pause(self, attempt: int) -> float:
        """Return the seconds before a further try: twice as long each time, up to half left to chance.

        Args:
            attempt: how many tries there were.
        """
        return min(_LONGEST_PAUSE, 2.0 ** (attempt - 1)) * (1 + self.chance()) / 2


@dataclass
class Pace:
    """When the next request may start, for all rows together.

    Args:
        interval: seconds from one start to the next, at least.
        timing: how time passes.
    """

    interval: float
    timing: Timing
    _free: float = 0.0

    async def turn(self) -> None:
        """Wait for it."""
        # While this one waits, another may take its turn, or the server may ask for more time.
        while (wait := self._free - self.timing.clock()) > 0:
            await self.timing.sleep(wait)
        self._free = self.timing.clock() + self.interval

    def hold(self, seconds: float) -> None:
        """Let none start for a while."""
        self._free = max(self._free, self.timing.clock() + seconds)
