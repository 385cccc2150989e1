"""Processes that go when the one that started them goes, however it does."""

import os
import select
import threading


def end_with(launcher: int) -> None:
    """End this process when FinLoRA or this process's own parent dies, however it dies.

    A killed launcher can't end its children, and they would go on computing unseen.

    Args:
        launcher: process id of FinLoRA.
    """
    poll = select.poll()
    for pid in {launcher, os.getppid()}:
        try:
            poll.register(os.pidfd_open(pid), select.POLLIN)
        except ProcessLookupError:
            os._exit(1)

    def watch() -> None:
        poll.poll()
        os._exit(1)

    threading.Thread(target=watch, name="finlora-watch", daemon=True).start()
