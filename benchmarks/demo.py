"""What the demo's adapter reaches: train it, score it, keep the results that the README shows."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from finlora import project, results

RUN = "sentiment_smollm2_135m_fp16_r8"
VARIANT = "fp16_r8"
KEPT = Path(__file__).with_name("demo")


def main() -> None:
    """Train and score in a project of its own, and copy the results beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, action="append", default=[], help="a test file of a task, to score on it too"
    )
    more = [path.resolve() for path in parser.parse_args().data]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        project.init(folder)
        finlora(folder, "finetune", RUN)
        finlora(folder, "eval", "--adapter", RUN, "--task", "sentiment_sample", "--baseline")
        for path in more:
            finlora(folder, "eval", "--adapter", RUN, "--data", str(path), "--baseline")
        shutil.rmtree(KEPT, ignore_errors=True)
        kept = folder / results.FOLDER
        for path in sorted(kept.rglob("[!.]*.json")):
            side = "base" if path.relative_to(kept).parts[0] == results.BASE else "adapter"
            target = KEPT / f"{path.stem}_{side}.json"
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)


def finlora(folder: Path, *words: str) -> None:
    """Run a command in a folder."""
    subprocess.run([sys.executable, "-m", "finlora", *words], cwd=folder, check=True)


if __name__ == "__main__":
    main()
