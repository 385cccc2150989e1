"""The parts of docs/clusters.md that FinLoRA prints, as they look on machines with eight GPUs each."""

import shlex
import sys
from pathlib import Path

import pytest

from finlora import clusters, config, launch
from finlora.rendezvous import cluster
from finlora.training_plan import Options

ROOT = Path(__file__).parents[1]
RUN = "formula_llama_3_1_8b_8bits_r8"
PLACE = "/home/me/finlora"


def parts() -> dict[str, str]:
    """Return what the dry runs of the page print: the commands of two machines, and the scripts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "visible_gpus", lambda: 8)
        patch.setattr(launch, "cores", lambda: 64)
        patch.setattr(sys, "executable", f"{PLACE}/.venv/bin/python")
        file = config.load(ROOT / "configs" / config.CONFIG_NAME)
        by_hand = cluster(2, None, "10.0.0.1", None, None, dry_run=True)
        printed = {
            "hand": clusters.dry_run(file, RUN, Options(cluster=by_hand), every_machine=True),
            **{
                name: clusters.dry_run(
                    file, RUN, Options(cluster=cluster(2, None, None, None, name, dry_run=True))
                )
                for name in ("slurm", "ray")
            },
        }
    # The YAML stands above the commands.
    printed["hand"] = printed["hand"].partition("\n\n")[2]
    return {name: text.replace(shlex.quote(str(ROOT)), PLACE) for name, text in printed.items()}


def filled(page: str) -> str:
    """Return the page with its printed parts as they should be.

    Args:
        page: its text; each part is a block between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
    """
    for name, text in parts().items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        head, _, rest = page.partition(begin)
        page = f"{head}{begin}```bash\n{text.rstrip()}\n```\n{end}{rest.partition(end)[2]}"
    return page
