"""The benchmark's published numbers: copied right, and with their caveats."""

import pytest

from finlora import published, tasks
from finlora.report_tables import FAMILIES

# Averages over the families as they were computed from the benchmark's own table, apart from the file here.
RECOMPUTED = {
    "general": (53.89, 59.72, 57.98, 71.01, 60.90, 81.97, 80.15, 62.64, 69.83, 87.07),
    "certification": (20.29, 34.51, 53.49, 59.44, 57.04, 81.42, 81.42, 84.50, 87.40, 51.47),
    "reporting": (27.44, 46.89, 51.18, 57.70, 52.95, 52.52, 52.66, 55.01, 56.47, 64.97),
    "analysis": (36.19, 59.65, 61.76, 70.89, 61.33, 74.17, 74.48, 73.69, 77.44, 71.21),
    None: (37.05, 52.36, 57.16, 66.44, 58.97, 74.74, 74.29, 69.53, 73.82, 71.08),
}
# The F1 column has no published average: sums over the cells of the source.
F1_SUMS = (7.707, 10.383, 11.125, 12.784, 11.911, 14.707, 14.622, 13.96, 14.464, 13.811)


def test_nineteen_datasets_and_ten_models():
    table = published.load()
    assert (len(table.tasks), len(table.models), len(table.overall)) == (19, 10, 10)
    assert {len(task.scores) for task in table.tasks} == {10}
    counts = [sum(task.family == family for task in table.tasks) for family in FAMILIES]
    assert counts == [6, 4, 3, 6, 0]


@pytest.mark.parametrize("family", RECOMPUTED)
def test_the_averages_computed_again_are_those_of_the_source(family):
    # An average of rounded cells: half a unit of the last digit.
    assert published.load().averages(family) == pytest.approx(RECOMPUTED[family], abs=0.00501)
    assert len(RECOMPUTED) == 5


def test_nine_published_averages_reproduce_and_one_does_not():
    table = published.load()
    off = [
        (name, stated)
        for (name, _), stated, again in zip(table.models, table.overall, table.averages(), strict=True)
        if abs(stated - again) > 0.006
    ]
    assert off == [("GPT-4o", 63.39)]
    assert "63.39" in " ".join(table.caveats)


def test_f1_is_copied_too():
    table = published.load()
    sums = tuple(round(sum(task.scores[i][1] for task in table.tasks), 3) for i in range(10))
    assert sums == F1_SUMS
    over = [
        (task.name, table.models[i][0])
        for task in table.tasks
        for i, (accuracy, f1) in enumerate(task.scores)
        if accuracy is not None and f1 > 2 * accuracy / (100 + accuracy) + 0.0006
    ]
    # What the caveats say: accuracy and F1 of these cells are not of one run.
    assert ("Tag Extraction", "DoRA") in over
    assert ("Formula Construction", "LoRA") in over


def test_every_row_is_a_task_of_ours_in_its_family():
    known = tasks.load()
    rows = published.load().tasks
    assert all(known[row.task].family == row.family for row in rows)
    assert len({row.task for row in rows}) == 19


def test_rows_have_their_caveats():
    rows = {row.task: row for row in published.load().tasks}
    assert [name for name, row in rows.items() if not row.caveats] == ["headline"]
    assert "85.5%" in " ".join(rows["tfns"].caveats)
    assert "98 different" in " ".join(rows["ner"].caveats)
