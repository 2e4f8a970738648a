"""The spam agent on the real block list and university notices, tested on boards that training never saw.

Asks how much better than TF-IDF the packaged English model gets on real Korean subjects. Needs ../shared/data.
Run: python benchmarks/spam_postal.py [--out FOLDER]     about ten minutes on 2 cores
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
NOTICES = HERE.parents[1] / "shared" / "data" / "spam" / "notice_allow_titles.jsonl"


def held_out_boards() -> list[str]:
    """The sixth to thirteenth largest boards: large enough to count, and not the five that teach most."""
    rows = [json.loads(line) for line in NOTICES.read_text(encoding="utf-8").splitlines()]
    sizes = Counter(row["board"] for row in rows)
    ordered = sorted(sizes, key=lambda board: (-sizes[board], board))
    return ordered[5:13]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="run folder; default runs/spam-postal/<time>")
    arguments = parser.parse_args()
    if not NOTICES.exists():
        sys.exit("../shared/data is not here: nothing to measure")
    boards = json.dumps(held_out_boards())
    command = [sys.executable, "-c", "from dadeum.cli import main; main()", "run", str(HERE / "spam_postal.yaml")]
    command += ["--set", f"data.split.hold_out={boards}"]
    command += ["--out", str(arguments.out)] if arguments.out else []
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
