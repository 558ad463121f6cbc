"""Whether ThreadSanitizer reported anything that is not pyarrow's own.

    python tests/threads/races.py build/races

reads every report in that folder (`TSAN_OPTIONS=log_path=build/races/of`), prints how many there are of whom,
and exits with 1 where one of them is not only pyarrow's. Its libraries are not compiled for ThreadSanitizer,
which therefore does not see how their threads wait for each other, only what they ask of the C library. To
suppress reports by library would also hide a race between our kernel and pyarrow; so they are read instead.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

HEAD = "WARNING: ThreadSanitizer"
OURS = "_native"
FOREIGN = re.compile(r"\(lib(?:arrow|parquet)[\w.]*\+0x")
RACE = f"{HEAD}: data race "
AFTER_THE_SIDES = re.compile(r"^  (?:Location|As if|Mutex|Thread|SUMMARY)", re.MULTILINE)


def reports(text: str) -> list[str]:
    return [HEAD + part for part in text.split(HEAD)[1:]]


def is_foreign(report: str) -> bool:
    """Whether a report is of a race of which pyarrow is a side, and no side, memory or thread is ours."""
    sides = AFTER_THE_SIDES.split(report)[0]
    return report.startswith(RACE) and bool(FOREIGN.search(sides)) and OURS not in report


def judged(texts: Iterable[str]) -> tuple[int, list[str]]:
    """How many reports are pyarrow's own, and all others, whole."""
    found = [report for text in texts for report in reports(text)]
    others = [report for report in found if not is_foreign(report)]
    return len(found) - len(others), others


def main(folder: Path) -> int:
    foreign, others = judged(path.read_text(errors="replace") for path in sorted(folder.iterdir()))
    sys.stdout.writelines(others)
    sys.stdout.write(f"ThreadSanitizer: {len(others)} reports; {foreign} besides of pyarrow's own threads\n")
    return 1 if others else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
