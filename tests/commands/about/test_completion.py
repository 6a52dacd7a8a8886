"""The scripts complete commands, options and choices in the shells that are on this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cinema_cmr.commands.about.completion import SHELLS, completion_script
from cinema_cmr.commands.command_table import COMMANDS


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_completed(shell: str) -> None:
    script = completion_script(shell)  # type: ignore[arg-type]
    assert (all(name in script for name in COMMANDS) and "--basal-rule" in script) or "-l basal-rule" in script


def completed(script: Path, *words: str) -> list[str]:
    """Words that bash offers for the last of some words."""
    quoted = " ".join(f"'{word}'" for word in words)
    code = f"source '{script}'; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _cinema; echo \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True, cwd=script.parent)
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes(tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    script.write_text(completion_script("bash"))
    assert completed(script, "cinema", "do") == ["doctor"]
    assert completed(script, "cinema", "analyse", "--basal-rule", "") == [
        "scmr",
        "descent",
        "all-slices",
        "valve-plane",
    ]
    assert completed(script, "cinema", "analyze", "x", "--bas") == ["--basal-rule"]
    assert completed(script, "cinema", "analyse", "comp") == ["completion.bash"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_accept_their_script(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "completion"
    script.write_text(completion_script(shell))  # type: ignore[arg-type]
    done = subprocess.run([program, "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
