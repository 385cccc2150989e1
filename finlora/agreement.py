"""What machines that train together must have in common, compared before the first step."""

from collections.abc import Mapping, Sequence
from typing import Any

from finlora.json_text import shown

STEP, PART = "step", "part"
"""Terms with words of their own: the step a machine goes on from, and whether it holds its part of that."""


def differences(reports: Sequence[Mapping[str, Any]]) -> str | None:
    """Compare what every process is about to train with what process 0 is, and say what differs.

    Args:
        reports: of each process, in the order of their ranks, `machine` and `terms`. Terms are
            digests by name; objects of plain values, which are shown; `step` and `part`.

    Returns:
        One line that names the machines, what differs and what to do; None when all agree.
    """
    first = reports[0]["terms"]
    contents: list[str] = []
    checkpoints: list[str] = []
    for report in reports:
        who, terms = f"machine {report['machine']}", report["terms"]
        for name in {**first, **terms}.keys() - {STEP, PART}:
            contents += _differing(who, name, terms.get(name), first.get(name))
        if terms[STEP] != first[STEP]:
            checkpoints.append(f"{who} would go on from step {terms[STEP]}, machine 0 from {first[STEP]}")
        elif not terms[PART]:
            checkpoints.append(f"{who} lacks its part of the checkpoint at step {terms[STEP]}")
    # Processes of one machine say the same.
    lines = sorted({*contents}) + sorted({*checkpoints})
    if not lines:
        return None
    step = "Make them equal" if contents else "Give every machine --fresh"
    return f"the machines would not train the same: {'; '.join(lines)}. {step}, and start them all again"


def _differing(who: str, name: str, theirs: Any, first: Any) -> list[str]:
    if theirs == first:
        return []
    if isinstance(theirs, dict) and isinstance(first, dict):
        return [
            f"{who} has {key} {shown(theirs.get(key))}, machine 0 has {shown(first.get(key))}"
            for key in {**first, **theirs}
            if theirs.get(key) != first.get(key)
        ]
    return [f"{who} has another {name} than machine 0"]
