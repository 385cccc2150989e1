"""Where Flower's Python is looked for, and what is said when it is not the right one."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import finlora
from finlora.errors import UsageError
from finlora.federated import environment


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    """A project's `.venv`, with nothing beside it."""
    monkeypatch.delenv(environment.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    return tmp_path / ".venv"


def make(folder):
    """Make an environment with nothing in it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python"


def put(python, name, version):
    """Install a package's name and version alone."""
    (site,) = python.parent.parent.glob("lib/python3*/site-packages")
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if name == "finlora":
        (site / "finlora").mkdir()
        (site / "finlora" / "__init__.py").write_text(f'__version__ = "{version}"\n')
    return info


def test_it_lies_beside_our_own(prefix):
    made = make(prefix.parent / ".venv-federated")
    assert environment.python() == made


def test_without_it_both_ways_to_make_it_are_told(prefix):
    with pytest.raises(UsageError) as fault:
        environment.python()
    said = str(fault.value)
    folder = f"{prefix}-federated"
    assert said.startswith(f"{folder}: no Flower environment is there\n")
    lines = [line.strip() for line in said.splitlines()]
    assert "in a checkout of FinLoRA:  make federated" in lines
    assert f"{folder}/bin/python -m pip install flwr=={environment.FLWR} numpy safetensors" in lines
    assert f"{folder}/bin/python -m pip install --no-deps finlora=={finlora.__version__}" in lines
    assert sum(line.endswith(f"-m venv {folder}") for line in lines) == 1


def test_the_variable_names_another_place(prefix, tmp_path, monkeypatch):
    made = make(tmp_path / "elsewhere")
    monkeypatch.setenv(environment.VARIABLE, str(made))
    assert environment.python() == made


@pytest.mark.parametrize("what", ["nothing", "a folder", "a file that can't be run"])
def test_a_variable_that_names_no_python_is_said(prefix, tmp_path, monkeypatch, what):
    named = tmp_path / "named"
    if what == "a folder":
        named.mkdir()
    elif what != "nothing":
        named.write_text("")
    make(prefix.parent / ".venv-federated")
    monkeypatch.setenv(environment.VARIABLE, str(named))
    with pytest.raises(UsageError, match=f"{environment.VARIABLE}: {named} is no Python that can be started"):
        environment.python()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An environment in which nothing is missing."""
    folder = tmp_path_factory.mktemp("flower") / ".venv-federated"
    python = make(folder)
    wanted = {"flwr": environment.FLWR, "finlora": finlora.__version__, "numpy": "2.0", "safetensors": "1.0"}
    for name, version in wanted.items():
        put(python, name, version)
    return folder


@pytest.fixture
def own(whole, tmp_path, monkeypatch):
    # What the tests put in the path would be found before what the environment holds.
    monkeypatch.delenv("PYTHONPATH", raising=False)
    folder = tmp_path / ".venv-federated"
    shutil.copytree(whole, folder, symlinks=True)
    return folder / "bin" / "python"


def test_the_right_one_is_taken(own):
    environment.check(own)


def test_the_code_of_the_current_folder_does_not_stand_in_for_it(own, monkeypatch):
    site = next(own.parent.parent.glob("lib/python3*/site-packages"))
    shutil.rmtree(site / "finlora")
    (own.parent / "finlora").mkdir()
    monkeypatch.chdir(own.parent)
    with pytest.raises(UsageError, match="finlora is missing"):
        environment.check(own)


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("flwr", None, f"flwr is missing \\(wanted: {environment.FLWR}\\)"),
        ("flwr", "1.42.0", f"flwr 1.42.0 \\(wanted: {environment.FLWR}\\)"),
        ("numpy", None, "numpy is missing"),
        ("safetensors", None, "safetensors is missing"),
        ("finlora", "0.0.1", f"finlora 0.0.1 \\(wanted: {finlora.__version__}\\)"),
    ],
)
def test_what_is_missing_or_another_is_named(own, name, version, said):
    site = next(own.parent.parent.glob("lib/python3*/site-packages"))
    shutil.rmtree(next(site.glob(f"{name}-*.dist-info")))
    if name == "finlora":
        shutil.rmtree(site / "finlora")
    if version:
        put(own, name, version)
    with pytest.raises(UsageError, match=said) as fault:
        environment.check(own)
    assert f"{own}: not the Flower environment of this finlora" in str(fault.value)
    assert "make federated" in str(fault.value)


@pytest.mark.parametrize("content", ["#!/bin/sh\nexit 3\n", "#!/bin/sh\necho yes\n", "no program"])
def test_one_that_is_not_a_python_at_all_is_said(tmp_path, content):
    wrong = tmp_path / "bin" / "python"
    wrong.parent.mkdir()
    wrong.write_text(content)
    wrong.chmod(0o755)
    with pytest.raises(UsageError, match=f"{wrong}: this Python does not work\n"):
        environment.check(wrong)


def test_what_make_installs_is_pinned_line_by_line():
    lines = (Path(__file__).parents[2] / "constraints-federated.txt").read_text().splitlines()
    assert len(lines) > 50
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []
    assert f"flwr=={environment.FLWR}" in lines
