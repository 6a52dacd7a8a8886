"""Whatever the bytes, a reader returns or refuses in words: mutated valid files, and those that showed a defect."""

from __future__ import annotations

import time
from functools import cache
from itertools import count

import pytest
from fuzz_targets import CORPUS, TARGETS, run

hypothesis = pytest.importorskip("hypothesis", reason="pip install 'cinema-cmr[fuzz]'")
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

MINUTE_S = 60.0
WORDS = (b"", b"\0", b"\xff" * 4, b"\xff\xff\xff\x7f", b"nan", b"1e999", b"..", b"-1", b"\xfe\xff\x00\xe0", b"\x1b[2J")
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.one_of(st.sampled_from(WORDS), st.binary(max_size=6), st.floats(width=32).map(lambda v: f"{v}".encode())),
        st.integers(0, 8),
    ),
    min_size=1,
    max_size=6,
)
KEPT = [(path.parent.name, path) for path in sorted(CORPUS.glob("*/*"))]


@cache
def seeds_of(name: str) -> list[bytes]:
    return TARGETS[name].seeds()


def edited(seed: bytes, edits: list[tuple[float, bytes, int]]) -> bytes:
    """Replace so many bytes at each place (a share of the length); headers come first, and so do most of the edits."""
    content = bytearray(seed)
    for place, word, n_replaced in edits:
        at = int(place**3 * len(content))
        content[at : at + n_replaced] = word
    return bytes(content)


def fuzz(name: str, *, examples: int, round_number: int = 0) -> None:
    @hypothesis.seed(round_number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, len(seeds_of(name)) - 1), EDITS)
    def mutated(seed: int, edits: list[tuple[float, bytes, int]]) -> None:
        run(TARGETS[name], edited(seeds_of(name)[seed], edits))

    mutated()


@pytest.mark.parametrize("name", TARGETS)
def test_valid_inputs_are_read(name: str) -> None:
    for seed in seeds_of(name):
        run(TARGETS[name], seed)


@pytest.mark.parametrize(("name", "path"), KEPT, ids=[f"{name}-{path.name}" for name, path in KEPT])
def test_what_once_showed_a_defect(name: str, path: object) -> None:
    run(TARGETS[name], path.read_bytes())  # type: ignore[attr-defined]


@pytest.mark.medium
@pytest.mark.parametrize("name", TARGETS)
def test_a_few_mutations(name: str) -> None:
    fuzz(name, examples=60)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_minute_of_mutations(name: str) -> None:
    end, rounds = time.monotonic() + MINUTE_S, count(1)
    while time.monotonic() < end:
        fuzz(name, examples=200, round_number=next(rounds))
