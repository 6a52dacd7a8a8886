"""Pixels come out as the scanner meant them, from every encoding; gaps in time are filled, nothing else."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import gdcm
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.encaps import encapsulate
from pydicom.pixels import pixel_array
from pydicom.tag import Tag
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit, RLELossless
from scipy import ndimage
from synthetic_dicom import Heart, Plane, StudyWriter, enhanced, new_image, save, short_axis_planes

from cinema_cmr.core.errors import NoCineError, UnreadableFileError
from cinema_cmr.io.dicom.pixels import assemble, fill_missing, resample_cycle, rescale_frame
from cinema_cmr.io.dicom.study import find_stacks, read_dicom

PIXELS = np.arange(4 * 6, dtype=np.uint16).reshape(4, 6) * 100


def decoded(pixels: np.ndarray, **tags: object) -> np.ndarray:
    image = new_image(pixels, **tags)
    return rescale_frame(pixel_array(image, index=0), image, 0, shape=(int(image.Rows), int(image.Columns)))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_every_stored_type(dtype: type) -> None:
    info = np.iinfo(dtype)
    pixels = np.linspace(info.min, info.max, 24).astype(dtype).reshape(4, 6)
    found = decoded(pixels)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, pixels.T)


def test_rescale_is_applied() -> None:
    np.testing.assert_allclose(decoded(PIXELS, RescaleSlope=0.5, RescaleIntercept=-7), PIXELS.T * 0.5 - 7)


def test_monochrome1_is_turned_round() -> None:
    found = decoded(PIXELS, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(found, 4095 - PIXELS.T)
    signed = PIXELS.astype(np.int16)
    np.testing.assert_array_equal(decoded(signed, PhotometricInterpretation="MONOCHROME1"), -1 - signed.T)


@pytest.mark.parametrize("tags", [{"RescaleSlope": 1e38}, {"RescaleIntercept": 1e308}])
def test_a_scale_without_finite_values_is_refused(tags: dict[str, float]) -> None:
    with pytest.raises(UnreadableFileError, match="rescale"):
        decoded(PIXELS, **tags)


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
@pytest.mark.parametrize("value", [b"nan", b"inf", b"<b>x</b> "])
def test_a_scale_that_is_no_number_is_refused_without_being_quoted(keyword: str, value: bytes) -> None:
    image = new_image(PIXELS)
    tag = tag_for_keyword(keyword)
    image._dict[Tag(tag)] = RawDataElement(Tag(tag), "DS", len(value), value, 0, False, True)
    with pytest.raises(UnreadableFileError, match="its rescale slope or intercept is not a number") as found:
        rescale_frame(PIXELS, image, 0, shape=(4, 6))
    assert "<b>" not in str(found.value)


@pytest.mark.medium
def test_an_image_out_of_proportion_and_a_stack_without_contrast_are_broken(tmp_path: Path) -> None:
    paths = StudyWriter(folder=tmp_path).add(short_axis_planes(Heart(), n=2), series=1, n_frames=8)
    image = dcmread(paths[3])
    image.RescaleSlope, image.RescaleIntercept = 1e6, 0
    save(image, paths[3])
    found, stacks = find_stacks(tmp_path)
    (broken,) = assemble(found, stacks.stacks[0]).broken
    assert "over 50 times those of the others" in broken.reason
    for path in paths:
        image = dcmread(path)
        image.PixelData = bytes(len(image.PixelData))
        save(image, path)
    with pytest.raises(NoCineError, match="every pixel of the cines has the same value"):
        read_dicom(tmp_path)


@pytest.mark.parametrize(("blank", "codes_found"), [(range(3, 6), {"missing-frame"}), (range(20), {"lost-slice"})])
def test_blank_images_are_missing_ones(tmp_path: Path, blank: range, codes_found: set[str]) -> None:
    for number, planes in enumerate(short_axis_planes(Heart(), n=5), start=1):
        paths = StudyWriter(folder=tmp_path).add([planes], series=number, n_frames=20)
        for k in blank if number == 3 else ():
            image = dcmread(paths[k])
            image.PixelData = bytes(len(image.PixelData))
            save(image, paths[k])
    study = read_dicom(tmp_path)
    assert {one.code for one in study.issues} & {"missing-frame", "lost-slice"} == codes_found
    array = study.cines[0].array
    assert (array.min(axis=(0, 1)) < array.max(axis=(0, 1))).all()


def test_pixels_of_another_shape_than_the_header_are_refused() -> None:
    with pytest.raises(UnreadableFileError, match="as its header says"):
        rescale_frame(PIXELS, new_image(PIXELS), 0, shape=(6, 4))


@pytest.mark.parametrize(
    "syntax",
    [
        gdcm.TransferSyntax.JPEGLosslessProcess14_1,
        gdcm.TransferSyntax.JPEG2000Lossless,
        gdcm.TransferSyntax.JPEGLSLossless,
        gdcm.TransferSyntax.DeflatedExplicitVRLittleEndian,
        gdcm.TransferSyntax.ExplicitVRBigEndian,
        gdcm.TransferSyntax.ImplicitVRLittleEndian,
        None,
    ],
    ids=["jpeg lossless", "jpeg 2000", "jpeg ls", "deflated", "big endian", "implicit", "rle"],
)
def test_compressed_stacks_read_as_uncompressed(tmp_path: Path, syntax: int | None) -> None:
    planes = short_axis_planes(Heart(), n=2)
    paths = StudyWriter(folder=tmp_path / "in").add(planes, series=1, n_frames=8)
    expected = assembled_array(tmp_path / "in")
    for path in paths:
        target = tmp_path / "out" / path.name
        if syntax is None:
            image = dcmread(path)
            image.compress(RLELossless)
            save(image, target)
        else:
            recoded(path, target, syntax)
    np.testing.assert_array_equal(assembled_array(tmp_path / "out"), expected)


def recoded(path: Path, target: Path, syntax: int) -> None:
    target.parent.mkdir(exist_ok=True)
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def assembled_array(folder: Path) -> np.ndarray:
    found, stacks = find_stacks(folder)
    (stack,) = stacks.stacks
    return assemble(found, stack).array


def test_slope_of_each_frame_of_an_enhanced_object(tmp_path: Path) -> None:
    planes = short_axis_planes(Heart(), n=1)
    save(enhanced(planes, Heart(), n_frames=8, per_frame_slope=True), tmp_path / "a.dcm")
    array = assembled_array(tmp_path)
    for t in range(8):
        np.testing.assert_array_equal(array[:, :, 0, t], Heart().image(planes[0], t / 8).T * (1.0 + t % 2))


def test_missing_images_lie_between_their_neighbours_and_the_cycle_closes() -> None:
    images = [np.full((2, 3), float(value), np.float32) for value in (10, 0, 0, 40, 50, 0)]
    row = [images[0], None, None, images[3], images[4], None]
    filled = fill_missing(row)
    np.testing.assert_allclose(filled[0, 0], [10, 20, 30, 40, 50, 30])
    np.testing.assert_allclose(fill_missing([None, images[0], None])[0, 0], [10, 10, 10])


def test_resampling_keeps_a_slow_wave() -> None:
    wave = np.sin(2 * np.pi * np.arange(20) / 20)[None, None].astype(np.float32)
    found = resample_cycle(wave, 25)
    assert found.shape == (1, 1, 25)
    np.testing.assert_allclose(found[0, 0], np.sin(2 * np.pi * np.arange(25) / 25), atol=0.02)
    assert resample_cycle(wave, 20) is wave


def declared_signed(folder: Path, scale: float, **tags: object) -> list[Path]:
    """A study of 12 bits whose header declares its unsigned pixels signed."""
    paths = StudyWriter(folder=folder).add(short_axis_planes(Heart(), n=2), series=1, n_frames=8)
    for path in paths:
        image = dcmread(path)
        blurred = ndimage.gaussian_filter(image.pixel_array.astype(float), 2)  # an edge of its own has no passages
        image.PixelData = np.rint(blurred * scale).astype(np.uint16).tobytes()
        image.BitsStored, image.HighBit, image.PixelRepresentation = 12, 11, 1
        for keyword, value in tags.items():
            setattr(image, keyword, value)
        save(image, path)
    return paths


@pytest.mark.medium
@pytest.mark.parametrize("tags", [{}, {"RescaleSlope": 0.5, "RescaleIntercept": -7}])
def test_wrapped_intensities_are_read_as_unsigned_and_recorded(tmp_path: Path, tags: dict[str, float]) -> None:
    path = StudyWriter(folder=tmp_path / "one").add(short_axis_planes(Heart(), n=2), series=1, n_frames=8)[0]
    largest = float(dcmread(path).pixel_array.max())
    declared_signed(tmp_path / "signed", 3900 / largest, **tags)
    found, stacks = find_stacks(tmp_path / "signed")
    one = assemble(found, stacks.stacks[0])
    slope, intercept = tags.get("RescaleSlope", 1.0), tags.get("RescaleIntercept", 0.0)
    assert one.signs == "wrapped"
    first = stacks.stacks[0].slices[0].frames[0]
    assert first is not None
    stored = dcmread(found.paths[found.headers[first].file])
    values = np.frombuffer(stored.PixelData, np.uint16).reshape(stored.Rows, stored.Columns)
    assert values.max() > 2047
    np.testing.assert_allclose(one.array[:, :, 0, 0], values.T * slope + intercept)
    issues = [issue for issue in read_dicom(tmp_path / "signed").issues if issue.code == "wrapped-intensities"]
    assert [issue.severity for issue in issues] == ["info"]


@pytest.mark.medium
def test_signed_pixels_below_the_limit_stay_as_they_are(tmp_path: Path) -> None:
    path = StudyWriter(folder=tmp_path / "one").add(short_axis_planes(Heart(), n=2), series=1, n_frames=8)[0]
    declared_signed(tmp_path / "signed", 2000 / float(dcmread(path).pixel_array.max()))
    found, stacks = find_stacks(tmp_path / "signed")
    assert assemble(found, stacks.stacks[0]).signs == "signed"


def test_lossy_8_bit_images_are_read_and_12_bit_ones_of_no_decoder_refused_with_the_way_out(tmp_path: Path) -> None:
    writer = StudyWriter(folder=tmp_path / "in", heart=_EightBits())
    paths = writer.add(short_axis_planes(Heart(), n=1), series=1, n_frames=8)
    expected = assembled_array(tmp_path / "in")
    for path in paths:
        image = dcmread(path)
        stream = BytesIO()
        Image.fromarray(image.pixel_array).save(stream, "JPEG", quality=95)
        image.PixelData = encapsulate([stream.getvalue()])
        image["PixelData"].is_undefined_length = True
        image.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        save(image, tmp_path / "lossy" / path.name)
        image.file_meta.TransferSyntaxUID = JPEGExtended12Bit
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
        save(image, tmp_path / "extended" / path.name)
    assert np.abs(assembled_array(tmp_path / "lossy") - expected).mean() < 2
    with pytest.raises(UnreadableFileError, match=r"12 bits.*dcmdjpeg IN OUT.*export them uncompressed"):
        read_dicom(tmp_path / "extended")
    beside = [plane for k, plane in enumerate(short_axis_planes(Heart(), n=5)) if k != 2]
    for path in writer.add(beside, series=2, n_frames=8):
        save(dcmread(path), tmp_path / "extended" / "2" / path.name)
    (issue,) = (one for one in read_dicom(tmp_path / "extended").issues if one.code == "lost-slice")
    assert issue.severity == "error" and "dcmdjpeg" in issue.message


class _EightBits(Heart):
    def image(self, plane: Plane, phase: float) -> np.ndarray:
        return (super().image(plane, phase) // 4).astype(np.uint8)


@pytest.mark.parametrize("padding", [0, 4095, 65535])
def test_a_margin_of_padding_is_no_intensity(padding: int) -> None:
    pixels = Heart().image(short_axis_planes(Heart(), n=1)[0], 0.0)
    dark, inside = pixels.min(), pixels.copy()
    pixels[:6], pixels[:, :3] = padding, padding
    found = decoded(pixels, PixelPaddingValue=padding)
    inside[:6], inside[:, :3] = dark, dark
    np.testing.assert_array_equal(found, inside.T)


def test_an_intensity_equal_to_the_padding_stays() -> None:
    pixels = Heart().image(short_axis_planes(Heart(), n=1)[0], 0.0)
    np.testing.assert_array_equal(decoded(pixels, PixelPaddingValue=int(pixels.max())), pixels.T)
