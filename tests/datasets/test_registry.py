"""The contract of every dataset, on its own layout written small: what is there is read right, what is not is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from results_trees import results_tree
from torch.utils.data import DataLoader
from trees import TREES, Tree, lv_ml, tenth_tree

import cinema_cmr
from cinema_cmr.cli import main
from cinema_cmr.core.errors import InputError, UsageError
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.population import open_population
from cinema_cmr.datasets.check import check_cases
from cinema_cmr.datasets.overview import markdown_table
from cinema_cmr.datasets.registry import DATASETS, get_dataset

DOCS = Path(__file__).resolve().parents[2] / "docs"

Trees = Callable[[str], Tree]
ALL_TREES = {**TREES, "results": results_tree, "results_all": partial(results_tree, every_frame=True)}


@pytest.fixture(scope="module")
def tree_of(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    """Writes the tree of a dataset, once."""
    return cache(lambda name: ALL_TREES[name](tmp_path_factory.mktemp(name)))


@cache
def read(name: str, root: Path, wanted: str) -> AnnotatedStudy:
    dataset = DATASETS[name]
    return dataset.read_case(next(case for case in dataset.list_cases(root) if case.name == wanted))


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_has_a_complete_card(name: str) -> None:
    card = get_dataset(name).card
    assert card.name == name and all((card.title, card.licence, card.how_to_get, card.derived_licence))
    assert card.citation or name in ("folder", "results", "results_all")


@pytest.mark.parametrize("name", DATASETS)
def test_an_empty_folder_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="expected"):
        get_dataset(name).list_cases(tmp_path)


@pytest.mark.medium
@pytest.mark.parametrize("name", DATASETS)
def test_images_come_back_on_their_own_grid(tree_of: Trees, name: str) -> None:
    tree = tree_of(name)
    annotated = read(name, tree.root, tree.case)
    measured = {cine.view for cine in annotated.study.cines} - {View.OTHER}
    assert measured == set(tree.cines) and annotated.study.name == tree.case
    for view, written in tree.cines.items():
        cine = annotated.study.cine(view)
        assert cine.array.shape == written.array.shape
        assert np.allclose(cine.array, written.array, atol=1)
        assert cine.spacing_mm[:2] == pytest.approx(written.spacing_mm[:2], rel=1e-4)
        if written.n_slices > 1:
            assert cine.spacing_mm[2] == pytest.approx(written.spacing_mm[2], rel=1e-3)
    assert dict(tree.facts).items() <= dict(annotated.facts).items()


@pytest.mark.parametrize("name", [name for name in DATASETS if name not in ("kaggle", "ukb", "landmark")])
def test_the_cavity_has_the_volume_of_the_written_mask(tree_of: Trees, name: str) -> None:
    tree = tree_of(name)
    annotated = read(name, tree.root, tree.case)
    labels, cine = annotated.labels[View.SAX], annotated.study.cine(View.SAX)
    frames = list(annotated.labelled_frames[View.SAX])
    code = next(label.code for label in LABEL_SCHEMES[labels.scheme] if label.name in ("lv", "lv_cavity"))
    assert labels.array.shape == cine.array.shape and min(tree.lv_ml) > 1
    assert lv_ml(labels.array[..., frames], cine, code) == pytest.approx(tree.lv_ml, rel=1e-3)


@pytest.mark.parametrize("name", [name for name in DATASETS if name not in ("kaggle", "ukb", "landmark")])
def test_frames_of_every_dataset_with_masks_are_collated(tree_of: Trees, name: str) -> None:
    tree = tree_of(name)
    frames = getattr(cinema_cmr.datasets, name)(tree.root, part="all", size=(32, 32), n_slices=8)
    batch = next(iter(DataLoader(frames, batch_size=2)))
    assert batch["image"].shape[1:] == (1, 32, 32, 8) and batch["label"].shape[1:] == (32, 32, 8)
    assert ((batch["label"] > 0) & (batch["label"] < 255)).any()
    assert any(tree.broken in message for message in frames.left_out)


@pytest.mark.parametrize("name", ["kaggle", "ukb", "landmark"])
def test_a_dataset_without_masks_has_no_frames(tree_of: Trees, name: str) -> None:
    with pytest.raises(InputError, match=f"no short axis masks in part 'all' of '{name}' "):
        getattr(cinema_cmr.datasets, name)(tree_of(name).root, part="all")


def test_every_dataset_is_a_public_function() -> None:
    assert cinema_cmr.datasets.__all__ == dir(cinema_cmr.datasets) == sorted(DATASETS)
    assert cinema_cmr.datasets.acdc.__name__ == "acdc"
    with pytest.raises(AttributeError, match=r"no dataset 'acdcc' in .*; expected one of: acdc"):
        cinema_cmr.datasets.acdcc(".")


@pytest.mark.parametrize("name", DATASETS)
def test_a_broken_case_is_listed_and_refused_by_name(tree_of: Trees, name: str) -> None:
    tree, dataset = tree_of(name), DATASETS[name]
    cases = {case.name: case for case in dataset.list_cases(tree.root)}
    assert {tree.case, tree.broken} <= cases.keys()
    with pytest.raises(InputError, match=tree.reason):
        dataset.read_case(cases[tree.broken])


@pytest.mark.parametrize("name", DATASETS)
def test_no_patient_is_in_two_parts_and_the_split_is_the_same_again(tree_of: Trees, name: str) -> None:
    tree, dataset = tree_of(name), DATASETS[name]
    cases = dataset.list_cases(tree.root)
    split = dataset.training_split(cases)
    names = [patient for patients in split.parts.values() for patient in patients]
    assert split.dataset == name and len(names) == len(set(names)) and split.rule
    assert split.sha256 == dataset.training_split(cases[::-1]).sha256


@pytest.mark.parametrize("name", [name for name, dataset in DATASETS.items() if dataset.split])
def test_a_kept_split_is_the_dataset_s_own(name: str) -> None:
    split = DATASETS[name].split
    assert split is not None and split().dataset == name


def test_the_page_has_the_table_of_the_cards() -> None:
    page = (DOCS / "datasets.md").read_text(encoding="utf-8")
    table = page.partition("a test compares -->\n")[2].partition("\n<!-- end -->")[0]
    assert table == markdown_table(dataset.card for dataset in DATASETS.values()), "cinema datasets list --markdown"
    assert all(f"\n| `{name}` | " in page.partition("<!-- end -->")[2] for name in DATASETS)


def test_the_example_of_the_page_reads_a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DOCS / "add-a-dataset.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    assert len(code.splitlines()) < 80
    (tmp_path / "tenth.py").write_text(code, encoding="utf-8")
    spec = spec_from_file_location("tenth", tmp_path / "tenth.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(DATASETS, "tenth", module.DATASET)
    tree = tenth_tree(tmp_path / "tree", module.LABEL_CODES)
    annotated = read("tenth", tree.root, tree.case)
    labels, cine = annotated.labels[View.SAX].array, annotated.study.cine(View.SAX)
    assert lv_ml(labels, cine) == pytest.approx(tree.lv_ml, rel=1e-3)
    assert annotated.facts == {"group": "DCM", "sex": "F"} == dict(tree.facts)
    told = check_cases(get_dataset("tenth"), get_dataset("tenth").list_cases(tree.root))
    assert {one.name: one.status for one in told} == {"a": "found", "b": "missing"}
    assert main(["prepare", f"tenth:{tree.root}", "-o", str(tmp_path / "store")]) == 3
    assert [study.name for study in open_population(tmp_path / "store")] == ["tenth-a"]


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'acdc'"):
        get_dataset("acdcc")
