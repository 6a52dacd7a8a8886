"""The thumbnail shows the heart."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cinema_cmr.serve.library import Library
from cinema_cmr.serve.thumbnail import thumbnail_png


@pytest.mark.medium
def test_the_thumbnail_shows_bright_blood_in_darker_muscle(results: Path) -> None:
    picture = Image.open(io.BytesIO(thumbnail_png(results, Library([results]).record(results))))
    grey = np.asarray(picture)
    assert max(picture.size) == 144 and grey.dtype == np.uint8
    assert np.percentile(grey, 95) > 220 and np.percentile(grey, 20) < 60
