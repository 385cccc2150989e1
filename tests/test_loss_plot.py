"""The picture of the losses: what is drawn, that it is a picture, and where it can't be written."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from finlora.errors import FinLoRAError
from finlora.loss_plot import Curve, draw, write
from tests.conftest import PRIVATE, shelve


def curves(count, points=20):
    return [
        Curve(
            f"run_{i}",
            [(step, 3.0 / step + i) for step in range(1, points + 1)],
            [(0, 3.1 + i), (points, 0.5 + i)],
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("count", [2, 8, 11])
def test_a_line_and_points_for_each_adapter(count):
    figure = draw(curves(count))
    [axes] = figure.axes
    lines, points = axes.lines[::2], axes.lines[1::2]
    assert (len(lines), len(points)) == (count, count)
    for curve, line, dots in zip(curves(count), lines, points, strict=True):
        assert [tuple(pair) for pair in line.get_xydata()] == curve.train
        assert [tuple(pair) for pair in dots.get_xydata()] == curve.validation
        assert (line.get_linestyle() != "None", dots.get_linestyle()) == (True, "None")
        assert line.get_color() == dots.get_color()
    looks = {(line.get_color(), line.get_linestyle()) for line in lines}
    assert len(looks) == count
    assert len({line.get_color() for line in lines}) == min(count, 8)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [c.name for c in curves(count)]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "loss")


def test_names_of_any_kind_stand_in_the_legend(tmp_path):
    names = ["_hidden", r"$\frac$", "x" * 200]
    named = [Curve(name, c.train, c.validation) for name, c in zip(names, curves(3), strict=True)]
    write(tmp_path / "a.png", named)
    shown = [text.get_text() for text in draw(named).legends[0].get_texts()]
    assert shown[:2] == names[:2]
    assert shown[2] == "x" * 35 + "…" + "x" * 35


def test_one_step_and_no_rows_held_out(tmp_path):
    alone = [Curve("one", [(1, 2.0)], []), Curve("two", [(1, 2.5)], [])]
    assert [line.get_marker() for line in draw(alone).axes[0].lines[::2]] == [".", "."]
    write(tmp_path / "a.png", alone)


def test_the_picture_can_be_read_back(tmp_path):
    write(tmp_path / "losses.png", curves(3))
    with Image.open(tmp_path / "losses.png") as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (1350, 862))
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    # Blue, vermillion and green of the lines, on white.
    assert {(0, 114, 178), (213, 94, 0), (0, 158, 115), (255, 255, 255)} <= colours
    assert [path.name for path in tmp_path.iterdir()] == ["losses.png"]


@pytest.mark.parametrize(("name", "start"), [("a.svg", b"<?xml"), ("a.pdf", b"%PDF-"), ("a.PNG", b"\x89PNG")])
def test_the_suffix_says_the_format(tmp_path, name, start):
    write(tmp_path / name, curves(2))
    assert (tmp_path / name).read_bytes().startswith(start)


def test_an_earlier_plot_is_replaced_whole(tmp_path):
    write(tmp_path / "a.png", curves(2))
    before = (tmp_path / "a.png").read_bytes()
    write(tmp_path / "a.png", curves(3))
    assert (tmp_path / "a.png").read_bytes() != before
    # Equal losses, equal picture.
    write(tmp_path / "a.png", curves(2))
    assert (tmp_path / "a.png").read_bytes() == before


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("losses.jpg", "losses.jpg: a plot is written as .png, .svg, .pdf; name the file so"),
        ("losses", "losses: a plot is written as .png, .svg, .pdf"),
        ("gone/losses.png", "gone/losses.png: there is no folder gone; make it first: mkdir -p gone"),
        ("folder.png", "folder.png is a folder; --plot names the file for the picture"),
    ],
)
def test_a_place_where_nothing_can_be_drawn_is_refused_first(project, run, monkeypatch, target, message):
    monkeypatch.chdir(project.root)
    (project.root / "folder.png").mkdir()
    before = project.files()
    # Before it is noticed that there are no such adapters.
    done = run("compare", "nobody", "noone", "--plot", target)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert project.files() == before


def test_a_picture_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FinLoRAError, match=r"a\.png: can't be written: No space left on device"):
        write(tmp_path / "a.png", curves(2))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.png": b"old"}


def test_without_losses_there_is_no_picture(project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    for name in ("one", "two"):
        shelve(project, name, federated={"privacy": PRIVATE})
    done = run("compare", "one", "two", "--plot", "losses.png")
    assert done.code == 2
    assert "none of these adapters tells its losses" in done.err
    assert not (project.root / "losses.png").exists()


def test_the_command_draws_and_prints(project, run_process, monkeypatch):
    shelve(project, "one")
    shelve(project, "two", {"lora_r": 4})
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    home = project.root / "home"
    home.mkdir()
    done = run_process(
        "compare", "one", "two", "--json", "--plot", "losses.png", cwd=project.root, HOME=str(home)
    )
    assert (done.code, json.loads(done.out)["adapters"]) == (0, ["one", "two"])
    assert done.err.splitlines()[-1] == "losses: losses.png"
    with Image.open(project.root / "losses.png") as picture:
        assert picture.size == (1350, 825)
    # What matplotlib keeps lies in FinLoRA's own cache, not in the home.
    assert list(home.iterdir()) == []


def test_it_draws_where_no_home_can_be_written(tmp_path, monkeypatch):
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    code = "from pathlib import Path; from tests.test_loss_plot import *; write(Path(sys.argv[1]), curves(2))"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.png"],
        env={**os.environ, "HOME": "/proc/none", "FINLORA_CACHE": "/proc/none", "TMPDIR": str(tmp_path)}
        | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    # Not even its temporary folder is left.
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_matplotlibrc_that_lies_around_changes_nothing(tmp_path):
    write(tmp_path / "a.png", curves(2))
    import matplotlib

    with matplotlib.rc_context({"savefig.dpi": 50, "axes.facecolor": "red", "legend.fontsize": 30}):
        write(tmp_path / "b.png", curves(2))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
