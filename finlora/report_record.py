"""A report as JSON values, for programs: everything, nothing folded."""

from typing import Any

from finlora.report import Report
from finlora.report_findings import tally
from finlora.report_sources import Entry
from finlora.report_tables import Family, family_of


def to_record(report: Report) -> dict[str, Any]:
    """Return all that a report tells, but for losses and single labels, which lie in the files it names."""
    ends = tally(report)
    return {
        "digest": report.digest,
        "results": [_result(entry) for entry in report.entries],
        "averages": [average for family in report.families for average in _averages(family)],
        "comparisons": {"better": ends.better, "worse": ends.worse, "open": ends.open},
        "published": [
            {
                "task": one.task.task,
                "scores": {
                    name: {"accuracy_percent": accuracy, "f1": f1}
                    for (name, _), (accuracy, f1) in zip(
                        report.published.models, one.task.scores, strict=True
                    )
                },
                "caveats": one.task.caveats,
                "ours": [{"file": entry.path, "not_comparable": why} for entry, why in one.ours],
            }
            for one in report.beside
        ],
        "forgetting": [one.to_record() for one in report.forgotten],
        "never_scored": report.without,
        "damaged": [{"file": where, "fault": fault} for where, fault in report.damaged],
    }


def _result(entry: Entry) -> dict[str, Any]:
    result = entry.result
    against = result.against and {key: value for key, value in result.against.items() if key != "got_worse"}
    return {
        "file": entry.path,
        "name": entry.who.name,
        "kind": entry.who.kind,
        "weights": entry.who.weights,
        "family": family_of(entry),
        "apart": entry.apart,
        **{
            key: getattr(result, key)
            for key in ("task", "dataset", "dataset_sha256", "metric", "decode", "scorer", "limit", "rows")
        },
        **{key: getattr(result, key) for key in ("score", "interval", "majority", "unparsed", "errors")},
        **{key: getattr(result, key) for key in ("weighted_f1", "macro_f1", "seconds", "rows_per_second")},
        "against": against,
    }


def _averages(family: Family) -> list[dict[str, Any]]:
    """Return the averages of the columns that stand side by side."""
    table = family.full
    return [
        {
            "family": family.name,
            "metric": block.metric,
            "decode": block.decode,
            "tasks": block.averaged,
            "averages": {
                who.name: average
                for who, average in zip(table.columns, block.averages, strict=False)
                if average is not None
            },
        }
        for block in (table.blocks if table else ())
        if table and block.averaged > 1
    ]
