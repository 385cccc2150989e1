"""The machines that train together: which of them this is, where they meet, and by which interface."""

import ipaddress
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from finlora.errors import UsageError

LAUNCHERS = ("accelerate", "torchrun")
"""What can start the processes of a training here; the first unless asked."""

PRINTED = ("slurm", "ray")
"""What starts FinLoRA on every machine by itself; FinLoRA prints the script for it."""

_PORT = 29500
_TABLE = Path("/proc/net/route")
_UP = 1
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Cluster:
    """The machines that train together, and which of them this is.

    Args:
        machines: how many there are.
        rank: this one, from 0; machine 0 publishes the adapter.
        address: name or address of machine 0, where the processes meet; None for one machine.
        port: port of machine 0 for the same.
        launcher: what starts the processes; None takes accelerate, where there are several.
    """

    machines: int = 1
    rank: int = 0
    address: str | None = None
    port: int = _PORT
    launcher: str | None = None


def cluster(
    machines: int | None,
    rank: int | None,
    address: str | None,
    port: int | None,
    launcher: str | None,
    dry_run: bool = False,
) -> Cluster:
    """Return the machines that the command line names.

    Args:
        machines: --num-machines.
        rank: --machine-rank.
        address: --main-process-ip.
        port: --main-process-port.
        launcher: --launcher.
        dry_run: nothing is started, and the rank may be left out.

    Raises:
        UsageError: some of these are missing or too much; it says which.
    """
    rest = {"--machine-rank": rank, "--main-process-ip": address, "--main-process-port": port}
    if launcher in PRINTED:
        return _printed(machines or 1, rank, address, port, launcher, dry_run)
    if machines is None or machines == 1:
        if extra := [name for name, value in rest.items() if value is not None]:
            raise UsageError(f"{' and '.join(extra)}: for several machines; add --num-machines N")
        return Cluster(launcher=launcher)
    rank = 0 if dry_run and rank is None else rank
    if rank is None or address is None:
        given = {"--machine-rank": rank, "--main-process-ip": address}
        missing = " and ".join(name for name, value in given.items() if value is None)
        raise UsageError(
            f"--num-machines {machines} needs {missing} too. Start the same command on every machine:\n"
            f"--machine-rank is its number, 0 to {machines - 1}; --main-process-ip the address of machine 0"
        )
    if not _is_host(address):
        raise UsageError(
            f"--main-process-ip {address!r}: a host name or an IP address is wanted, without port or blanks"
        )
    if not 0 <= rank < machines:
        raise UsageError(f"--machine-rank {rank}: the ranks of {machines} machines are 0 to {machines - 1}")
    return Cluster(machines, rank, address, port or _PORT, launcher)


def _is_host(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return _HOST.fullmatch(address) is not None
    return True


def _printed(
    machines: int, rank: int | None, address: str | None, port: int | None, launcher: str, dry_run: bool
) -> Cluster:
    if not dry_run:
        raise UsageError(
            f"--launcher {launcher}: FinLoRA prints the script that {launcher} starts; add --dry-run"
        )
    if rank is not None or address is not None:
        raise UsageError(
            f"--launcher {launcher} gives each machine its rank and address: leave out --machine-rank "
            "and --main-process-ip"
        )
    return Cluster(machines, 0, None, port or _PORT, launcher)


def interface(address: str, table: Path = _TABLE) -> str | None:
    """Return the name of the network interface on the way to an IPv4 address.

    Args:
        address: another machine, or this one as others see it.
        table: the kernel's IPv4 routes; hexadecimal, in the byte order of the machine.

    Returns:
        The interface; None where no route leads there, or the address is a name or IPv6.

    Source:
        https://www.kernel.org/doc/html/latest/filesystems/proc.html (/proc/net/route)
    """
    try:
        wanted = ipaddress.IPv4Address(address)
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except (ValueError, OSError):
        return None
    if wanted.is_loopback:
        return "lo"
    found: tuple[int, str] | None = None
    for line in lines:
        name, destination, _, flags, _, _, _, mask, *_ = line.split()
        fits = int(wanted) & _number(mask) == _number(destination) and int(flags, 16) & _UP
        if fits and (found is None or _number(mask) > found[0]):
            found = _number(mask), name
    return found[1] if found else None


def _number(field: str) -> int:
    return int.from_bytes(bytes.fromhex(field), sys.byteorder)
