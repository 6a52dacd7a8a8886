"""Studies of the same images, and studies whose images look alike: a patient scanned twice, or copied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

__all__ = ["duplicates", "lookalikes"]

_PART_BITS = 16
_MOST_IN_BUCKET = 2000
"""Studies with the same quarter of the hash; a quarter that so many share, as of dark images, says nothing."""


def duplicates(pixels: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return the groups of studies whose intensities are equal, voxel by voxel; `pixels` is study -> hash."""
    groups: dict[str, list[str]] = defaultdict(list)
    for study, value in pixels.items():
        groups[value].append(study)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def lookalikes(outlines: Mapping[str, str], *, most_bits: int = 3) -> list[tuple[str, str, int]]:
    """Return pairs of studies whose coarse hashes differ by at most 3 of 64 bits, nearest first, with the bits.

    Of four quarters of the hash at least one is then equal, so that only studies that share one are compared.
    """
    values = {study: int(value, 16) for study, value in outlines.items()}
    found: dict[tuple[str, str], int] = {}
    for part in range(64 // _PART_BITS):
        buckets: dict[int, list[str]] = defaultdict(list)
        for study, value in values.items():
            buckets[value >> (part * _PART_BITS) & 0xFFFF].append(study)
        for bucket in buckets.values():
            if 1 < len(bucket) <= _MOST_IN_BUCKET:
                found |= _near(bucket, values, most_bits)
    return sorted(((*pair, bits) for pair, bits in found.items()), key=lambda one: (one[2], one[0], one[1]))


def _near(bucket: Sequence[str], values: Mapping[str, int], most_bits: int) -> dict[tuple[str, str], int]:
    found = {}
    for i, one in enumerate(bucket):
        for other in bucket[i + 1 :]:
            bits = (values[one] ^ values[other]).bit_count()
            if bits <= most_bits:
                found[(one, other) if one < other else (other, one)] = bits
    return found
