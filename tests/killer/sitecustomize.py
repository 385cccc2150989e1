"""Kills a training at a moment named by FINLORA_TEST_KILL, as a crash would: SIGKILL to the whole group.

Python imports a `sitecustomize` by itself; `tests/test_kills.py` puts this folder on PYTHONPATH. The moment
is the n-th time that an audit event (https://docs.python.org/3/library/audit_events.html) names a path: just
before the file is opened, renamed or removed.
"""

import json
import os
import re
import signal
import sys
from pathlib import Path

_MOMENT = json.loads(os.environ["FINLORA_TEST_KILL"])
_seen = 0


def _watch(event: str, args: tuple[object, ...]) -> None:
    global _seen
    if event != _MOMENT["audit"]:
        return
    path = str(args[1] if event == "os.rename" else args[0])
    if event == "open" and not set(str(args[1])) & set("wa"):
        return
    if re.search(_MOMENT["path"], path):
        _seen += 1
        if _seen == _MOMENT["nth"]:
            _kill()


def _kill() -> None:
    job = os.environ.get("FINLORA_JOB")
    os.close(os.open(_MOMENT["mark"], os.O_CREAT | os.O_WRONLY))
    if job:
        os.kill(json.loads(Path(job).read_text(encoding="utf-8"))["launcher"], signal.SIGKILL)
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(_watch)
