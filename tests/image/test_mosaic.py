"""Pictures keep their pixels and do not touch."""

from __future__ import annotations

import numpy as np
import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.image.mosaic import mosaic


def test_every_picture_is_where_it_belongs() -> None:
    ramp = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    dark, bright = np.full((2, 5), -3, np.float32), np.full((6, 2), 9, np.float32)
    pixels = np.asarray(mosaic([[ramp, dark], [], [bright]]))
    assert pixels.shape == (4 + 5 + 4 + 2 + 4, 4 + 3 + 4 + 2 + 4)
    assert np.array_equal(pixels[4:8, 4:7], np.rint(ramp * 255).T)
    assert (pixels[4:9, 11:13] == 0).all() and (pixels[13:15, 4:10] == 255).all()
    assert (pixels[:4] == 64).all() and (pixels[:, 7:11] == 64)[4:9].all()


def test_what_is_unknown_is_grey() -> None:
    assert np.asarray(mosaic([[np.full((2, 2), np.nan, np.float32)]]))[4, 4] == 64


def test_no_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one"):
        mosaic([[], []])


def test_captions_have_room_of_their_own() -> None:
    picture = np.full((60, 40), 1.0, np.float32)
    plain = np.asarray(mosaic([[picture, picture], [picture, picture]]))
    named = np.asarray(mosaic([[picture, picture]] * 2, heads=("input", "result"), titles=("short axis", "")))
    assert named.shape == (plain.shape[0] + 2 * 16, plain.shape[1])
    assert (named == 255).sum() == (plain == 255).sum(), "no text lies on a picture"
    assert (named[:16] > 200).any() and (named[20:34] > 200).any()
