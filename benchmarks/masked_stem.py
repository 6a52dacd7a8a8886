"""One training step of the masked autoencoder, our masked computation against the plain dense form.

Both sides get the same weights, images, masks and optimiser; each is timed in a process of its own, in turns,
so that memory peaks do not mix. `python benchmarks/masked_stem.py [--size base] [--batch 2] [--steps 3]`
prints a table and stores benchmarks/results/masked_stem.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cinema_cmr.models.layers import to_slices
from cinema_cmr.models.mae import CineMA, CineMAConfig
from cinema_cmr.models.masking import TokenMask, draw_mask
from cinema_cmr.models.vit import vit_size

RESULTS = Path(__file__).parent / "results" / "masked_stem.json"
SIZES = {"sax": (192, 192, 16), "lax_2c": (256, 256), "lax_3c": (256, 256), "lax_4c": (256, 256)}
ROUNDS = 2


def inputs(config: CineMAConfig, batch: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Images and masks, the same in every process."""
    generator = torch.Generator().manual_seed(0)
    images = {view: torch.rand(batch, 1, *size, generator=generator) for view, size in SIZES.items()}
    masks = {}
    for number, (view, size) in enumerate(SIZES.items()):
        n_tokens = int(np.prod(config.stem.grid(size)))
        drawn = [draw_mask(n_tokens, 0.75, np.random.default_rng((number, i))) for i in range(batch)]
        masks[view] = torch.from_numpy(np.stack(drawn))
    return images, masks


def loss_of(side: str, what: str, model: CineMA, batch: int) -> Callable[[], Tensor]:
    """The forward pass to time: the whole loss, or the stems of all views alone."""
    images, masks = inputs(model.config, batch)
    hidden = {view: TokenMask.of(mask) for view, mask in masks.items()}
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}

    def stems() -> Tensor:
        tokens = [model.enc_down_dict[v](to_slices(x), hidden[v].visible).tokens for v, x in images.items()]
        return torch.stack([t.float().square().mean() for t in tokens]).sum()

    def plain_stems() -> Tensor:
        tokens = [plain_stem(state, model.config, view, x, masks[view])[0] for view, x in images.items()]
        return torch.stack([t.float().square().mean() for t in tokens]).sum()

    calls: dict[tuple[str, str], Callable[[], Tensor]] = {
        ("ours", "step"): lambda: model.reconstruct(images, hidden).loss,
        ("plain", "step"): lambda: plain_loss(state, model.config, images, masks),
        ("ours", "stem"): stems,
        ("plain", "stem"): plain_stems,
    }
    return calls[side, what]


def measure(side: str, what: str, *, precision: str, size: str, batch: int, steps: int) -> dict[str, Any]:
    """Processor seconds of each step after one to warm up, the first loss, and the memory at its peak.

    Processor time of one thread, not the clock, so that other work on the machine does not enter the ratio.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = CineMA(CineMAConfig(image_sizes=SIZES, vit=vit_size(size)))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5)
    forward = loss_of(side, what, model, batch)
    idle_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, first = [], 0.0
    for step in range(steps + 1):
        start = time.process_time()
        half = torch.autocast("cpu", dtype=torch.bfloat16) if precision == "bfloat16" else nullcontext()
        with half:
            loss = forward()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        first = first or loss.item()
        if step:
            seconds.append(time.process_time() - start)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "loss": first, "memory_mib": (peak_kib - idle_kib) / 1024}


def compared(what: str, precision: str, options: list[str]) -> dict[str, Any]:
    """Both sides in turns, each in fresh processes; the fastest step of each counts."""
    found: dict[str, list[dict[str, Any]]] = {"plain": [], "ours": []}
    for _ in range(ROUNDS):
        for side, runs in found.items():
            command = [sys.executable, __file__, "--side", side, "--what", what, "--precision", precision]
            done = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
            runs.append(json.loads(done.stdout))
    row: dict[str, Any] = {"what": what, "precision": precision}
    for side, runs in found.items():
        seconds = [second for run in runs for second in run["seconds"]]
        row[f"{side}_s"] = min(seconds)
        row[f"{side}_median_s"] = statistics.median(seconds)
        row[f"{side}_memory_mib"] = min(run["memory_mib"] for run in runs)
        row[f"{side}_loss"] = runs[0]["loss"]
    row["speedup"] = row["plain_s"] / row["ours_s"]
    row["speedup_of_medians"] = row["plain_median_s"] / row["ours_median_s"]
    return row


def processor() -> str:
    """The processor's name, where the system tells it, and whether it multiplies bfloat16 itself."""
    listing = Path("/proc/cpuinfo")
    text = listing.read_text(encoding="utf-8") if listing.exists() else ""
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    half = ", avx512_bf16" if "avx512_bf16" in text else ""
    return (names[0] if names else platform.processor() or platform.machine()) + half


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "torch": torch.__version__,
        "processor": processor(),
        "threads": 1,
        "load_at_start": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="base")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--side", choices=["ours", "plain"])
    parser.add_argument("--what", choices=["step", "stem"])
    parser.add_argument("--precision", choices=["float32", "bfloat16"])
    asked = parser.parse_args()
    sizes = {"size": asked.size, "batch": asked.batch, "steps": asked.steps}
    if asked.side:
        print(json.dumps(measure(asked.side, asked.what, precision=asked.precision, **sizes)))
        return
    result = {"machine": machine(), **sizes, "mask_ratio": 0.75, "rows": []}
    options = [text for name, value in sizes.items() for text in (f"--{name}", str(value))]
    for what in [asked.what] if asked.what else ["stem", "step"]:
        for precision in [asked.precision] if asked.precision else ["float32", "bfloat16"]:
            row = compared(what, precision, options)
            result["rows"].append(row)
            print(
                f"{what} {precision}: plain {row['plain_s']:.2f} s, ours {row['ours_s']:.2f} s "
                f"({row['speedup']:.2f}x; medians {row['speedup_of_medians']:.2f}x), memory "
                f"{row['plain_memory_mib']:.0f} -> {row['ours_memory_mib']:.0f} MiB, "
                f"loss {row['plain_loss']:.6f} / {row['ours_loss']:.6f}",
                flush=True,
            )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


# The other side: every position computed, masked ones set to zero; none of the package's own layers.

Parameters = Mapping[str, Tensor]


def plain_loss(
    p: Parameters, config: CineMAConfig, images: Mapping[str, Tensor], masks: Mapping[str, Tensor]
) -> Tensor:
    """The loss of `CineMA.reconstruct`; masks are True where masked."""
    heads = config.vit.heads
    stems = {view: plain_stem(p, config, view, images[view], masks[view]) for view in images}
    x = torch.cat(
        [
            p["encoder.cls_token"].expand(len(next(iter(images.values()))), -1, -1),
            *[t for t, _ in stems.values()],
        ],
        1,
    )
    for i in range(config.vit.depth):
        x = _block(p, f"encoder.blocks.{i}", x, None, heads)
    x = _norm(p, "encoder.norm", x, 1e-5)
    cls, *encoded = x.split([1, *[t.shape[1] for t, _ in stems.values()]], 1)
    keys, queries = [], [_linear(p, "dec_linear", cls)]
    for (view, (_, levels)), tokens in zip(stems.items(), encoded, strict=True):
        fused = _linear(p, "dec_linear", _fused(p, view, tokens, levels, masks[view]))
        place = p[f"dec_embed_dict.{view}.pos_embed"].expand(len(fused), -1, -1)
        keys.append(fused + _rows(place, ~masks[view]))
        queries.append(p[f"dec_embed_dict.{view}.mask_token"] + _rows(place, masks[view]))
    y, context = torch.cat(queries, 1), torch.cat(keys, 1)
    for i in range(config.vit.dec_depth):
        y = _block(p, f"decoder.blocks.{i}", y, context, config.vit.dec_heads)
    y = _norm(p, "decoder.norm", y, 1e-5)
    parts = y.split([q.shape[1] for q in queries], 1)[1:]
    losses = []
    for view, part in zip(images, parts, strict=True):
        target = _rows(_patches(images[view], config.stem.strides[-1]), masks[view])
        losses.append(F.mse_loss(_linear(p, f"pred_head_dict.{view}", part).float(), target))
    return torch.stack(losses).mean()


def plain_stem(
    p: Parameters, config: CineMAConfig, view: str, image: Tensor, mask: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Visible tokens (b, k, d) of one view, and its levels as images (b, c, x, y[, z])."""
    n_axes = image.ndim - 2
    token = config.stem.strides[-1][:n_axes]
    seen = (~mask).float().reshape(len(mask), 1, *[n // s for n, s in zip(image.shape[2:], token, strict=True)])
    x, levels = image, []
    for i, stride in enumerate(config.stem.strides[:-1]):
        name = f"enc_down_dict.{view}.conv_blocks.{i}"
        x = _convolved(p, f"{name}.patch_embed.conv", x, stride=config.stem.level_sizes[i][:n_axes])
        x = F.gelu(_channel_norm(p, f"{name}.patch_embed.norm", x))
        m = seen
        for axis, (a, b) in enumerate(zip(token, stride, strict=False)):
            m = m.repeat_interleave(a // b, axis + 2)
        for j in range(config.stem.n_blocks):
            x = _conv_block(p, f"{name}.conv.{j}", x, m)
        levels.append(x)
    name = f"enc_down_dict.{view}"
    tokens = _linear(p, f"{name}.patch_embed.proj", _patches(x, config.stem.level_sizes[-1]))
    tokens = _linear(p, f"{name}.linear", tokens) + p[f"{name}.pos_embed"]
    return _rows(tokens, ~mask), levels


def _conv_block(p: Parameters, name: str, x: Tensor, m: Tensor) -> Tensor:
    y = _convolved(p, f"{name}.conv1", _channel_norm(p, f"{name}.norm1", x)) * m
    weight = p[f"{name}.dw_conv.weight"]
    y = _conv(y)(y, weight, p[f"{name}.dw_conv.bias"], padding="same", groups=len(weight))
    x = x + _convolved(p, f"{name}.conv2", y)
    y = F.gelu(_convolved(p, f"{name}.mlp.fc1", _channel_norm(p, f"{name}.norm2", x)))
    return x + _convolved(p, f"{name}.mlp.fc2", y)


def _fused(p: Parameters, view: str, tokens: Tensor, levels: list[Tensor], mask: Tensor) -> Tensor:
    for i, level in enumerate(levels):
        name = f"enc_fusion_dict.{view}.down_convs.{i}"
        down = _convolved(p, name, level, stride=p[f"{name}.weight"].shape[2:])
        tokens = tokens + _rows(down.flatten(2).transpose(1, 2), ~mask)
    return _norm(p, f"enc_fusion_dict.{view}.norm", tokens, 1e-5)


def _block(p: Parameters, name: str, x: Tensor, context: Tensor | None, heads: int) -> Tensor:
    y = _norm(p, f"{name}.norm1", x, 1e-5)
    q = _linear(p, f"{name}.attn.q", y).unflatten(-1, (heads, -1)).transpose(1, 2)
    kv = _linear(p, f"{name}.attn.kv", y if context is None else context)
    k, v = kv.unflatten(-1, (2, heads, -1)).permute(2, 0, 3, 1, 4)
    y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    x = x + _linear(p, f"{name}.attn.proj", y)
    y = F.gelu(_linear(p, f"{name}.mlp.fc1", _norm(p, f"{name}.norm2", x, 1e-5)))
    return x + _linear(p, f"{name}.mlp.fc2", y)


def _patches(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """(b, c, x, y[, z]) -> (b, tokens, p * q[ * r] * c)"""
    size = size[: x.ndim - 2]
    grid = [n // s for n, s in zip(x.shape[2:], size, strict=True)]
    split = [number for pair in zip(grid, size, strict=True) for number in pair]
    n = len(size)
    order = [0, *[2 + 2 * i for i in range(n)], *[3 + 2 * i for i in range(n)], 1]
    y = x.reshape(*x.shape[:2], *split).permute(order)
    return y.reshape(len(x), prod(grid), prod(size) * x.shape[1])


def _rows(x: Tensor, chosen: Tensor) -> Tensor:
    """The tokens of x (b, l, d) where chosen (b, l), as many in each sample."""
    return x.expand(len(chosen), -1, -1)[chosen].reshape(len(chosen), -1, x.shape[-1])


def _conv(x: Tensor):  # type: ignore[no-untyped-def]
    return F.conv3d if x.ndim == 5 else F.conv2d


def _convolved(p: Parameters, name: str, x: Tensor, stride: tuple[int, ...] = (1,)) -> Tensor:
    steps = stride if len(stride) == x.ndim - 2 else (1,) * (x.ndim - 2)
    y: Tensor = _conv(x)(x, p[f"{name}.weight"], p[f"{name}.bias"], stride=steps)
    return y


def _channel_norm(p: Parameters, name: str, x: Tensor) -> Tensor:
    return _norm(p, name, x.movedim(1, -1), 1e-6).movedim(-1, 1)


def _norm(p: Parameters, name: str, x: Tensor, eps: float) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"], eps)


def _linear(p: Parameters, name: str, x: Tensor) -> Tensor:
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


if __name__ == "__main__":
    main()
