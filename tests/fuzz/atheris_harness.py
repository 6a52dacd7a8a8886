"""Coverage-guided fuzzing of one target: python tests/fuzz/atheris_harness.py TARGET [-max_total_time=60 ...]

Options are libFuzzer's. Begins with the valid inputs and the corpus; an input that shows a defect is written to the
current folder as crash-HASH: move it to corpus/TARGET/. Needs `pip install 'cinema-cmr[fuzz]'` (Linux).
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS / "fuzz"), str(TESTS / "io")]


def main() -> None:
    """Fuzz the target that the first argument names."""
    import atheris  # type: ignore[import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["cinema_cmr"]):
        from fuzz_targets import CORPUS, TARGETS, run
    name = sys.argv[1]
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for seed in target.seeds():
            (Path(folder) / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
        kept = [str(CORPUS / name)] if (CORPUS / name).is_dir() else []
        atheris.Setup([sys.argv[0], *sys.argv[2:], folder, *kept], lambda content: run(target, content))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
