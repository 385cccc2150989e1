"""The small libraries that PyTorch and DeepSpeed compile when a training starts.

PyTorch lets one process build at a time by a file called `lock`, and the others wait for it to go, without
end. A build that was killed leaves it behind, and every later training would hang. So trainings build in a
folder of FinLoRA's own, and the first of them there removes what an earlier one left.
"""

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from finlora.builtin import cache_folder
from finlora.errors import FinLoRAError


@contextmanager
def held() -> Iterator[dict[str, str]]:
    """Use the folder for this block, and yield what tells a training of it, as environment variables.

    It lies where TORCH_EXTENSIONS_DIR says, else where FinLoRA keeps what it makes itself.

    Raises:
        FinLoRAError: the folder can't be written.
    """
    root = os.environ.get("TORCH_EXTENSIONS_DIR") or cache_folder() / "torch_extensions"
    # Machines that share a home folder may have other processors, and don't see each other's locks; and
    # what was compiled against one PyTorch does not fit another.
    folder = Path(root).absolute() / f"finlora-{platform.node()}-torch-{version('torch')}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        users = (folder / "users").open("a", encoding="utf-8")
    except OSError as error:
        raise FinLoRAError(
            f"{folder}: can't be written: {error.strerror}; set FINLORA_CACHE to a folder that can"
        ) from None
    with users:
        _tidy(folder, users.fileno())
        fcntl.flock(users, fcntl.LOCK_SH)
        yield {"TORCH_EXTENSIONS_DIR": str(folder)}


def _tidy(folder: Path, users: int) -> None:
    """Remove the locks of builds that are no more, unless another training is at work in the folder."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    for lock in folder.rglob("lock"):
        lock.unlink(missing_ok=True)
