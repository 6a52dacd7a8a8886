"""Any path in, one study out: each kind of input, each way it can be wrong, and what is said about it."""

from __future__ import annotations

import sys
import tempfile
import zipfile
from itertools import permutations
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel
import numpy as np
import pytest

from cinema_cmr.core.errors import GeometryError, InputError, NoCineError, UnreadableFileError
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import View
from cinema_cmr.io.nifti.image import write_mask
from cinema_cmr.io.read import input_files, read_study, view_from_name

OBLIQUE = np.array([[1.0, -0.9, 3.84, 40], [0.45, 0.72, 5.12, 9], [-0.6, -0.96, 4.8, 7], [0, 0, 0, 1]])
DICOM = bytes(128) + b"DICM" + bytes(20)


def save(path: Path, shape: tuple[int, ...], level: int = 100, affine: np.ndarray = OBLIQUE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(level).integers(level, level + 90, shape, np.int16)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


def acdc(folder: Path, *, cycle: bool = False) -> Path:
    """A patient's folder in the layout of ACDC, ES with the brighter image."""
    save(folder / "patient090_frame4.nii.gz", (20, 18, 7), level=100)
    save(folder / "patient090_frame11.nii.gz", (20, 18, 7), level=500)
    for name in ("patient090_frame4_gt", "patient090_frame11_gt"):
        save(folder / f"{name}.nii.gz", (20, 18, 7), level=0)
    if cycle:
        save(folder / "patient090_4d.nii.gz", (20, 18, 7, 12))
    (folder / "Info.cfg").write_text("ED: 4\nES: 11\nGroup: RV\nHeight: 150.0\nNbFrame: 12\nWeight: 66.0\n")
    return folder


def zip_of(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder.parent))
    return path


def codes(study: Study) -> set[str]:
    return {issue.code for issue in study.issues}


def reasons(study: Study) -> dict[str, str]:
    return {decision.series: decision.reason for decision in study.decisions if not decision.kept}


def fails(path: Path, error: type[InputError], match: str) -> None:
    with pytest.raises(error, match=match) as raised:
        read_study(path)
    assert type(raised.value) is error and raised.value.exit_code == 3
    assert str(path.parent) not in str(raised.value)


@pytest.fixture
def dicom_calls(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is handed to a DICOM reader that stands in for ours."""
    calls: list[Path] = []

    def read_dicom(source: Path, *, name: str | None = None, choices: object = None) -> Study:
        assert source.exists()
        calls.append(source)
        return Study(name=str(name), cines=())

    stand_in: Any = ModuleType("cinema_cmr.io.dicom.study")
    stand_in.read_dicom = read_dicom
    monkeypatch.setitem(sys.modules, "cinema_cmr.io.dicom.study", stand_in)
    return calls


@pytest.mark.parametrize("shape", [(20, 18, 7), (20, 18, 7, 12)])
def test_one_stack_is_short_axis(tmp_path: Path, shape: tuple[int, ...]) -> None:
    study = read_study(str(save(tmp_path / "scan.v2.nii.gz", shape)))
    assert study.name == "scan.v2"
    assert study.cine(View.SAX).array.shape == (*shape, 1)[:4]
    (decision,) = study.decisions
    assert decision.kept and decision.view is View.SAX and "7 parallel slices" in decision.reason
    assert decision.evidence["view_in_name"] is None
    assert ("single-frame" in codes(study)) == (len(shape) == 3)
    assert read_study(tmp_path / "scan.v2.nii.gz", name="other").name == "other"


def test_one_plane_has_the_view_in_its_name_or_an_assumed_one(tmp_path: Path) -> None:
    named = read_study(save(tmp_path / "s1_lax_4c.nii.gz", (20, 18, 1, 12)))
    assert [cine.view for cine in named.cines] == [View.LAX_4C]
    assert "only evidence" in named.decisions[0].reason
    assert not codes(named) & {"single-slice", "view-assumed"}
    unnamed = read_study(save(tmp_path / "s1.nii.gz", (20, 18)))
    assert [cine.view for cine in unnamed.cines] == [View.SAX]
    assert {"single-slice", "single-frame", "view-assumed"} <= codes(unnamed)
    two = read_study(save(tmp_path / "s2_sa.nii", (20, 18, 2, 12)))
    assert [cine.view for cine in two.cines] == [View.SAX]
    assert not codes(two) & {"single-slice", "view-assumed"}


def test_a_long_axis_stack_is_never_measured_as_short_axis(tmp_path: Path) -> None:
    fails(
        save(tmp_path / "lax_4c.nii.gz", (40, 40, 12)),
        NoCineError,
        r"a stack of 12 slices.*\(x, y, 1, time\)",
    )


def test_a_transverse_stack_is_reported(tmp_path: Path) -> None:
    affine = np.diag([-1.5, -1.5, 8, 1])
    affine[:3, 3] = 100, 120, -40
    study = read_study(save(tmp_path / "a.nii.gz", (20, 18, 7, 12), affine=affine))
    assert "stack-not-oblique" in codes(study)
    assert "stack-not-oblique" not in codes(read_study(save(tmp_path / "b.nii.gz", (20, 18, 7, 12))))


def test_single_frames_are_one_cine_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    study = read_study(acdc(tmp_path / "patient090"))
    cine = study.cine(View.SAX)
    assert study.name == "patient090" and cine.array.shape == (20, 18, 7, 2)
    assert cine.array[..., 0].max() < 200 and cine.array[..., 1].min() >= 500
    kept = [decision.series for decision in study.decisions if decision.kept]
    assert kept == ["patient090_frame4 + patient090_frame11"]
    assert reasons(study)["patient090_frame4_gt"] == "named as a mask, not an image"
    assert (study.subject.height_cm, study.subject.weight_kg, study.subject.sex) == (150, 66, None)
    assert "single-frame" not in codes(study)
    write_mask((cine.array > 200).astype(np.uint8), cine, tmp_path / "mask.nii.gz")
    assert nibabel.load(tmp_path / "mask.nii.gz").shape == (20, 18, 7, 2)


def test_the_whole_cycle_takes_precedence_over_single_frames(tmp_path: Path) -> None:
    study = read_study(acdc(tmp_path / "patient090", cycle=True))
    assert study.cine(View.SAX).n_frames == 12
    left_out = reasons(study)["patient090_frame4 + patient090_frame11"]
    assert left_out == "the same scan was read with more frames: patient090_4d"


@pytest.mark.parametrize("names", [("s_ED", "s_ES"), ("s_SA_ES", "s_SA_ED"), ("s_phase02", "s_phase_10")])
def test_other_frame_names_are_recognised(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        save(tmp_path / f"{name}.nii.gz", (20, 18, 7))
    assert read_study(tmp_path).cine(View.SAX).n_frames == 2


def test_frames_of_other_grids_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "a" / "p_frame01.nii", (20, 18, 7))
    save(tmp_path / "a" / "p_frame09.nii", (20, 18, 8))
    fails(tmp_path / "a", GeometryError, "p_frame01 and p_frame09 have different grids")
    save(tmp_path / "a" / "p_frame09.nii", (20, 18, 7), affine=np.diag([1.5, 1.5, 1.5, 1]) @ OBLIQUE)
    fails(tmp_path / "a", GeometryError, "p_frame01 and p_frame09 have different grids")


def test_views_of_a_folder_come_from_names_and_shapes(tmp_path: Path) -> None:
    for name in ("lax_2c", "s_LAX-3ch", "4 chamber", "what"):
        save(tmp_path / f"{name}.nii.gz", (20, 18, 1, 12))
    save(tmp_path / "sax.nii.gz", (20, 18, 7, 12))
    save(tmp_path / "sax_seg.nii.gz", (20, 18, 7, 12), level=0)
    save(tmp_path / "labelsTr" / "sax.nii.gz", (20, 18, 7, 12), level=0)
    study = read_study(tmp_path)
    assert {cine.view for cine in study.cines} == set(View) - {View.OTHER}
    assert reasons(study)["what"] == "1 slices, and its name does not contain a view"
    assert len(study.decisions) == 7


def test_one_file_in_two_packings_is_read_once(tmp_path: Path) -> None:
    for suffix in ("nii", "nii.gz"):
        save(tmp_path / f"s_frame01.{suffix}", (20, 18, 7))
    study = read_study(tmp_path)
    assert study.cine(View.SAX).n_frames == 1
    assert "duplicate of a file that was read: s_frame01.nii" in reasons(study).values()


def test_rivals_for_a_view_are_settled_by_name_or_refused(tmp_path: Path) -> None:
    save(tmp_path / "one.nii.gz", (20, 18, 7, 12))
    save(tmp_path / "two.nii.gz", (20, 18, 7, 14))
    fails(tmp_path, InputError, "holds two short axis images, two and one")
    save(tmp_path / "three_sa.nii.gz", (20, 18, 5, 3))
    study = read_study(tmp_path)
    assert study.cine(View.SAX).n_frames == 3
    assert all("three_sa was read as the short axis view" in reason for reason in reasons(study).values())


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (("anna_sax", "bob_lax_4c"), True),
        (("sub-01_sax", "sub-02_4ch"), True),
        (("anna_4d", "bob_frame01", "bob_frame04"), True),
        (("sax", "lax_4c"), False),
        (("study1_sax", "study1_4ch", "study1_LAX_2ch"), False),
        (("cine_sax", "anna_4ch"), False),
        (("anna_4d", "anna_frame01", "anna_frame04", "bob_notes"), False),
    ],
)
def test_names_of_possibly_two_people_are_reported_without_the_names(
    tmp_path: Path, files: tuple[str, ...], told: bool
) -> None:
    for name in files:
        plane = view_from_name(name) not in (None, View.SAX) or "notes" in name
        frames = () if "frame" in name else (12,)
        save(tmp_path / f"{name}.nii.gz", (20, 18, 1 if plane else 7, *frames))
    study = read_study(tmp_path)
    messages = [issue.message for issue in study.issues if issue.code == "names-differ"]
    assert len(messages) == told
    assert not any(word in message for message in messages for word in ("anna", "bob", "sub"))


def test_many_studies_in_one_folder_are_refused(tmp_path: Path) -> None:
    for number in (1, 2):
        save(tmp_path / "nested" / f"p{number}" / f"p{number}_frame01.nii", (20, 18, 7))
    fails(tmp_path / "nested", InputError, "images in 2 folders")
    for number in range(31):
        save(tmp_path / "flat" / f"p{number}.nii", (2, 2))
    fails(tmp_path / "flat", InputError, "31 images that are no frames or slices .*; expected at most 30")


def test_a_file_that_fails_is_left_out_with_its_reason(tmp_path: Path) -> None:
    save(tmp_path / "sax.nii.gz", (20, 18, 7, 12))
    save(tmp_path / "expert.nii.gz", (20, 18, 7, 12)).write_bytes(b"")
    study = read_study(tmp_path)
    assert "'expert.nii.gz': not a NIfTI" in reasons(study)["expert"]
    assert "file-left-out" in codes(study)


def test_a_folder_without_a_usable_image(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    fails(folder, NoCineError, "'study' holds no DICOM or NIfTI among 0 files")
    (folder / "notes.txt").write_text("text")
    fails(folder, NoCineError, "among 1 files")
    save(folder / "sax_gt.nii.gz", (20, 18, 7))
    fails(folder, NoCineError, "holds 1 masks and no image")
    save(folder / "sax.nii.gz", (20, 18, 7)).write_bytes(b"\x1f\x8b")
    fails(folder, UnreadableFileError, "'sax.nii.gz': the compressed file is truncated")
    save(folder / "sax2.nii.gz", (20, 18, 7)).write_bytes(b"")
    fails(folder, NoCineError, "none of the 2 images of 'study' is usable")


def test_missing_and_unsupported_files_are_refused(tmp_path: Path) -> None:
    fails(tmp_path / "nothing", InputError, "'nothing' does not exist; expected a DICOM folder")
    (tmp_path / "a.png").write_bytes(b"\x89PNG" + bytes(200))
    fails(tmp_path / "a.png", InputError, "not a supported file")
    (tmp_path / "a.zip").write_bytes(b"")
    fails(tmp_path / "a.zip", UnreadableFileError, "not a readable zip")


def test_a_zip_is_read_before_its_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    folder = acdc(tmp_path / "inside")
    (folder / "._patient090_frame4.nii.gz").write_bytes(b"a Mac's")
    study = read_study(zip_of(folder, tmp_path / "patient.zip"))
    assert study.name == "patient" and study.cine(View.SAX).array.min() >= 100
    assert study.subject.height_cm == 150 and "file-left-out" not in codes(study)
    with zipfile.ZipFile(tmp_path / "patient.zip", "a") as archive:
        archive.writestr("../sax.nii", "evil")
    fails(tmp_path / "patient.zip", InputError, "outside its folder")
    assert list(temporary.iterdir()) == []


def test_dicom_is_read_by_its_reader(tmp_path: Path, dicom_calls: list[Path]) -> None:
    folder = tmp_path / "study"
    (folder / "Se1").mkdir(parents=True)
    (folder / "notes.txt").write_text("text")
    (folder / "Se1" / "I0001").write_bytes(DICOM)
    assert read_study(folder).name == "study"
    assert read_study(folder / "Se1" / "I0001").name == "I0001"
    assert dicom_calls == [folder, folder / "Se1" / "I0001"]
    assert read_study(zip_of(folder, tmp_path / "packed.zip")).name == "packed"
    assert not dicom_calls[2].exists()
    save(folder / "old_seg.nii.gz", (20, 18, 7))
    assert codes(read_study(folder)) == {"nifti-ignored"}


@pytest.mark.parametrize(
    ("text", "height", "weight"),
    [
        ("Height: 184\nWeight: 95.5", 184, 95.5),
        ("height : 1.84\nWeight: nan", None, None),
        ("Height:\nWeight: -70", None, None),
        ("no facts", None, None),
    ],
)
def test_implausible_facts_are_not_used(tmp_path: Path, text: str, height: float | None, weight: float | None) -> None:
    (acdc(tmp_path) / "Info.cfg").write_text(text)
    study = read_study(tmp_path)
    assert (study.subject.height_cm, study.subject.weight_kg) == (height, weight)
    said = [issue.message for issue in study.issues if issue.code == "subject-from-info-cfg"]
    assert all(("ignored" in message) == (height is None) for message in said)
    assert len(said) == 2 * ("eight" in text)


@pytest.mark.parametrize(
    ("view", "names"),
    [
        (View.SAX, "sax s_SA s-sax1 SAX_cine short_axis"),
        (View.LAX_2C, "lax_2c 2ch s_2CH lax2c la_2c 2-chamber lax_2ch_cine"),
        (View.LAX_3C, "LAX_3C 3ch"),
        (View.LAX_4C, "4c s.4ch. 4chamber"),
        (None, "patient001 usa sample sa_4ch 14ch 4cm lax case_2 isa"),
    ],
)
def test_names_speak_of_one_view_or_none(view: View | None, names: str) -> None:
    assert {name: view_from_name(name) for name in names.split()} == dict.fromkeys(names.split(), view)


@pytest.mark.realdata
def test_real_studies_are_read(real_data: Path) -> None:
    training = real_data / "acdc" / "database" / "training"
    cycle = read_study(training / "patient090")
    assert cycle.cine(View.SAX).array.shape == (154, 224, 7, 12)
    assert cycle.cine(View.SAX).spacing_mm == pytest.approx((1.78571, 1.78571, 10))
    assert (cycle.subject.height_cm, cycle.subject.weight_kg) == (150, 66)
    for frame, number in ((3, "04"), (10, "11")):
        alone = read_study(training / "patient090" / f"patient090_frame{number}.nii.gz").cine(View.SAX)
        np.testing.assert_array_equal(alone.array[..., 0], cycle.cine(View.SAX).array[..., frame])
    assert read_study(training / "patient001").cine(View.SAX).array.shape == (216, 256, 10, 2)
    fails(training, InputError, "images in 100 folders")
    assert read_study(real_data / "emidec" / "Case_P073").cine(View.SAX).n_frames == 1


@pytest.mark.realdata
def test_real_images_with_permuted_axes_are_refused_or_reported(real_data: Path, tmp_path: Path) -> None:
    training = real_data / "acdc" / "database" / "training"
    whole = np.asarray(nibabel.load(training / "patient090" / "patient090_4d.nii.gz").dataobj)
    accepted = {}
    for order in permutations(range(4)):
        path = tmp_path / f"{''.join('xyzt'[axis] for axis in order)}.nii"
        nibabel.save(nibabel.Nifti1Image(whole.transpose(order), OBLIQUE), path)
        try:
            accepted[path.stem] = "time-and-slices-exchanged" in codes(read_study(path))
        except GeometryError:
            continue
    assert accepted == {"xyzt": False, "yxzt": False, "xytz": True, "yxtz": True}


@pytest.mark.realdata
def test_a_real_zip_of_dicom_is_read(real_data: Path) -> None:
    study = read_study(real_data / "sunnybrook" / "SCD0000101" / "dicom.zip", name="SCD0000101")
    assert study.name == "SCD0000101"
    assert study.cine(View.SAX).array.shape == (256, 256, 12, 20)


def test_images_of_results_in_an_input_folder_are_no_input(tmp_path: Path) -> None:
    scan = save(tmp_path / "sax.nii.gz", (20, 18, 7))
    (tmp_path / "out" / "images").mkdir(parents=True)
    (tmp_path / "out" / "images" / "sax.nii.gz").write_bytes(scan.read_bytes())
    assert len(input_files(tmp_path)) == 2
    (tmp_path / "out" / "measurements.json").write_text("{}")
    assert input_files(tmp_path) == (scan,)


def test_a_results_folder_is_no_study_and_names_the_command_for_it(tmp_path: Path) -> None:
    for name in ("sax_seg.nii.gz", "sax_model_seg.nii.gz", "images/sax.nii.gz"):
        save(tmp_path / "out" / name, (20, 18, 7))
    (tmp_path / "out" / "measurements.json").write_text("{}")
    with pytest.raises(NoCineError, match=r"'out' holds the results of an analysis, .*cinema remeasure"):
        read_study(tmp_path / "out")
