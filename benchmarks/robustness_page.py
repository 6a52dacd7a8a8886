"""Write the tables of docs/robustness.md from what the benchmarks found: python benchmarks/robustness_page.py"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent.parent / "docs" / "robustness.md"


def main() -> None:
    """Replace what stands between the page's marks."""
    page = PAGE.read_text(encoding="utf-8")
    for name, lines in (("hostile", hostile_lines()), ("kills", kill_lines()), ("canaries", canary_lines())):
        block = f"<!-- {name} -->\n" + "\n".join(lines) + f"\n<!-- end of {name} -->"
        page = re.sub(rf"<!-- {name} -->.*?<!-- end of {name} -->", lambda _, b=block: b, page, flags=re.DOTALL)
    PAGE.write_text(page, encoding="utf-8")


def hostile_lines() -> list[str]:
    """Return the table of the corpus."""
    found = _read("hostile.json")
    columns = list(found["kinds"]["all"])
    return [
        f"{found['n_run']} of {found['n_of_corpus']} inputs.",
        "",
        *_table(["kind", *columns], [[kind, *(row[column] for column in columns)] for kind, row in _last_all(found)]),
    ]


def _last_all(found: Any) -> list[tuple[str, dict[str, int]]]:
    return sorted(found["kinds"].items(), key=lambda item: (item[0] == "all", item[0]))


def kill_lines() -> list[str]:
    """Return the table of the kills."""
    found = _read("kills.json")["found"]
    rows = [[name, row["kills"], row["ends"], len(row["faults"])] for name, row in sorted(found.items())]
    return _table(["command", "kills", "calls that then got to their end", "faults"], rows)


def canary_lines() -> list[str]:
    """Return how many texts of how many commands were searched for how many canaries, and what was found."""
    found = _read("canaries.json")
    runs = found["found"].values()
    texts, hits = sum(run["n_texts"] for run in runs), sum(len(run["hits"]) for run in runs)
    head = ["canaries", "calls", "texts searched", "calls that gave one away", "canaries found"]
    return _table(head, [[found["n_canaries"], len(runs), texts, sum(bool(run["hits"]) for run in runs), hits]])


def _read(name: str) -> Any:
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def _table(head: list[str], rows: list[list[object]]) -> list[str]:
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (head, *rows)]
    return [lines[0], "|" + "---|" * len(head), *lines[1:]]


if __name__ == "__main__":
    main()
