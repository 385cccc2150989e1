"""The doctor: this machine as it is, and one thing broken at a time."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from finlora import builtin, doctor, launch


@pytest.mark.slow
def test_this_machine_as_it_is(tmp_path: Path) -> None:
    checks = {check.name: check for check in doctor.checks(tmp_path, offline=True)}
    assert len(checks) == 19
    assert all((check.fix == "") == (check.state == "ok") for check in checks.values())
    assert [check for check in checks.values() if check.state == "fail"] == []
    for name in ("system", "Python", "CPU", "Axolotl", "accelerate", "DeepSpeed", "telemetry", "model hub"):
        assert checks[name].state == "ok"
    for name in ("4-bit base models", "8-bit base models"):
        assert checks[name].state == "ok"
        assert "from the exact one" in checks[name].found
    gpu_state = "ok" if launch.visible_gpus() else "warn"
    assert checks["torch and GPUs"].state == checks["8-bit with DoRA"].state == gpu_state
    assert "version 0.19.0" in checks["Axolotl"].found
    assert str(tmp_path) in checks["project disk"].found


def broken(folder: Path, module: str, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / module).mkdir()
    (folder / module / "__init__.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def probed(name: str) -> "Future[Any]":
    future: Future[Any] = Future()
    with pytest.raises(doctor.FinLoRAError) as caught:
        doctor._probe(name)
    future.set_exception(caught.value)
    return future


@pytest.mark.parametrize(
    ("module", "probe", "body", "found"),
    [
        ("deepspeed", "deepspeed", "import os\nos.abort()\n", "the import crashed"),
        ("deepspeed", "deepspeed", "raise ImportError('no such symbol')\n", "ImportError: no such symbol"),
        ("bitsandbytes", "quantised_products", "import gone_for_good\n", "No module named 'gone_for_good'"),
    ],
)
def test_a_library_that_breaks_fails_its_check_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, probe: str, body: str, found: str
) -> None:
    broken(tmp_path, module, body, monkeypatch)
    check = doctor._read(probed(probe), module, doctor._importable)
    assert (check.name, check.state) == (module, "fail")
    assert found in check.found
    assert "pip install '.[train]' -c constraints.txt" in check.fix


def test_a_wrong_product_fails() -> None:
    assert doctor._quantised("4", {"4": 0.09, "8": 0.004}, "4").state == "ok"
    for bits in ("4", "8"):
        check = doctor._quantised(bits, {"4": 0.5, "8": 0.09}, bits)
        assert check.state == "fail"
        assert "bitsandbytes==" in check.fix


def test_telemetry_that_is_on_fails() -> None:
    assert doctor._telemetry("telemetry", {"telemetry": True}).state == "fail"
    assert doctor._telemetry("telemetry", {"telemetry": False}).state == "ok"


def distribution(folder: Path, name: str, version: str, *lines: str) -> None:
    (folder / f"{name}-{version}.dist-info").mkdir()
    text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, ""])
    (folder / f"{name}-{version}.dist-info" / "METADATA").write_text(text)


def test_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._packages().state == "ok"
    assert {"axolotl", "torch", "deepspeed", "bitsandbytes"} <= set(doctor._pins())
    assert "pytest" not in doctor._pins()
    distribution(tmp_path, "peft", "0.1.0")
    monkeypatch.syspath_prepend(str(tmp_path))
    other = doctor._packages()
    assert other.state == "warn"
    assert "peft 0.1.0 (tried with " in other.found
    distribution(
        tmp_path,
        "finlora",
        "9",
        "Requires-Python: >=3.99",
        "Provides-Extra: train",
        'Requires-Dist: gone-for-good==1.0; extra == "train"',
    )
    missing = doctor._packages()
    assert (missing.state, missing.found) == ("fail", "not installed: gone-for-good")
    assert missing.fix.endswith("pip install '.[train]' -c constraints.txt")
    python = doctor._python()
    assert python.state == "fail"
    assert ">=3.99" in python.fix


def test_no_compiler_and_no_ninja(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor._compiler().state == "warn"
    assert "apt install g++" in doctor._compiler().fix
    for name, state in (("g++", "warn"), ("ninja", "ok")):
        (tmp_path / name).touch(mode=0o755)
        assert doctor._compiler().state == state


def test_disks(tmp_path: Path) -> None:
    assert str(tmp_path / "not" / "yet") in doctor._disk("disk", tmp_path / "not" / "yet", "elsewhere").found
    full = doctor._disk("disk", Path("/proc/not/yet"), "elsewhere")
    assert full.state == "fail"
    assert "elsewhere" in full.fix


def test_the_builtin_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINLORA_CACHE", str(tmp_path))
    assert doctor._builtin().state == "warn"
    builtin.model_folder().mkdir(parents=True)
    assert doctor._builtin().state == "ok"


def hub_check(endpoint: str, offline: bool = False, **env: str) -> dict[str, str]:
    code = f"import json; from finlora import doctor; print(json.dumps(vars(doctor._hub({offline}))))"
    inherited = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, "HF_ENDPOINT": endpoint, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict[str, str] = json.loads(done.stdout)
    return result


class _Answers(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.server.requests.append(self.path)  # type: ignore[attr-defined]
        self.send_response(500 if self.path == "/broken" else 401)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    made.requests = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_the_hub(server: Any) -> None:
    url = f"http://user:secret@127.0.0.1:{server.server_address[1]}"
    reached, broken_hub = hub_check(url), hub_check(f"{url}/broken")
    assert len(server.requests) == 2
    unasked = [hub_check(url, offline=True), hub_check(url, HF_HUB_OFFLINE="1")]
    assert len(server.requests) == 2
    gone = hub_check("http://user:secret@127.0.0.1:9")
    assert (reached["state"], reached["found"]) == ("ok", "127.0.0.1 can be reached")
    assert [check["found"] for check in unasked] == ["not asked (offline)"] * 2
    assert (broken_hub["state"], broken_hub["found"]) == ("warn", "127.0.0.1 answers with status 500")
    assert (gone["state"], gone["found"]) == ("warn", "127.0.0.1 can't be reached")
    assert "HF_ENDPOINT" in gone["fix"]
    assert "secret" not in str([reached, broken_hub, gone])
