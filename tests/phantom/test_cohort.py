"""A cohort is the same whoever makes it, goes on where it was cut off, and can be read with its truth."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cinema_cmr.core.errors import OutputExistsError, UnreadableFileError, UsageError
from cinema_cmr.core.vocabulary import LANDMARKS, View
from cinema_cmr.io.dicom.writing.series import Compression, DicomShape
from cinema_cmr.io.names import file_stem
from cinema_cmr.io.nifti.labels import read_label_codes
from cinema_cmr.io.read import read_study
from cinema_cmr.phantom.cohort import CohortConfig, cohort_seed, dicom_encoding, write_cohort
from cinema_cmr.phantom.phantom import PhantomStudy, make_phantom

SMALL = CohortConfig(n=2, seed=3, views=(View.LAX_4C,), n_frames=2)
made_once = cache(make_phantom)
"""Phantoms of these tests; those of the second worker are made by itself."""


def with_settings(**settings: Any) -> CohortConfig:
    return replace(SMALL, **settings)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def phantom_of(number: int, *, n_frames: int = 2) -> PhantomStudy:
    return made_once(cohort_seed(3, number), group=None, style=None, views=SMALL.views, n_frames=n_frames)


def rows_of(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small cohort, made by one worker."""
    folder = tmp_path_factory.mktemp("cohort") / "phantoms"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cinema_cmr.phantom.cohort.make_phantom", made_once)
        write_cohort(folder, SMALL)
    return folder


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No phantom is made twice."""
    monkeypatch.setattr("cinema_cmr.phantom.cohort.make_phantom", made_once)


def test_the_manifest_leads_to_images_labels_landmarks_and_truth(cohort: Path) -> None:
    rows = rows_of(cohort / "manifest.csv")
    assert [row["name"] for row in rows] == ["subject-0000", "subject-0001"]
    for k, row in enumerate(rows):
        made = phantom_of(k)
        assert (row["group"], row["style"], row["sex"]) == (made.group, made.style, made.study.subject.sex)
        assert float(row["age_years"]) == made.study.subject.age_years
        for name, value in made.truth.items():
            assert row[name] == ("" if np.isnan(value) else str(float(value)))
        study = read_study(cohort / row["images"])
        cine = made.study.cine(View.LAX_4C)
        own = study.cine(View.LAX_4C)
        np.testing.assert_allclose(own.array, cine.array, atol=np.ptp(cine.array) / 32767)
        np.testing.assert_allclose(own.affine, cine.affine, atol=1e-4)
        codes = {code: code for code in (1, 2, 3, 4, 5)}
        labels = read_label_codes(cohort / row["labels"] / "lax_4c.nii.gz", own.array.shape, codes=codes)
        np.testing.assert_array_equal(labels, made.labels[View.LAX_4C].array)


def test_landmarks_are_points_in_patient_space_by_frame(cohort: Path) -> None:
    row = rows_of(cohort / "manifest.csv")[0]
    made = phantom_of(0)
    tracks = json.loads((cohort / row["landmarks"]).read_text(encoding="utf-8"))["lax_4c"]
    assert set(tracks) >= set(LANDMARKS[View.LAX_4C])
    for name, points in made.landmarks[View.LAX_4C].points.items():
        read = np.array([[np.nan] * 3 if point is None else point for point in tracks[name]])
        np.testing.assert_array_equal(read, np.where(np.isfinite(points).all(axis=1)[:, None], points, np.nan))


@pytest.mark.medium
def test_two_workers_write_the_same_bytes_and_tell_their_progress(cohort: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write_cohort(tmp_path / "two", SMALL, workers=2, progress=lambda done, n, _: told.append((done, n)))
    assert told == [(1, 2), (2, 2)]
    assert contents(tmp_path / "two") == contents(cohort)


@pytest.mark.usefixtures("_quick")
def test_a_cohort_goes_on_where_it_was_cut_off_and_grows(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "grown"
    write_cohort(folder, with_settings(n=1))
    kept = (folder / "subject-0000" / "truth.json").stat().st_mtime_ns
    told: list[str] = []
    write_cohort(folder, SMALL, progress=lambda *event: told.append(event[2]))
    assert told == ["subject-0001"]
    assert (folder / "subject-0000" / "truth.json").stat().st_mtime_ns == kept
    assert contents(folder) == contents(cohort)
    monkeypatch.setattr("cinema_cmr.phantom.cohort.make_phantom", None)  # nothing is left to make
    write_cohort(folder, SMALL)


def test_a_subject_that_fails_leaves_nothing_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_at_second(seed: int, **settings: object) -> object:
        if seed == cohort_seed(3, 1):
            raise RuntimeError("power cut")
        return made_once(seed, **settings)

    monkeypatch.setattr("cinema_cmr.phantom.cohort.make_phantom", fails_at_second)
    with pytest.raises(RuntimeError, match="power cut"):
        write_cohort(tmp_path / "cut", SMALL)
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == ["cohort.json", "subject-0000"]


def test_other_settings_and_foreign_folders_are_refused(cohort: Path, tmp_path: Path) -> None:
    other = with_settings(group="DCM", n=1)
    with pytest.raises(OutputExistsError, match="holds a cohort with another group"):
        write_cohort(cohort, other)
    (tmp_path / "mine.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(OutputExistsError, match="holds other files"):
            write_cohort(tmp_path, SMALL, overwrite=overwrite)
    assert contents(tmp_path) == {"mine.txt": b"mine"}


@pytest.mark.medium
@pytest.mark.usefixtures("_quick")
def test_overwriting_leaves_no_subject_of_other_settings(cohort: Path, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    write_cohort(folder, SMALL)
    rows = rows_of(write_cohort(folder, with_settings(group="HCM", n=1), overwrite=True))
    assert [row["group"] for row in rows] == ["HCM"]
    assert sorted(path.name for path in folder.glob("subject-*")) == ["subject-0000"]


@pytest.mark.usefixtures("_quick")
def test_a_subject_without_its_truth_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "torn"
    one = with_settings(n=1)
    write_cohort(folder, one)
    (folder / "subject-0000" / "truth.json").write_text("{")
    with pytest.raises(UnreadableFileError, match="subject-0000/truth"):
        write_cohort(folder, one)


def test_a_dicom_cohort_that_no_command_could_read_is_refused() -> None:
    with pytest.raises(UsageError, match=r"7 frames; expected at least 8.*NIfTI"):
        with_settings(format="dicom", n_frames=7)
    assert with_settings(format="nifti", n_frames=1).n_frames == 1


@pytest.mark.medium
@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("shape", [None, *DicomShape])
def test_a_dicom_cohort_is_read_back(tmp_path: Path, shape: DicomShape | None) -> None:
    config = with_settings(n=1, n_frames=8, format="dicom", dicom_shape=shape)
    (row,) = rows_of(write_cohort(tmp_path / "dicom", config))
    made = phantom_of(0, n_frames=8)
    (cine,) = read_study(tmp_path / "dicom" / row["images"]).cines
    own = made.study.cine(View.LAX_4C)
    np.testing.assert_allclose(cine.array, own.array, atol=0.51 * np.ptp(own.array) / 4095 + 1e-3)
    np.testing.assert_allclose(cine.affine, own.affine, atol=1e-5)
    labels = tmp_path / "dicom" / row["labels"]
    assert [file_stem(path) for path in labels.iterdir()] == ["lax_4c"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 0},
        {"seed": -1},
        {"format": "png"},
        {"group": "ABC"},
        {"style": "none-such"},
        {"views": ()},
        {"n_frames": 0},
    ],
)
def test_settings_that_make_no_cohort_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        CohortConfig(**{"n": 1, **wrong})
    with pytest.raises(UsageError):
        CohortConfig(n=1, views=(View.OTHER,))


def test_seeds_of_subjects_differ_between_subjects_and_cohorts() -> None:
    seeds = {cohort_seed(seed, k) for seed in range(20) for k in range(200)}
    assert len(seeds) == 20 * 200


def test_dicom_varies_from_subject_to_subject_unless_told() -> None:
    drawn = [dicom_encoding(SMALL, k) for k in range(60)]
    assert len(set(drawn)) == len(DicomShape) * len(Compression)
    assert drawn[:5] == [dicom_encoding(with_settings(n=1), k) for k in range(5)]
    told = with_settings(dicom_shape=DicomShape.ENHANCED)
    assert {dicom_encoding(told, k) for k in range(9)} == {(DicomShape.ENHANCED, Compression.NONE)}
