"""The raw format of nnU-Net: where each frame lies, what the descriptions say, and that it all comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from oracles import annotated, cine_of, heart
from trees import TREES

from cinema_cmr.core.errors import InputError, OutputExistsError, UsageError
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View
from cinema_cmr.data.cases import AnnotatedStudy, Split, read_split
from cinema_cmr.data.external_masks import open_predictions
from cinema_cmr.data.nnunet import write_nnunet
from cinema_cmr.datasets.registry import DATASETS

CARD = DATASETS["acdc"].card
LABELS = heart((13.0, 12.0, 11.0))
SPLIT = Split(dataset="acdc", parts={"train": ("a", "d"), "validation": ("b",), "test": ("c",)}, rule="by hand")


def studies() -> list[AnnotatedStudy]:
    return [annotated(LABELS, name, frames=(0, 2)) for name in "abc"]


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_every_labelled_frame_is_in_nnunets_layout(tmp_path: Path) -> None:
    folder = tmp_path / "nnUNet_raw" / "Dataset501_Hearts"
    told: list[str] = []
    export = write_nnunet(folder, studies(), card=CARD, split=SPLIT, report=told.append)
    frames = {name: [f"{name}_frame00", f"{name}_frame02"] for name in "abc"}
    expected = {"dataset.json", "splits_final.json", "split.json"}
    for name, ending in (("a", "Tr"), ("b", "Tr"), ("c", "Ts")):
        expected |= {f"images{ending}/{frame}_0000.nii.gz" for frame in frames[name]}
        expected |= {f"labels{ending}/{frame}.nii.gz" for frame in frames[name]}
    assert files(folder) == sorted(expected) and told == ["a", "b", "c"]
    description = json.loads((folder / "dataset.json").read_text())
    assert description["channel_names"] == {"0": "cine"} and description["file_ending"] == ".nii.gz"
    assert description["labels"] == {"background": 0, "rv": 1, "myo": 2, "lv": 3}
    assert description["numTraining"] == 4 == len(list((folder / "imagesTr").iterdir()))
    (fold,) = json.loads((folder / "splits_final.json").read_text())
    assert fold == {"train": frames["a"], "val": frames["b"]}
    assert read_split(folder / "split.json").sha256 == SPLIT.sha256
    assert export.volumes == {"train": frames["a"], "validation": frames["b"], "test": frames["c"]}


def test_images_and_labels_are_volumes_of_one_grid(tmp_path: Path) -> None:
    folder = tmp_path / "Dataset501_Hearts"
    write_nnunet(folder, studies(), card=CARD, split=SPLIT)
    image = nib.load(folder / "imagesTr" / "a_frame02_0000.nii.gz")
    label = nib.load(folder / "labelsTr" / "a_frame02.nii.gz")
    assert image.shape == label.shape == LABELS.shape[:3]
    assert np.array_equal(image.affine, label.affine) and label.get_data_dtype() == np.uint8
    assert np.allclose(image.header.get_zooms(), (1.5, 1.5, 8.0))
    assert np.array_equal(np.asarray(image.dataobj), cine_of(LABELS).array[..., 2])
    assert np.array_equal(np.asarray(label.dataobj), LABELS[..., 2])


@pytest.mark.medium
@pytest.mark.parametrize("name", ["acdc", "mnms", "mnms2", "myops", "emidec", "rescan", "folder"])
def test_an_exported_dataset_is_restored(tmp_path: Path, name: str) -> None:
    tree, dataset = TREES[name](tmp_path / "raw"), DATASETS[name]
    case = next(case for case in dataset.list_cases(tree.root) if case.name == tree.case)
    study = dataset.read_case(case)
    split = Split(dataset=name, parts={"train": (case.patient,), "validation": ()}, rule="by hand")
    folder = tmp_path / "Dataset502_Tree"
    export = write_nnunet(folder, [study], card=dataset.card, split=split)
    labels = study.labels[View.SAX]
    truth = labels.array[..., list(study.labelled_frames[View.SAX])]
    assert np.array_equal(open_predictions(folder / "labelsTr").read(study), truth)
    assert len(export.volumes["train"]) == truth.shape[3]
    described = json.loads((folder / "dataset.json").read_text())
    assert sorted(described["labels"].values()) == list(range(len(LABEL_SCHEMES[labels.scheme]) + 1))
    assert described["channel_names"] == (
        {"0": "LGE", "1": "bSSFP", "2": "T2"} if name == "myops" else {"0": study.study.modality}
    )
    assert len(list((folder / "imagesTr").iterdir())) == truth.shape[3] * len(described["channel_names"])
    if name == "acdc":
        assert export.volumes["train"] == ["patient001_frame01", "patient001_frame12"]


def test_unusable_studies_are_skipped_with_a_reason(tmp_path: Path) -> None:
    odd = studies()
    odd[1] = replace(odd[1], labels={View.SAX: replace(odd[1].labels[View.SAX], drawn=("lv",))})
    odd[2] = replace(odd[2], labels={}, labelled_frames={})
    odd.append(annotated(LABELS, "z"))
    export = write_nnunet(tmp_path / "Dataset501_Hearts", odd, card=CARD, split=SPLIT)
    assert export.skipped == {
        "b": "only lv was drawn",
        "c": "its short axis has no labels",
        "z": "in no part of the split",
    }


def test_an_invalid_export_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="as nnU-Net requires: use Dataset501_acdc"):
        write_nnunet(tmp_path / "hearts", studies(), card=CARD, split=SPLIT)
    folder = tmp_path / "Dataset501_Hearts"
    with pytest.raises(InputError, match="in part 'train'"):
        write_nnunet(folder, studies()[1:], card=CARD, split=SPLIT)
    first, second, _ = studies()
    scar = replace(second, labels={View.SAX: replace(second.labels[View.SAX], scheme="scar")})
    with pytest.raises(InputError, match="the same for all studies"):
        write_nnunet(folder, [first, scar], card=CARD, split=SPLIT)
    twin = replace(first, study=replace(first.study, name="a/"))
    with pytest.raises(InputError, match="two frames have the name"):
        named = replace(first, study=replace(first.study, name="a_"))
        write_nnunet(folder, [named, twin], card=CARD, split=SPLIT)
    assert list(tmp_path.iterdir()) == []
    write_nnunet(folder, studies(), card=CARD, split=SPLIT)
    with pytest.raises(OutputExistsError):
        write_nnunet(folder, studies(), card=CARD, split=SPLIT)
