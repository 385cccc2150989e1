"""Two hosts on one machine: network namespaces that reach each other over a virtual cable alone."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

ADDRESSES = ("10.77.0.1", "10.77.0.2")
Prefix = list[str]


def missing() -> str | None:
    """Return what this machine lacks to play two hosts, or None."""
    for tool in ("unshare", "nsenter", "ip"):
        if shutil.which(tool) is None:
            return f"no program '{tool}' here"
    tried = subprocess.run(["unshare", "-rn", "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() or "no namespaces here" if tried.returncode else None


@contextmanager
def two_hosts() -> Iterator[tuple[Prefix, Prefix]]:
    """Yield what to put before a command to run it on the one host or the other.

    Each host is kept by a process that reads from a pipe of this one: it ends with this one, however
    that ends, and the kernel takes namespaces and cable away with it. No rights are needed.
    """
    with ExitStack() as stack:
        first = _keeper(stack, ["unshare", "-rn"])
        inside = ["nsenter", "--preserve-credentials", "-U", "-n", "-t"]
        second = _keeper(stack, [*inside, str(first), "unshare", "-n"])
        prefixes = [*inside, str(first)], [*inside, str(second)]
        cable = [
            "ip",
            "link",
            "add",
            "cable0",
            "type",
            "veth",
            "peer",
            "name",
            "cable1",
            "netns",
            str(second),
        ]
        subprocess.run([*prefixes[0], *cable], check=True)
        for rank, prefix in enumerate(prefixes):
            for words in (
                ["addr", "add", f"{ADDRESSES[rank]}/24", "dev", f"cable{rank}"],
                ["link", "set", "lo", "up"],
                ["link", "set", f"cable{rank}", "up"],
            ):
                subprocess.run([*prefix, "ip", *words], check=True)
        yield prefixes


def _keeper(stack: ExitStack, command: Prefix) -> int:
    """Start a process that holds a namespace until its input closes; return its id once it does."""
    keeper = stack.enter_context(
        subprocess.Popen(
            [*command, "sh", "-c", "echo ready; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    )
    assert keeper.stdout
    assert keeper.stdout.readline() == b"ready\n"
    return keeper.pid
