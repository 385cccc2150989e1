"""The page and the Markdown: self-contained, equal for equal results, safe whatever names say; and how a real
browser shows it."""

import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

from finlora import report, report_page, report_pictures, results
from finlora.loss_plot import Curve
from tests import report_parts
from tests.browser import needs_browser, opened, widths
from tests.conftest import write_project
from tests.report_parts import adapter_facts, against, answers, keep, on_shelf, result

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=https://evil.example/x onerror=alert(1)>',
    "a & b < c > d \"e\" 'f'",
    "{{ 7*7 }}{% include 'report.css' %}",
    "back\u202ewards\u2066\u2069",
    "bell\x07 null\x00 escape\x1b[31m line\nbreak\ttab",
    "| a | b |\n| --- | --- |",
    "[link](https://evil.example) ![x](https://evil.example/x.png) www.evil.example",
    "https://evil.example/" + "long_" * 200,
    "*bold* `code` ~~gone~~ # title @somebody",
    "名前 имя नाम",
]
VOID = {"meta", "link", "wbr", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; proves that every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self._open = [], [], [], []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def filled(project):
    report_parts.fill(project)
    return project


def page_of(project):
    return Page(report_page.html(report.build(project.root)))


def make_hostile(project):
    """Put every hostile name wherever a report prints one."""
    base = answers("fpb", 0.6, 0)
    for number, name in enumerate(HOSTILE):
        judged = answers("fpb", 0.8, number)
        made = result("fpb", judged, respondent={**adapter_facts(name, "a" * 64), "base_model": name})
        labels = {name: {"rows": 3, "precision": name, "recall": None, "f1": 0.5}, "b": {}}
        facts = {
            "task": name,
            "dataset": f"{name}.jsonl",
            "dataset_sha256": name,
            "classes": labels,
            "confusion": [(name, "b", 3), ("b", name + "!", 2), ("b", None, 1)],
            "settings": {"device": name, "dtype": name, f"cost {name}": 0.1},
            "against": {**against(name, base, judged), "name": name},
        }
        keep(project.root, "elsewhere", f"run{number}", f"hostile{number}", replace(made, **facts))
        keep(project.root, "elsewhere", f"run{number}", "fpb", made)
    strange = project.root / "results" / "8bits_r8" / "<b>run | \u202e"
    strange.mkdir(parents=True)
    (strange / "<i>file.json").write_text("{")
    folder = on_shelf(project, "shelf", "b" * 64)
    folder.rename(folder.with_name("<u>shelf *x*"))


def test_the_page_asks_for_nothing_and_runs_nothing(filled):
    page = page_of(filled)
    assert {"script", "img", "iframe", "object", "style"} & set(page.tags) == {"style"}
    addresses = {(t, n, v) for t, n, v in page.attributes if n in ("src", "href", "srcset", "data", "action")}
    outside = {(tag, name, value) for tag, name, value in addresses if not value.startswith("#")}
    # One link to follow by hand, and the word that there is no icon.
    assert outside == {
        ("a", "href", "https://github.com/Open-Finance-Lab/FinLoRA"),
        ("link", "href", "data:,"),
    }
    assert [name for _, name, _ in page.attributes if name.startswith("on")] == []
    text = report_page.html(report.build(filled.root))
    assert re.findall(r"url\(|@import|javascript:", text) == []
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in text


def test_every_section_is_there(filled):
    page = page_of(filled)
    ids = [value for tag, name, value in page.attributes if (tag, name) == ("section", "id")]
    first = ["findings", "leaderboard", "pairs", "classes", "losses"]
    assert ids == [*first, "forgetting", "cost", "published", "reading"]
    links = {
        value.removeprefix("#") for _, name, value in page.attributes if name == "href" and value[0] == "#"
    }
    assert links <= set(ids)
    # 18 full comparisons and the axis; five closed tasks with three confusions, one with two more.
    kinds = [value.split()[0] for tag, name, value in page.attributes if (tag, name) == ("svg", "class")]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"forest": 19, "confusion": 17, "losses": 3}


def test_numbers_of_a_result_stand_in_both(project):
    made = result("fpb", answers("fpb", 0.8, 1), score=0.8564, interval=(0.8321, 0.8777))
    paired = {"name": "base", "difference": -0.1234, "interval": [-0.2, -0.0416], "p_value": 0.0004}
    kept = replace(made, against={**paired, "better": 12, "worse": 34, "got_worse": []}, unparsed=0.0312)
    keep(project.root, "base", "one", "fpb", kept)
    built = report.build(project.root)
    words = " ".join(" ".join(page_of(project).text).split())
    for shown in ("85.6", "83.2 – 87.8", "3.1% unparsed", "−12.3", "−20.0 to −4.2", "<0.001", "68.73"):
        assert shown in words
    [line] = [line for line in report_page.markdown(built).splitlines() if line.startswith("| Financial P")]
    assert line.endswith("| 85.6 (83.2 – 87.8), 3.1% unparsed |")
    assert "| −12.3 | −20.0 to −4.2 | &lt;0.001 | 12 | 34 |" in report_page.markdown(built)


def test_hostile_names_stay_text(project):
    make_hostile(project)
    text = report_page.html(report.build(project.root))
    page = Page(text)
    assert {"script", "img", "b", "i", "u"} & set(page.tags) == {"b"}
    assert text.count("<b>run") == 0
    assert "<script>alert" not in text
    assert [value for _, name, value in page.attributes if "evil" in value and name != "title"] == []
    assert "49{" not in text.replace("{{ 7*7 }}", "")
    shown = re.sub(r"[\n]", "", "".join(page.text))
    assert shown.isprintable()
    assert "back\\u202ewards" in shown
    assert "alert(1)" in shown
    assert "名前" in shown
    assert len(HOSTILE) == 11


def test_hostile_names_stay_text_in_markdown(project):
    make_hostile(project)
    built = report.build(project.root)
    text = report_page.markdown(built)
    assert text.replace("\n", "").isprintable()
    assert re.findall(r"<(?!https://github\.com/Open-Finance-Lab/FinLoRA>)", text) == []
    # No link, picture, mention or code but the template's own.
    assert re.findall(r"(?<!\\)\]\(", text) == []
    assert re.findall(r"(?<!\\)[*~!@]", text) == []
    codes = set(re.findall(r"(?<!\\)`[^`]*`", text))
    assert {code[:9] for code in codes} == {f"`{built.digest[:8]}", "`finlora "}
    # A table's lines have as many cells as its head, however many bars its names have.
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_markdown_tables_follow_a_blank_line(filled):
    text = report_page.markdown(report.build(filled.root))
    tables = re.findall(r"(.*)\n(\|.*)\n(\| -.*)\n", text)
    assert len(tables) > 25
    assert [before for before, _, _ in tables if before.strip()] == []


def test_equal_results_make_equal_bytes(tmp_path, run_process):
    made = {}
    for name, seed in (("here", "1"), ("there/and/deeper", "2")):
        project = write_project(tmp_path / name, {})
        report_parts.fill(project)
        done = run_process("report", cwd=project.root, PYTHONHASHSEED=seed)
        assert done.code == 0, done.err
        made[name] = [(project.root / "report" / file).read_bytes() for file in ("report.html", "report.md")]
    assert made["here"] == made["there/and/deeper"]
    assert str(tmp_path).encode() not in b"".join(made["here"])


def test_the_command_writes_both_and_says_where(filled, run, monkeypatch, tmp_path):
    monkeypatch.chdir(filled.root / "configs")
    done = run("report")
    folder = filled.root / "report"
    assert done.code == 0
    assert done.out == f"{folder / 'report.html'}\n{folder / 'report.md'}\n"
    assert done.err.startswith(
        "note: results/8bits_r8/sentiment_llama_3_1_8b_8bits_r8/broken.json is left out: "
    )
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.md"]
    done = run("report", "--output", tmp_path / "else where", "--json")
    record = json.loads(done.out)
    assert record["html"] == str(tmp_path / "else where" / "report.html")
    assert len(record["results"]) == 34
    assert (tmp_path / "else where" / "report.md").read_bytes() == (folder / "report.md").read_bytes()


def test_a_folder_that_can_not_be_written_is_one_clear_message(filled, run, monkeypatch):
    monkeypatch.chdir(filled.root)
    (filled.root / "taken").write_text("")
    done = run("report", "--output", "taken")
    assert (done.code, done.out) == (1, "")
    assert "taken/report.html: can't be written" in done.err


def test_nothing_to_report_is_a_usage_error(project, run, monkeypatch):
    monkeypatch.chdir(project.root)
    done = run("report")
    assert (done.code, done.out) == (2, "")
    assert "finlora eval --adapter NAME --task TASK --baseline" in done.err
    assert not (project.root / "report").exists()


def test_many_adapters_stay_usable(project):
    base = answers("fpb", 0.6, 0)
    texts = {}
    for task in ("fpb", "fiqa", "headline", "finer", "formula"):
        judged = answers(task, 0.8, 1)
        before = answers(task, 0.6, 0)
        texts[task] = json.dumps(result(task, judged, against=against("base", before, judged)).to_record())
    assert base
    for i in range(200):
        run, digest = f"run_{i:03}", f"{i:064x}"
        on_shelf(project, run, digest)
        folder = project.root / results.FOLDER / "8bits_r8" / run
        folder.mkdir(parents=True)
        who = json.dumps(adapter_facts(run, digest))
        for task, text in texts.items():
            record = {**json.loads(text), "respondent": json.loads(who)}
            (folder / f"{task}.json").write_text(json.dumps(record))
    begun = time.process_time()
    built = report.build(project.root)
    text, plain = report_page.html(built), report_page.markdown(built)
    # 1,000 results; the machine may be busy, so that this is CPU time, and ten times what it takes.
    assert time.process_time() - begun < 6
    assert "188 more, not shown above" in text
    assert "All 1,000 comparisons" in text
    assert "176 more are not drawn" in text
    assert "194 more on this task are not drawn" in text
    assert "188 more are not shown" in plain
    assert all(f"run_<wbr>{i:03}" in text for i in range(200))


CURVES = [
    Curve("one step", [(1, 2.0)], []),
    Curve("nothing but zero", [(1, 0.0), (2, 0.0)], [(2, 0.0)]),
    Curve("below zero", [(1, -1.0), (2, -3.0)], []),
    Curve("far up", [(1, 1e300), (2, 1.0)], [(1, 5e299)]),
    Curve("tiny", [(1, 1e-300), (2, 1e-310)], []),
    Curve("no steps", [], [(0, 1.0)]),
    Curve("long", [(i, 1 / i) for i in range(1, 100_000)], [(i, 1.0) for i in range(0, 100_000, 10)]),
]


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_a_picture_of_losses_stays_inside(curve):
    text = str(report_pictures.losses(curve))
    drawn = re.findall(r' (?:points|d|cx|cy|x|y)="([^"]*)"', text)
    numbers = [float(number) for part in drawn for number in re.findall(r"-?[\d.]+(?:e[-+]?\d+)?", part)]
    assert len(numbers) > 20
    assert all(0 <= number <= 300 for number in numbers)
    assert "nan" not in text
    assert "inf" not in text
    assert len(text) < 30_000
    assert len(CURVES) == 7


@pytest.mark.parametrize(
    ("difference", "interval", "style", "shape"),
    [
        (0.1, (0.05, 0.2), "better", "h10l-5 -9z"),
        (-0.1, (-0.2, -0.05), "worse", "h10l-5 9z"),
        (0.1, (-0.05, 0.2), "even", "<rect"),
        (0.1, (0.0, 0.2), "even", "<rect"),
    ],
)
def test_a_forest_line_tells_its_verdict_by_shape_too(difference, interval, style, shape):
    text = str(report_pictures.forest_line(difference, interval, 0.2))
    assert f'class="forest {style}"' in text
    assert shape in text


def test_a_forest_plot_holds_its_intervals():
    assert report_pictures.reach([]) == 0.02
    assert report_pictures.reach([(-0.31, 0.1), (0.0, 0.2)]) == 0.4
    assert report_pictures.reach([(-1.0, 0.1)]) == 1.0
    assert "+40" in str(report_pictures.forest_axis(0.4))


def test_a_confusion_shades_each_row_by_its_own_sum():
    picture = str(report_pictures.confusion(("a", "b"), ("a", "b"), ((8, 2, 0), (10, 20, 10)), "x"))
    assert re.findall(r'fill-opacity="([\d.]+)"', picture) == [
        "0.800",
        "0.200",
        "0.000",
        "0.250",
        "0.500",
        "0.250",
    ]
    assert re.findall(r'class="(heat|stray)"', picture) == ["heat", "heat", "stray"] * 2
    assert picture.count('class="frame"') == 2


@needs_browser
@pytest.mark.parametrize(("width", "height", "scheme"), [(1200, 900, 1), (1200, 900, 0), (600, 1000, 1)])
def test_a_browser_shows_it_and_asks_for_nothing(filled, tmp_path, width, height, scheme):
    make_hostile(filled)
    page, _ = report_page.write(report.build(filled.root), tmp_path)
    picture = tmp_path / "page.png"
    seen = opened(
        page,
        tmp_path,
        f"--screenshot={picture}",
        f"--window-size={width},{height}",
        f"--blink-settings=preferredColorScheme={scheme}",
    )
    assert seen.console == ()
    assert seen.asked == ()
    image = Image.open(picture).convert("RGB")
    assert image.size == (width, height)
    colours = image.getcolors(1 << 24)
    paper = max(colours)[1]
    assert len(colours) > 100
    assert (sum(paper) > 600) == (scheme == 1)
    # Words and tables, not an empty sheet: some of the page is ink, in its lower half too.
    lower = image.crop((0, height // 2, width, height)).getcolors(1 << 24)
    assert 0.01 < 1 - max(lower)[0] / (width * height / 2) < 0.6


@needs_browser
def test_no_window_is_too_narrow(filled, tmp_path):
    make_hostile(filled)
    page, _ = report_page.write(report.build(filled.root), tmp_path)
    assert widths(page, tmp_path, 1200, 800, 400, 320) == {1200: 1200, 800: 800, 400: 400, 320: 320}


@needs_browser
def test_the_probe_sees_what_is_too_wide(tmp_path):
    (tmp_path / "wide.html").write_text(
        "<!DOCTYPE html><body style='margin:0'><div style='width:900px'>x</div>"
    )
    assert widths(tmp_path / "wide.html", tmp_path, 400, 1000) == {400: 900, 1000: 1000}


@needs_browser
def test_the_browser_tells_of_a_request_and_of_a_script(tmp_path):
    page = tmp_path / "talks.html"
    page.write_text("<img src='https://evil.example/x.png'><script>console.error('hello')</script>")
    seen = opened(page, tmp_path, f"--screenshot={tmp_path / 'x.png'}")
    assert "https://evil.example/x.png" in seen.asked
    assert any("hello" in line for line in seen.console)


@needs_browser
def test_it_prints(filled, tmp_path):
    page, _ = report_page.write(report.build(filled.root), tmp_path)
    paper = tmp_path / "page.pdf"
    assert opened(page, tmp_path, f"--print-to-pdf={paper}", "--no-pdf-header-footer").console == ()
    content = paper.read_bytes()
    assert content.startswith(b"%PDF")
    # A4, landscape.
    assert re.search(rb"/MediaBox \[0 0 84[12][.\d]* 59[45][.\d]*\]", content)
