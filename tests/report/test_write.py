"""All results of an analysis in one folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.core.errors import OutputExistsError
from cinema_cmr.report.record.stored import read_measurements, read_run
from cinema_cmr.report.write import write_results


@pytest.mark.medium
def test_folder_holds_every_file_and_is_not_overwritten(analysis: Analysis, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    record = write_results(analysis, folder)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {"report.html", "measurements.json", "measurements.csv", "run.json", "segmentation/sax.nii.gz"}
    assert read_measurements(folder / "measurements.json") == record
    assert "write" in read_run(folder / "run.json").seconds and "write" not in record.seconds
    with pytest.raises(OutputExistsError, match="--overwrite"):
        write_results(analysis, folder)
