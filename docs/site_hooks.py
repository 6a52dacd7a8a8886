"""Hooks of the documentation site: pages of the repository's root are part of it, and every link must lead somewhere.

A link to a page inside docs or to one of `ROOT_PAGES` becomes a link of the site; one to another file of the repository
becomes its text, after a check that the file exists. Any other link that is not found stops the build.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
ROOT_PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "AGENTS.md", "CHANGELOG.md", "SECURITY.md", "LOG.md")
FOLDER = "project"
LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#]*)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of the root."""
    for name in ROOT_PAGES:
        files.append(File.generated(config, f"{FOLDER}/{name}", content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Rewrite the links of a page for the site."""
    uri = page.file.src_uri
    is_root = uri.startswith(f"{FOLDER}/")
    folder = ROOT if is_root else (ROOT / "docs" / uri).parent
    return LINK.sub(lambda match: rewritten(match, uri, folder), markdown)


def rewritten(match: re.Match[str], uri: str, folder: Path) -> str:
    """Return one link as the site has it."""
    target, text = match["target"], match["text"]
    if not target or ":" in target:
        return match[0]
    path = (folder / target).resolve()
    if not path.exists() or not path.is_relative_to(ROOT):
        raise PluginError(f"{uri}: the link to '{target}' leads nowhere; expected a file of the repository")
    place = path.relative_to(ROOT).as_posix()
    if place in ROOT_PAGES:
        address = f"{FOLDER}/{place}"
    elif place.startswith("docs/") and path.is_file() and path.suffix != ".py":
        address = place.removeprefix("docs/")
    else:
        return text if not match["image"] else ""
    relative = posixpath.relpath(address, posixpath.dirname(uri) or ".")
    return f"{match['image']}[{text}]({relative}{match['anchor'] or ''})"
