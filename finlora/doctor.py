"""What this machine can run, what it can't, and how to mend that."""

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from finlora import builtin, launch
from finlora.causes import INSTALL
from finlora.errors import FinLoRAError
from finlora.privacy import OFFLINE, QUIET

_GIB = 2**30
# Relative distance of a quantised product from the exact one: usual is 0.09 (NF4) and 0.004 (int8).
_FAR = {"4": 0.2, "8": 0.05}


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Args:
        name: what was looked at.
        state: `ok`, `warn` (some things can't be done here) or `fail` (nothing can be trained).
        found: what was found.
        fix: what to do; empty when the state is `ok`.
    """

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    fix: str = ""


def checks(root: Path | None, offline: bool) -> Iterator[Check]:
    """Look at this machine, quick things first; the slow imports run meanwhile in child processes.

    Args:
        root: the project's folder; None for the current one.
        offline: do not ask the network.
    """
    with ThreadPoolExecutor(max(2, launch.cores())) as pool:
        probes = {
            name: pool.submit(_probe, name)
            for name in ("gpus", "quantised_products", "axolotl", "accelerate", "deepspeed")
        }
        yield _system()
        yield _python()
        yield _packages()
        yield _cpu()
        yield _memory()
        yield _disk("project disk", root or Path.cwd(), "work in a folder on a larger disk")
        yield _disk("cache disk", builtin.cache_folder(), "set FINLORA_CACHE to a folder on a larger disk")
        yield _disk("hub cache disk", _hub_cache(), "set HF_HOME to a folder on a larger disk")
        yield _builtin()
        yield _hub(offline)
        yield _compiler()
        yield _read(probes["gpus"], "torch and GPUs", _gpus)
        yield _dora_8bit()
        for bits in _FAR:
            yield _read(probes["quantised_products"], f"{bits}-bit base models", _quantised, bits)
        yield _read(probes["axolotl"], "Axolotl", _axolotl)
        for name in ("accelerate", "DeepSpeed"):
            yield _read(probes[name.lower()], name, _importable)
        yield _read(probes["axolotl"], "telemetry", _telemetry)


def _probe(name: str) -> Any:
    """Run a function of `probes` in a child and return its result."""
    code = (
        f"import json, sys; from finlora import probes; sys.stdout.write('\\n' + json.dumps(probes.{name}()))"
    )
    environment = {**QUIET, **OFFLINE}
    if not launch.visible_gpus():
        environment |= {"DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    return json.loads(launch.run_tool([sys.executable, "-c", code], environment).splitlines()[-1])


def _read(probe: "Future[Any]", name: str, judge: Callable[..., Check], *more: str) -> Check:
    """Judge a probe's result; a probe that failed is a failed check."""
    try:
        result = probe.result()
    except FinLoRAError as error:
        last = str(error).splitlines()[-1].rpartition(" failed: ")[2].strip()
        return Check(name, "fail", last or "the import crashed", f"{INSTALL} (into a fresh environment)")
    return judge(name, result, *more)


def _system() -> Check:
    found = f"{platform.system()} {platform.release()} on {platform.machine()}"
    if sys.platform == "linux":
        return Check("system", "ok", found)
    return Check("system", "fail", found, "use Linux (on Windows: WSL 2)")


def _python() -> Check:
    from packaging.specifiers import SpecifierSet

    wanted = metadata.metadata("finlora")["Requires-Python"]
    found = f"{platform.python_version()} ({sys.executable})"
    if SpecifierSet(wanted).contains(platform.python_version()):
        return Check("Python", "ok", found)
    return Check("Python", "fail", found, f"make an environment with a Python {wanted}")


def _pins() -> dict[str, str]:
    """Return the versions that `finlora[train]` pins, by package; an empty one where any will do."""
    lines = [line for line in metadata.requires("finlora") or () if re.search(r"extra == .train.", line)]
    parts = [re.match(r"([\w.-]+)(?:\[[^\]]*\])?(?:==([\w.]+))?", line) for line in lines]
    return {part[1]: part[2] or "" for part in parts if part is not None}


def _packages() -> Check:
    missing, other = [], []
    pins = _pins()
    for name, pin in pins.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        # torch 2.13.0+cpu is a build of torch 2.13.0.
        if pin and version.partition("+")[0] != pin:
            other.append(f"{name} {version} (tried with {pin})")
    if missing:
        return Check("training packages", "fail", f"not installed: {', '.join(missing)}", INSTALL)
    if other:
        return Check("training packages", "warn", ", ".join(other), INSTALL)
    return Check("training packages", "ok", f"all {len(pins)} as pinned")


def _cpu() -> Check:
    bf16 = "bfloat16 in hardware" if launch.cpu_has_bf16() else "no bfloat16: the CPU trains in float32"
    return Check("CPU", "ok", f"{launch.cores()} cores, {bf16}")


def _memory() -> Check:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines())
    total, free = (int(lines[key].split()[0]) / 2**20 for key in ("MemTotal", "MemAvailable"))
    found = f"{free:.0f} of {total:.0f} GiB available"
    if free >= 4:
        return Check("memory", "ok", found)
    return Check("memory", "warn", found, "end other programs; small models need some 4 GiB on a CPU")


def _disk(name: str, folder: Path, elsewhere: str) -> Check:
    place = folder
    while not place.is_dir():
        place = place.parent
    free = shutil.disk_usage(place).free / _GIB
    found = f"{free:.0f} GiB free for {folder}"
    if not os.access(place, os.W_OK):
        return Check(name, "fail", f"{place} can't be written", elsewhere)
    if free >= 20:
        return Check(name, "ok", found)
    step = f"free some space (a base model of 8 billion parameters takes 16 GiB), or {elsewhere}"
    return Check(name, "warn" if free >= 1 else "fail", found, step)


def _hub_cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _builtin() -> Check:
    folder = builtin.model_folder()
    if folder.is_dir():
        return Check("built-in base model", "ok", f"in the cache: {folder}")
    step = f"none needed with a package index: the first use of {builtin.NAME} fetches 93 MB"
    return Check("built-in base model", "warn", "not in the cache yet", step)


def _hub(offline: bool) -> Check:
    import httpx
    from huggingface_hub import constants

    host = urlsplit(constants.ENDPOINT).hostname or "the hub"
    if offline or constants.HF_HUB_OFFLINE:
        return Check("model hub", "ok", "not asked (offline)")
    try:
        status = httpx.head(constants.ENDPOINT, timeout=5).status_code
        problem = f"{host} answers with status {status}" if status >= 500 else ""
    except (httpx.HTTPError, httpx.InvalidURL):
        problem = f"{host} can't be reached"
    if not problem:
        return Check("model hub", "ok", f"{host} can be reached")
    step = (
        "set HF_ENDPOINT to a mirror, or use base models in folders (base_model: ./name) or from the hub's "
        f"cache; no hub is needed for {builtin.NAME}"
    )
    return Check("model hub", "warn", problem, step)


def _compiler() -> Check:
    """DeepSpeed builds its communication between CPU processes on first use."""
    name = "C++ compiler"
    found = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if found is None:
        return Check(name, "warn", "none: one CPU process only", "apt install g++ (for --num-processes)")
    if shutil.which("ninja") is None:
        folder = Path(sys.executable).parent
        step = f"source {folder}/activate, or apt install ninja-build (for --num-processes)"
        return Check(name, "warn", f"{found}, but no ninja in PATH: one CPU process only", step)
    return Check(name, "ok", f"{found}, with ninja")


def _gpus(name: str, result: dict[str, Any]) -> Check:
    torch = f"torch {result['torch']}"
    if result["gpus"]:
        gpus = ", ".join(f"{gpu['name']} ({gpu['gib']:.0f} GiB)" for gpu in result["gpus"])
        return Check(name, "ok", f"{torch}, {gpus}")
    if launch.visible_gpus():
        step = f"install a newer driver, or torch's CUDA build: pip install -I torch=={_pins()['torch']}"
        return Check(name, "fail", f"{torch} can't use this machine's GPU", step)
    step = "small base models train on the CPU; for 8 billion parameters use a machine with an NVIDIA GPU"
    return Check(name, "warn", f"{torch}, no GPU", step)


def _dora_8bit() -> Check:
    if launch.visible_gpus():
        return Check("8-bit with DoRA", "ok", "possible on a GPU")
    step = "use quant_bits 4 or 16 for DoRA here, or a GPU"
    return Check(
        "8-bit with DoRA", "warn", "not possible on a CPU (bitsandbytes has no gradient for it)", step
    )


def _quantised(name: str, result: dict[str, float], bits: str) -> Check:
    found = f"product in {bits} bits lies {result[bits]:.1%} from the exact one"
    if result[bits] <= _FAR[bits]:
        return Check(name, "ok", found)
    return Check(name, "fail", found, f"pip install -I bitsandbytes=={_pins()['bitsandbytes']}")


def _importable(name: str, result: dict[str, str]) -> Check:
    return Check(name, "ok", f"version {result['version']}")


def _axolotl(name: str, result: dict[str, Any]) -> Check:
    return Check(name, "ok", f"version {metadata.version('axolotl')}, schema of {result['keys']} keys")


def _telemetry(name: str, result: dict[str, Any]) -> Check:
    if result["telemetry"]:
        return Check(name, "fail", "Axolotl's is on", "report this: FinLoRA switches it off")
    return Check(name, "ok", "off: " + ", ".join(QUIET))
