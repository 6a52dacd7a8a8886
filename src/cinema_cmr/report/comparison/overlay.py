"""Outlines of two results over each other, on the image that both are of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cinema_cmr.core.vocabulary import View
from cinema_cmr.core.volume import Cine
from cinema_cmr.report.comparison.compared import ComparedFrame, ComparedSide, ComparedView
from cinema_cmr.report.comparison.compared_masks import comparable_masks
from cinema_cmr.report.display import Labels, heart_box, shown
from cinema_cmr.report.frames import Film, Tile, film, outline_paths

__all__ = ["Overlay", "OverlayTile", "overlays"]

_LONGEST = 288
_QUALITY = 82


@dataclass(frozen=True, kw_only=True)
class OverlayTile:
    """A slice in one frame, with the outlines of both results."""

    film: Film
    tile: Tile
    caption: str


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """The slices of a stack in one frame, or a plane in all marked frames."""

    title: str
    note: str
    tiles: tuple[OverlayTile, ...]


def overlays(first: ComparedSide, second: ComparedSide, views: tuple[ComparedView, ...]) -> tuple[Overlay, ...]:
    """Return the pictures of the views whose masks lie over each other; slices without an outline are left out."""
    found = []
    for view in (one for one in views if not one.reason):
        cine, either, masks, scheme = _turned(first, second, view.view)
        pairs = [
            (frame, tiles) for frame in view.frames if (tiles := _tiles(cine, either, masks, frame, scheme=scheme))
        ]
        if cine.n_slices > 1:
            found += [Overlay(title=frame.title, note=f"frame {frame.frame}", tiles=tiles) for frame, tiles in pairs]
        elif pairs:
            captions = (
                replace(tile, caption=f"{frame.title}, frame {frame.frame}") for frame, tiles in pairs for tile in tiles
            )
            found.append(Overlay(title=view.view.title, note="", tiles=tuple(captions)))
    return tuple(found)


def _turned(first: ComparedSide, second: ComparedSide, view: View) -> tuple[Cine, Labels, tuple[Labels, Labels], str]:
    """Return the image, the codes that either mask has, and both masks, as a radiologist sees them, and their scheme.

    They show what is compared (`comparable_masks`): no outline of an atrium that one of the models does not have.
    """
    cine, masks = _pictured(first, second, view), comparable_masks(first, second, view)
    own, other = (shown(cine, mask.array)[1] for mask in masks)
    assert own is not None and other is not None  # given as labels
    return shown(cine, None)[0], own | other, (own, other), masks[0].scheme


def _pictured(first: ComparedSide, second: ComparedSide, view: View) -> Cine:
    """Return the cine of either side that has its image, else the bare grid."""
    cines = [side.study.cine(view) for side in (first, second) if view in side.study]
    return next((cine for cine in cines if cine.has_image), first.grids[view])


def _tiles(
    cine: Cine, either: Labels, masks: tuple[Labels, Labels], frame: ComparedFrame, *, scheme: str
) -> tuple[OverlayTile, ...]:
    box = heart_box(cine, either)
    one = film(cine, masks[0], box=box, frames=(frame.frame,), longest=_LONGEST, quality=_QUALITY, scheme=scheme)
    others = outline_paths(masks[1][..., [frame.frame]], box, (one.width, one.height), scheme=scheme)
    return tuple(_merged(one, others, either[..., frame.frame]))


def _merged(one: Film, others: dict[str, list[tuple[str, ...]]], either: Labels) -> Iterator[OverlayTile]:
    """Yield the slices with a label, with the paths of both sides under "a NAME" and "b NAME"."""
    for z, tile in enumerate(one.tiles):
        if either[:, :, z].any():
            own = {f"a {name}": paths for name, paths in tile.paths.items()}
            other = {f"b {name}": per_slice[z] for name, per_slice in others.items()}
            yield OverlayTile(film=one, tile=replace(tile, paths={**own, **other}), caption=f"{tile.slice_index}")
