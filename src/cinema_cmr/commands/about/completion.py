"""Completion scripts for bash, zsh and fish, made from the parsers, so that they need no other program."""

from __future__ import annotations

from argparse import SUPPRESS, Action
from collections.abc import Callable, Iterator, Mapping
from shlex import quote
from typing import Literal

from cinema_cmr.commands.command_table import ALIASES, COMMANDS, command_parser

__all__ = ["SHELLS", "Shell", "completion_script"]

Shell = Literal["bash", "zsh", "fish"]


def completion_script(shell: Shell) -> str:
    """Return the script that completes commands, options, choices and file names in a shell."""
    return SHELLS[shell]()


def options_of(command: str) -> Iterator[Action]:
    """Yield the options of a command that its help shows."""
    for action in command_parser(command)._actions:
        if action.option_strings and action.help != SUPPRESS:
            yield action


def choices_of(action: Action) -> list[str]:
    """Return the values that an option takes, where there are few: those of its choices or its {a,b} metavar."""
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    shown = action.metavar if isinstance(action.metavar, str) else ""
    return shown[1:-1].split(",") if shown.startswith("{") else []


def _bash() -> str:
    branches = "\n".join(_bash_branch(name) for name in COMMANDS)
    return f"""# Completion of cinema for bash. To use it: source <(cinema info --completion bash)
_cinema() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" command="${{COMP_WORDS[1]}}"
  local options="" values=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{" ".join(COMMANDS)} --help --version" -- "$current"))
    return
  fi
  case "$command" in
{branches}
  esac
  if [ -n "$values" ]; then
    COMPREPLY=($(compgen -W "$values" -- "$current"))
  elif [[ "$current" == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  else
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -F _cinema cinema
"""


def _bash_branch(command: str) -> str:
    names = "|".join([command, *(other for other, name in ALIASES.items() if name == command)])
    actions = list(options_of(command))
    words = " ".join(word for action in actions for word in action.option_strings)
    cases = " ".join(
        f"{'|'.join(action.option_strings)}) values={quote(' '.join(choices_of(action)))};;"
        for action in actions
        if choices_of(action)
    )
    return f'    {names})\n      options="{words}"\n      case "$before" in {cases} *) ;; esac;;'


def _zsh() -> str:
    return (
        "# Completion of cinema for zsh. To use it: source <(cinema info --completion zsh)\n"
        "autoload -U +X compinit && compinit -u\nautoload -U +X bashcompinit && bashcompinit\n"
        "compopt() { return 0; }\n" + _bash()
    )


def _fish() -> str:
    lines = [
        "# Completion of cinema for fish. To use it: cinema info --completion fish | source",
        "complete -c cinema -n __fish_use_subcommand -f",
        *(f"complete -c cinema -n __fish_use_subcommand -a {name} -d {quote(text)}" for name, text in COMMANDS.items()),
    ]
    for name in COMMANDS:
        lines += [_fish_line(name, action) for action in options_of(name)]
    return "\n".join(lines) + "\n"


def _fish_line(command: str, action: Action) -> str:
    short = [f"-s {word[1:]}" for word in action.option_strings if not word.startswith("--")]
    long = [f"-l {word[2:]}" for word in action.option_strings if word.startswith("--")]
    values = [f"-x -a {quote(' '.join(choices_of(action)))}"] if choices_of(action) else []
    takes = [] if action.nargs == 0 or values else ["-r"]
    text = quote(" ".join((action.help or "").split()).replace("%(default)s", str(action.default)))
    return " ".join(
        [f"complete -c cinema -n '__fish_seen_subcommand_from {command}'", *short, *long, *values, *takes, "-d", text]
    )


SHELLS: Mapping[Shell, Callable[[], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
"""Shell -> the function that makes its script."""
