"""The configuration of a published model, read as a model card (docs/weights.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cinema_cmr.core.card import Grid, ModelCard
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.architectures import config_values
from cinema_cmr.models.convvit import ConvViTConfig
from cinema_cmr.models.mae import CineMAConfig
from cinema_cmr.models.published.layout import task_of_settings
from cinema_cmr.models.published.settings import Settings
from cinema_cmr.models.stem import StemConfig
from cinema_cmr.models.unetr import ConvUNetRConfig
from cinema_cmr.models.vit import vit_size

__all__ = ["card_of", "group_of"]


def group_of(view: View) -> str:
    """Return the name of the settings that a view shares with others of its kind: "sax" or "lax"."""
    return "lax" if view.is_long_axis else "sax"


def card_of(config: Mapping[str, object], *, name: str) -> ModelCard:
    """Return the card of a published model, with architecture and configuration.

    The scale of a regression's target is in `training["target"]`. Raises `WeightsError` if settings are missing or
    describe a model that this package cannot build.
    """
    try:
        return _card_of(Settings(config), name)
    except UsageError as error:
        raise WeightsError(f"the configuration of '{name}' cannot be used: {error}") from error


def _card_of(settings: Settings, name: str) -> ModelCard:
    task = task_of_settings(settings)
    views = _views(settings)
    outputs = task.outputs(settings, views)
    if outputs and settings.find("model.out_chans") not in (None, len(outputs)):
        found = settings.find("model.out_chans")
        raise UsageError(f"model.out_chans is {found}; expected {len(outputs)} for {', '.join(outputs)}")
    network = _Network(settings=settings, views=views, n_outputs=len(outputs))
    architecture, values = network.autoencoder() if task.output_kind == "tokens" else network.fine_tuned()
    data = settings.text("data.name", "unlabelled cine images")
    return ModelCard(
        name=name,
        task=task.task,
        architecture=architecture,
        config=config_values(values),
        grids={view: _grid(settings, view) for view in views},
        outputs=outputs,
        training={"data": data, "source": "published", **task.training(settings)},
    )


def _views(settings: Settings) -> list[View]:
    names = settings.names("model.views")
    if not names or not set(names) <= {view.value for view in View}:
        found = settings.find("model.views")
        raise UsageError(f"model.views is {found!r}; expected names among sax, lax_2c, lax_3c, lax_4c")
    return [View(name) for name in names]


@dataclass(frozen=True, kw_only=True)
class _Network:
    """Settings of a network, of the given views and number of outputs."""

    settings: Settings
    views: Sequence[View]
    n_outputs: int

    def autoencoder(self) -> tuple[str, CineMAConfig]:
        return "cinema_mae", CineMAConfig(
            image_sizes=self._image_sizes(),
            vit=vit_size(self.settings.text("model.size")),
            stem=self._stem("model", ""),
            in_chans=self._in_chans(),
        )

    def fine_tuned(self) -> tuple[str, ConvViTConfig | ConvUNetRConfig]:
        kinds: Mapping[str, tuple[str, Callable[[str], ConvViTConfig | ConvUNetRConfig]]] = {
            "convunetr": ("conv_unetr", self._conv_unetr),
            "convvit": ("conv_vit", self._conv_vit),
        }
        kind = self.settings.text("model.name")
        if kind not in kinds:
            raise UsageError(f"model.name is '{kind}'; expected {' or '.join(kinds)}")
        architecture, config = kinds[kind]
        return architecture, config(f"model.{kind}")

    def _conv_vit(self, place: str) -> ConvViTConfig:
        return ConvViTConfig(
            image_sizes=self._image_sizes(),
            out_chans=self.n_outputs,
            in_chans=self._in_chans(),
            vit=vit_size(self.settings.text(f"{place}.size")),
            stem=self._stem(place, "enc_"),
            dropout=self.settings.number(f"{place}.dropout", 0.1),
            drop_path=self.settings.number(f"{place}.drop_path", 0.1),
        )

    def _conv_unetr(self, place: str) -> ConvUNetRConfig:
        factor = self.settings.integers(f"{place}.dec_scale_factor")
        if self.settings.integers(f"{place}.dec_patch_size") != factor:
            raise UsageError(f"{place}: dec_patch_size differs from dec_scale_factor {factor}; expected the same")
        x, y, z = factor
        return ConvUNetRConfig(
            image_sizes=self._image_sizes(),
            out_chans=self.n_outputs,
            in_chans=self._in_chans(),
            vit=vit_size(self.settings.text(f"{place}.size")),
            stem=self._stem(place, "enc_"),
            dropout=self.settings.number(f"{place}.dropout", 0.1),
            drop_path=self.settings.number(f"{place}.drop_path", 0.1),
            dec_chans=self.settings.integers(f"{place}.dec_chans"),
            dec_scale_factor=(x, y, z),
        )

    def _image_sizes(self) -> dict[str, tuple[int, ...]]:
        return {view.value: self.settings.integers(f"data.{group_of(view)}.patch_size") for view in self.views}

    def _stem(self, place: str, prefix: str) -> StemConfig:
        px, py, pz = self.settings.integers(f"{place}.{prefix}patch_size")
        sx, sy, sz = self.settings.integers(f"{place}.{prefix}scale_factor")
        return StemConfig(
            patch_size=(px, py, pz),
            scale_factor=(sx, sy, sz),
            chans=self.settings.integers(f"{place}.enc_conv_chans"),
            n_blocks=self.settings.integer(f"{place}.enc_conv_n_blocks"),
        )

    def _in_chans(self) -> int:
        n_frames = self.settings.integer("model.n_frames", 1)
        found = {n_frames * self.settings.integer(f"data.{group_of(view)}.in_chans") for view in self.views}
        if len(found) != 1:
            raise UsageError(f"views of {sorted(found)} channels in one model; expected as many in each")
        return found.pop()


def _grid(settings: Settings, view: View) -> Grid:
    place = f"data.{group_of(view)}"
    spacing, size = settings.numbers(f"{place}.spacing"), settings.integers(f"{place}.patch_size")
    if spacing[0] != spacing[1]:
        raise UsageError(f"{place}.spacing is {spacing}; expected the same along x and y")
    if view.is_long_axis:
        return Grid(spacing_mm=spacing[0], size=(size[0], size[1]))
    return Grid(spacing_mm=spacing[0], size=(size[0], size[1]), slice_spacing_mm=spacing[2], n_slices=size[2])
