"""Documents of the project: do decisions decide, and do contents lead where they say?"""

from __future__ import annotations

import re

from rollbook.coverage.lookup import Bundle, failed, few, proved
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import check
from rollbook.coverage.world import project_paths, project_text

SECTIONS = ("Context", "Decision", "Alternatives", "Consequences")
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_OWN_LINK = re.compile(r"\]\(#([^)\s]+)\)")
FEW_WORDS = 5
ENTRIES = 3
"""A list of fewer links is no table of contents."""


@check("docs.adr_decides")
def adr_decides(bundle: Bundle, path: str) -> Finding:
    """Each decision record at this path or pattern has a status, and something in each of its sections."""
    found, listed = project_paths(bundle, path)
    if not found:
        return failed(f"The project has no {path}.", listed)
    evidence: list[EvidenceRef] = []
    for name in found:
        text, refs = project_text(bundle, name)
        evidence.extend(refs)
        sections = _sections(text)
        empty = [title for title in SECTIONS if len(sections.get(title, "").split()) < FEW_WORDS]
        if empty or not re.search(r"^Status: *\w+", text, re.MULTILINE):
            what = f"says nothing under {', '.join(empty)}" if empty else "has no status"
            return failed(f"{name} {what}.", *few(evidence))
    told = found[0] if len(found) == 1 else f"Each of {len(found)} records at {path}"
    return proved(
        f"{told} has a status and says why, what was turned down, and what follows.", *few(evidence)
    )


def _sections(text: str) -> dict[str, str]:
    """Text below each heading of level 2, by its title."""
    parts = re.split(r"^## +(.+?)\s*$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=False))


@check("docs.has_toc")
def has_toc(bundle: Bundle, path: str) -> Finding:
    """The document begins with links to its own headings: each leads to one, and no section is left out."""
    text, refs = project_text(bundle, path)
    prose = _FENCED.sub("", text)
    headings = [(len(marks), title) for marks, title in _HEADING.findall(prose)]
    anchors = {_anchor(title) for _, title in headings}
    links = _OWN_LINK.findall(prose)
    if len(links) < ENTRIES:
        return failed(f"{path} has no table of contents.", *refs)
    dead = sorted(set(links) - anchors)
    if dead:
        return failed(f"{path} links to headings that it does not have: {', '.join(dead)}.", *refs)
    missing = [title for level, title in headings if level == 2 and _anchor(title) not in links]
    if missing:
        return failed(f"The contents of {path} leave out {', '.join(missing)}.", *refs)
    return proved(f"The contents of {path} name all of its {len(set(links))} sections.", *refs)


def _anchor(title: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
