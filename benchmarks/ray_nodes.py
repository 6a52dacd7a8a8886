"""`cinema population` on a Ray cluster of two nodes: a worker killed, the network cut for 20 s, the same table.

    python benchmarks/ray_nodes.py [--studies 200] [--cut 20] [--work FOLDER]

Head and second node live in network namespaces of their own on this machine (Linux, as root, with `ip`), joined by a
pair of virtual interfaces. Work and studies are those of benchmarks/population.py. A process of the second node is
killed with signal 9 when a quarter of the studies is done; its interface is down for 20 s from the half. The table is
compared with that of the local engine. Writes results/ray_nodes.json.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import gettempdir

from cinema_cmr.population.engines.local import work_locally
from cinema_cmr.population.engines.ray import work_on_ray
from population import fresh, hearts, run

RESULTS = Path(__file__).parent / "results" / "ray_nodes.json"
HEAD, SECOND = "cinema-head", "cinema-second"
ADDRESSES = {HEAD: "10.77.0.1", SECOND: "10.77.0.2"}
PORT = 6399
TOKEN = os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32)
"""Ray asks for the same one on all nodes and in the driver."""


def main() -> None:
    """Build the cluster, run on it, disturb it, and store what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--cut", type=float, default=20.0, help="seconds without a network")
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "cinema-ray-nodes")
    parser.add_argument("--drive", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.drive is not None:
        drive(given)
        return
    studies = hearts(given.work, given.studies)
    reference = run(studies, fresh(given.work, "local"), partial(work_locally, workers=2))
    make_network()
    try:
        start_nodes(given.work)
        found = disturbed(given)
    finally:
        for node in ADDRESSES:
            for pid in pids_of(node):
                os.kill(pid, signal.SIGKILL)
        remove_network()
    found["same_table"] = found.pop("digest") == reference
    content = {"studies": given.studies, "cut_s": given.cut, **found, "load_average": round(os.getloadavg()[0], 1)}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content, indent=1))


def drive(given: argparse.Namespace) -> None:
    """Run on the cluster, in the head's namespace; a line for each study done, and the table's hash at the end."""
    engine = partial(work_on_ray, address=f"{ADDRESSES[HEAD]}:{PORT}", workers=2)
    digest = run(
        hearts(given.work, given.studies), given.drive, engine, lambda one: print("done", one.name, flush=True)
    )
    print("digest", digest, flush=True)


def disturbed(given: argparse.Namespace) -> dict[str, object]:
    """Run on the cluster with a kill at a quarter and a cut at the half."""
    words = [sys.executable, __file__, "--drive", str(fresh(given.work, "ray")), "--work", str(given.work)]
    started = time.perf_counter()
    driver = inside(HEAD, [*words, "--studies", str(given.studies)], stdout=subprocess.PIPE, text=True)
    done: list[str] = []
    events: list[dict[str, object]] = []
    digest = ""
    assert driver.stdout is not None
    for line in driver.stdout:
        word, _, rest = line.strip().partition(" ")
        if word == "digest":
            digest = rest
        if word != "done":
            continue
        done.append(rest)
        if len(done) == given.studies // 4:
            events.append({"killed": kill_worker(SECOND), "after": len(done)})
        if len(done) == given.studies // 2:
            cut(given.cut)
            events.append({"cut_s": given.cut, "after": len(done)})
    if driver.wait():
        raise SystemExit(f"the run on the cluster ended with status {driver.returncode}")
    return {
        "digest": digest,
        "events": events,
        "done": len(done),
        "done_twice": len(done) - len(set(done)),
        "seconds": round(time.perf_counter() - started, 1),
    }


def kill_worker(node: str) -> str:
    """Kill the process of the node that works on a study, and return its command."""
    for pid in pids_of(node):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        if command.startswith("ray::supervised"):
            os.kill(pid, signal.SIGKILL)
            return command
    return "none was working"


def cut(seconds: float) -> None:
    """Take the second node's interface down for a while."""
    ip("-n", SECOND, "link", "set", "eth-second", "down")
    time.sleep(seconds)
    ip("-n", SECOND, "link", "set", "eth-second", "up")


def make_network() -> None:
    """Make two namespaces and a cable between them."""
    remove_network()
    for node in ADDRESSES:
        ip("netns", "add", node)
        ip("-n", node, "link", "set", "lo", "up")
    ip("link", "add", "eth-head", "netns", HEAD, "type", "veth", "peer", "name", "eth-second", "netns", SECOND)
    for node, device in ((HEAD, "eth-head"), (SECOND, "eth-second")):
        ip("-n", node, "addr", "add", f"{ADDRESSES[node]}/24", "dev", device)
        ip("-n", node, "link", "set", device, "up")


def remove_network() -> None:
    """Remove the namespaces, and the cable with them."""
    for node in ADDRESSES:
        subprocess.run(["ip", "netns", "del", node], check=False, stderr=subprocess.DEVNULL)


def start_nodes(work: Path) -> None:
    """Start Ray in both namespaces, one core each."""
    ray = str(Path(sys.executable).with_name("ray"))
    common = ["--num-cpus=1", "--disable-usage-stats", "--object-store-memory=200000000"]
    head = ["--head", f"--port={PORT}", "--include-dashboard=false", f"--temp-dir={work / 'ray-session'}"]
    for node, role in ((HEAD, head), (SECOND, [f"--address={ADDRESSES[HEAD]}:{PORT}"])):
        words = [ray, "start", f"--node-ip-address={ADDRESSES[node]}", *role, *common]
        if inside(node, words, stdout=subprocess.DEVNULL).wait():
            raise SystemExit(f"Ray did not start in {node}")


def inside(node: str, words: Sequence[str], **how: object) -> subprocess.Popen[str]:
    """Start a command in a namespace, with the modules of this folder."""
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    return subprocess.Popen(["ip", "netns", "exec", node, *words], env=env, **how)  # type: ignore[call-overload, no-any-return]


def pids_of(node: str) -> list[int]:
    """Return the processes of a namespace."""
    listed = subprocess.run(["ip", "netns", "pids", node], check=False, capture_output=True, text=True)
    return [int(pid) for pid in listed.stdout.split()]


def ip(*words: str) -> None:
    """Run `ip` with these words."""
    subprocess.run(["ip", *words], check=True)


if __name__ == "__main__":
    main()
