"""One training step of the masked autoencoder: ours against a plain dense form of the same function.

    python benchmarks/pretrain_step.py [--size base] [--batch 2] [--rounds 3] [--threads 1] [--device cpu]

Both sides use the same weights, images, masks and optimiser, and are timed in turns, step by step, in one
process; the peak of memory is that of a process of its own for each. A second table has the options that
change the function, against our own step without them. Results: benchmarks/results/pretrain_step.json, or
pretrain_step_cuda.json.
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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plain_mae import plain_loss, plain_stem
from torch import Tensor

from cinema_cmr.core.card import Grid
from cinema_cmr.core.vocabulary import View
from cinema_cmr.data.sample import Batch, collate
from cinema_cmr.engine.optim import OptimConfig, make_optimiser
from cinema_cmr.inference.runtime import choose_runtime
from cinema_cmr.models.blocks.layers import to_slices
from cinema_cmr.models.mae import CineMA, CineMAConfig
from cinema_cmr.models.vit import vit_size
from cinema_cmr.tasks.pretrain import PretrainConfig, PretrainTask

RESULTS = Path(__file__).parent / "results"
PLANE = Grid(spacing_mm=1.0, size=(256, 256))
GRIDS = {
    View.SAX: Grid(spacing_mm=1.0, size=(192, 192), slice_spacing_mm=10.0, n_slices=16),
    **dict.fromkeys((View.LAX_2C, View.LAX_3C, View.LAX_4C), PLANE),
}
LIT_SLICES = range(3, 13)
"""Of the stack's 16: a ventricle of 100 mm; the others are blank, as those that the grid pads are."""

OPTIONS: dict[str, dict[str, Any]] = {
    "ours": {},
    "skip_blank": {"skip_blank": True},
    "decoded_share 0.5": {"decoder_token_ratio": 0.5},
    "normalise_targets": {"normalise_targets": True},
    "complementary 2": {"complementary_masks": 2},
    "skip_blank, decoded_share 0.5": {"skip_blank": True, "decoder_token_ratio": 0.5},
}

Forward = Callable[[], Tensor]


class Bench:
    """One model and its optimiser, and the passes through it that are compared."""

    def __init__(self, asked: argparse.Namespace) -> None:
        torch.manual_seed(0)
        torch.set_num_threads(asked.threads)
        self.device, self.batch = torch.device(asked.device), asked.batch
        sizes = {str(view): (*grid.size, *([grid.n_slices] if grid.n_slices else [])) for view, grid in GRIDS.items()}
        config = CineMAConfig(image_sizes=sizes, vit=vit_size(asked.size))
        self.model = CineMA(config).to(self.device)
        self.optimiser = make_optimiser(self.model, OptimConfig(lr=1e-6, last_lr=0.0))

    def passes(self, what: str) -> dict[str, Forward]:
        """Name -> forward pass: `stem` and `step` compare the two sides, `options` ours with its options."""
        if what == "options":
            return {name: self._with_options(**changes) for name, changes in OPTIONS.items()}
        task = PretrainTask(PretrainConfig(grids=GRIDS), self.model)
        batch = self._batch(task)
        plain, ours = self._stems(task, batch) if what == "stem" else self._steps(task, batch)
        return {"plain": plain, "ours": ours}

    def _steps(self, task: PretrainTask, batch: Batch) -> tuple[Forward, Forward]:
        model, masks = self.model, self._dense_masks(task, batch)
        state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        return lambda: plain_loss(state, model.config, batch.images, masks), lambda: task.loss(batch).total

    def _stems(self, task: PretrainTask, batch: Batch) -> tuple[Forward, Forward]:
        model, masks, hidden = self.model, self._dense_masks(task, batch), task.masks(batch)
        state = {**dict(model.named_parameters()), **dict(model.named_buffers())}

        def plain() -> Tensor:
            return summed(plain_stem(state, model.config, v, x, masks[v])[0] for v, x in batch.images.items())

        def ours() -> Tensor:
            stems = model.enc_down_dict
            return summed(stems[v](to_slices(x), hidden[v].visible).tokens for v, x in batch.images.items())

        return plain, ours

    def _dense_masks(self, task: PretrainTask, batch: Batch) -> dict[str, Tensor]:
        """(b, l), True where masked."""
        hidden = task.masks(batch)
        ones = {v: torch.ones(self.batch, m.n_tokens, dtype=torch.bool, device=self.device) for v, m in hidden.items()}
        return {v: ones[v].scatter(1, m.visible, False) for v, m in hidden.items()}

    def _with_options(self, *, normalise_targets: bool = False, **changes: Any) -> Forward:
        task = PretrainTask(PretrainConfig(grids=GRIDS, **changes), self.model)
        batch = self._batch(task)

        def loss() -> Tensor:
            self.model.config = replace(self.model.config, normalise_targets=normalise_targets)
            return task.loss(batch).total

        return loss

    def _batch(self, task: PretrainTask) -> Batch:
        """Random images, the stack's outer slices blank, with masks: the same in every process."""
        samples = []
        for index in range(self.batch):
            rng = np.random.default_rng(index)
            images = random_images(rng)
            samples.append(task.masked(f"sample {index}", images, rng, n_masks=task.config.complementary_masks))
        return collate(samples).to(self.device)

    def loss(self, forward: Forward, precision: str) -> Tensor:
        """The forward pass in this precision."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bf16"):
            return forward()

    def step(self, forward: Forward, precision: str) -> dict[str, float]:
        """One update of the weights: its clock and processor seconds."""
        self._wait()
        clock, processor = time.perf_counter(), time.process_time()
        torch.autograd.backward(self.loss(forward, precision))
        self.optimiser.step()
        self.optimiser.zero_grad()
        self._wait()
        return {"clock_s": time.perf_counter() - clock, "processor_s": time.process_time() - processor}

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def peak_mib(self) -> float:
        """Most memory held so far: of the device, or of this process."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated() / 2**20
        status = Path("/proc/self/status")
        if status.exists():  # the other figure begins with what the parent process held
            lines = status.read_text(encoding="utf-8").splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def random_images(rng: np.random.Generator) -> dict[str, Tensor]:
    """View -> (1, x, y[, z])."""
    images = {}
    for view, grid in GRIDS.items():
        image = rng.random((1, *grid.size, grid.n_slices or 1), dtype=np.float32)
        image[..., [z for z in range(image.shape[3]) if grid.n_slices and z not in LIT_SLICES]] = 0
        images[str(view)] = torch.from_numpy(image if grid.n_slices else image[..., 0])
    return images


def summed(tokens: Iterable[Tensor]) -> Tensor:
    """A number that depends on all of them."""
    return torch.stack([t.float().square().mean() for t in tokens]).sum()


def timed(bench: Bench, passes: Mapping[str, Forward], precision: str, rounds: int) -> dict[str, dict[str, Any]]:
    """Every pass in turns, `rounds` times after one to warm up; all losses by the same weights, then seconds."""
    with torch.no_grad():
        losses = {name: bench.loss(forward, precision).item() for name, forward in passes.items()}
    for forward in passes.values():
        bench.step(forward, precision)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in passes}
    for number in range(rounds):
        # Who comes first changes, so that nobody always follows the same one.
        for name in sorted(passes, reverse=bool(number % 2)):
            runs[name].append(bench.step(passes[name], precision))
    found = {}
    for name, steps in runs.items():
        row: dict[str, Any] = {"loss": losses[name]}
        for clock in ("clock_s", "processor_s"):
            seconds = [step[clock] for step in steps]
            row[clock] = {"min": min(seconds), "median": statistics.median(seconds), "all": seconds}
        found[name] = row
    return found


def peak_of(asked: argparse.Namespace, what: str, precision: str, name: str) -> dict[str, float]:
    """The peak of memory of two steps of one pass, in a process of its own, and what it held before them."""
    given = {key: value for key, value in vars(asked).items() if value is not None}
    given |= {"what": what, "precision": precision, "peak-of": name}
    words = [word for key, value in given.items() for word in (f"--{key}", str(value))]
    done = subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True, text=True)
    peaks: dict[str, float] = json.loads(done.stdout)
    return peaks


def table(asked: argparse.Namespace, what: str, precision: str) -> dict[str, Any]:
    """Times and memory of the passes of one comparison; the first is what the others are compared with."""
    bench = Bench(asked)
    passes = timed(bench, bench.passes(what), precision, asked.rounds)
    del bench
    against = next(iter(passes))
    for name, row in passes.items():
        row["memory_mib"] = peak_of(asked, what, precision, name)
        row["times_as_fast"] = {
            f"{clock} {kind}": passes[against][clock][kind] / row[clock][kind]
            for clock in ("clock_s", "processor_s")
            for kind in ("min", "median")
        }
        row["memory_less_mib"] = passes[against]["memory_mib"]["peak"] - row["memory_mib"]["peak"]
        print(told(f"{what} {precision}", name, row), flush=True)
    return {"what": what, "precision": precision, "against": against, "passes": passes}


def told(what: str, name: str, row: Mapping[str, Any]) -> str:
    """One line of the table."""
    times, memory = row["times_as_fast"], row["memory_mib"]
    return (
        f"{what:14} {name:30} {row['clock_s']['median']:7.3f} s ({row['processor_s']['median']:7.3f} s of processor),"
        f" {times['clock_s median']:5.2f}x ({times['processor_s median']:5.2f}x),"
        f" peak {memory['peak']:6.0f} MiB ({memory['peak'] - memory['idle']:6.0f} above idle), loss {row['loss']:.6f}"
    )


def machine(asked: argparse.Namespace) -> dict[str, Any]:
    """What the figures were taken on."""
    listing = Path("/proc/cpuinfo")
    text = listing.read_text(encoding="utf-8") if listing.exists() else ""
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    flags = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in text.split()]
    on_device = asked.device == "cuda"
    return {
        "torch": torch.__version__,
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "instructions": flags,
        "device": torch.cuda.get_device_name() if on_device else "cpu",
        "threads": asked.threads,
        "load_at_start": os.getloadavg()[0],
    }


def precisions(asked: argparse.Namespace) -> list[str]:
    """float32, and bfloat16 where the machine computes in it."""
    if asked.precision:
        return [asked.precision]
    return ["fp32", "bf16"] if choose_runtime(asked.device, "auto").precision == "bf16" else ["fp32"]


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="base")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--what", choices=["stem", "step", "options"])
    parser.add_argument("--precision", choices=["fp32", "bf16"])
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run every comparison, or the one asked for, and keep the result."""
    asked = arguments()
    if asked.peak_of:
        bench = Bench(asked)
        forward, idle = bench.passes(asked.what)[asked.peak_of], bench.peak_mib()
        for _ in range(2):
            bench.step(forward, asked.precision)
        print(json.dumps({"idle": idle, "peak": bench.peak_mib()}))
        return
    suffix = "" if asked.device == "cpu" else f"_{asked.device}"
    path = RESULTS / f"pretrain_step{suffix}.json"
    result = {"machine": machine(asked), "size": asked.size, "batch": asked.batch, "mask_ratio": 0.75}
    RESULTS.mkdir(exist_ok=True)
    tables = []
    for precision in precisions(asked):
        for what in [asked.what] if asked.what else ["stem", "step", "options"]:
            tables.append(table(asked, what, precision))
            path.write_text(json.dumps({**result, "tables": tables}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
