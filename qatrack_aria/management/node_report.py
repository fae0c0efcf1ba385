"""Write what is known of nodes as text that names no patient and no address, to be sent to us."""

from __future__ import annotations

import platform
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Iterator, Mapping, Sequence

from qatrack_aria.dicom.abilities import TITLES

PACKAGES = ("qatrack_aria", "Django", "pydicom", "pynetdicom")


def report(outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Return the report on the nodes that were tested."""
    return "\n".join(_lines(outcomes)) + "\n"


def _lines(outcomes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "What the DICOM services of this site can do, by qatrack_aria."
    yield "It holds no patient's data, no addresses and no names of machines."
    yield ""
    yield f"Date: {time.strftime('%Y-%m-%d')}"
    yield f"System: {platform.system()}, Python {platform.python_version()}"
    yield ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    for number, outcome in enumerate(outcomes, 1):
        yield from ("", f"Node {number}: {outcome['status']}", "")
        for key, value in outcome["settings"].items():
            yield f"  {key}: {value}"
        yield from ("", "  Connection test:")
        for step in outcome["steps"]:
            passed = "ok" if step["passed"] else "NO"
            yield f"    {passed}  {step['step']}: {step['seconds']} s"
        yield from ("", "  What it can do, as far as retrievals have shown:")
        for name, title in TITLES.items():
            yield f"    {title}: {_shown(outcome['abilities'].get(name))}"
        if outcome["probed"]:
            yield from ("", "  Questions to one series:")
            yield from (f"    {question}: {answer}" for question, answer in outcome["probed"])


def _shown(finding: Mapping[str, Any] | None) -> str:
    if finding is None:
        return "unknown"
    value = finding["value"]
    shown = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    return f"{shown} ({finding['evidence']}; {finding['at']})"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # it is run from its folder
        return "from source"
