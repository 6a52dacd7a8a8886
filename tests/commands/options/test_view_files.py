"""Files by view."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.commands.options.view_files import files_by_view
from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View


def test_a_file_alone_is_of_the_short_axis() -> None:
    found = files_by_view(["a=b.nii.gz", "lax_2c=c.nii.gz"])
    assert found == {View.SAX: Path("a=b.nii.gz"), View.LAX_2C: Path("c.nii.gz")}


@pytest.mark.parametrize("values", [["a.nii.gz", "sax=b.nii.gz"], ["lax_4c="]])
def test_two_files_of_a_view_and_a_view_without_one_are_refused(values: list[str]) -> None:
    with pytest.raises(UsageError, match="expected one file for each view"):
        files_by_view(values)
