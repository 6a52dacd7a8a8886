"""A labelled dataset in the raw format of nnU-Net, on the same split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from cinema_cmr.data.nnunet import NnunetExport, write_nnunet
from cinema_cmr.datasets.reading import find_cases, find_split, ignore_note, read_cases

__all__ = ["export_nnunet"]


def export_nnunet(
    data: Path | str,
    folder: Path | str,
    *,
    split: Path | str | None = None,
    codes: Sequence[str] = (),
    overwrite: bool = False,
    report: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> NnunetExport:
    """Write the labelled short-axis frames of a dataset for nnU-Net (version 2), in the parts of a split.

    `data` and `codes` as in `finetune`; `folder`: nnUNet_raw/DatasetNNN_NAME; `split`: a split file, else the dataset's
    own. `.volumes` has the frames of each part, `.skipped` the studies left out with their reasons. `report` receives
    how many studies are done and of how many, `note` a line on each that cannot be read. Raises as `write_nnunet`:
    `UsageError` for a name that nnU-Net does not recognise, `InputError` if there is nothing to train on.
    """
    dataset, cases = find_cases(str(data), codes=codes)
    chosen = find_split(split, dataset, cases)
    selected = {patient for patients in chosen.parts.values() for patient in patients}
    n, done = sum(case.patient in selected for case in cases), count(1)
    return write_nnunet(
        folder,
        read_cases(dataset, cases, selected, note=note or ignore_note),
        card=dataset.card,
        split=chosen,
        overwrite=overwrite,
        report=None if report is None else lambda _: report(next(done), n),
    )
