"""Write the procedures of an analysis, as QATrack+'s black leaves them."""

from __future__ import annotations

from typing import Iterable

from qatrack_aria.analysis.model import CT, Analysis

LINE = 88  # characters, as QATrack+ has black write them
NODE = "aria_node = NODE  # name of the ARIA node; None is the default one"
#: Offers what was used the last time on this unit.
LAST = """\
# Offers what was {used} the last time on this unit.
last = UTILS.previous_test_instance("{macro}")
{macro} = last.string_value if last else "{first}"
"""


def call(begin: str, arguments: Iterable[str]) -> str:
    """Write a call on one line, or on several if it is longer than :data:`LINE`."""
    listed = list(arguments)
    line = f"{begin}({', '.join(listed)})"
    if len(line) <= LINE:
        return f"{line}\n"
    inner = f"    {', '.join(listed)}"
    if len(inner) <= LINE:
        return f"{begin}(\n{inner}\n)\n"
    return f"{begin}(\n" + "".join(f"    {one},\n" for one in listed) + ")\n"


def last_value(macro: str, used: str = "typed", first: str = "") -> str:
    """Write the procedure of a field that offers its last value on this unit."""
    return LAST.format(macro=macro, used=used, first=first)


def status(analysis: Analysis) -> str:
    """Write the procedure that says what was fetched."""
    if analysis.kind == CT:
        names = "fetch_series, fetch_status"
        end = ["fetch=fetch_series"]
    else:
        names, end = "fetch_status", []
    fetch = call("result = fetch_status", [*_request(analysis), *end])
    return f"from qatrack_aria import {names}\n\n{NODE}\n{fetch}"


def results(analysis: Analysis) -> str:
    """Write the procedure that runs the analysis."""
    used = call(f"result = analyses.{analysis.slug}", ["images", *_settings(analysis)])
    return _with_images(analysis, used, analyses=True)


def picture(analysis: Analysis) -> str:
    """Write the procedure that attaches pylinac's picture."""
    arguments = ["images", "UTILS", *_settings(analysis)]
    used = call(f"result = analyses.{analysis.slug}.attach", arguments)
    return _with_images(analysis, used, analyses=True)


def sheet(analysis: Analysis) -> str:
    """Write the procedure that attaches the contact sheet."""
    return _with_images(analysis, 'result = images.attach(UTILS, "sheet")\n')


def _with_images(analysis: Analysis, used: str, *, analyses: bool = False) -> str:
    function = "fetch_series" if analysis.kind == CT else "fetch_images"
    names = ["analyses", function] if analyses else [function]
    fetch = call(f"images = {function}", _request(analysis))
    return f"from qatrack_aria import {', '.join(names)}\n\n{NODE}\n{fetch}{used}"


def _request(analysis: Analysis) -> list[str]:
    prefix = analysis.prefix
    count = f"count={prefix}_expected"
    if analysis.kind == CT:
        series = f'description={prefix}_series or ""'
        return ["aria_node", "patientid", "utils=UTILS", series, count]
    beams = f'beam={prefix}_beams or ""'  # not filled in is not "any"
    kv = [f'kv="{analysis.kv}"' if analysis.kv == "only" else "kv=True"] if analysis.kv else []
    return ["aria_node", "patientid", "rtplanname", '"portal"', "utils=UTILS", beams, *kv, count]


def _settings(analysis: Analysis) -> list[str]:
    return [f"{one.key}={analysis.prefix}_{one.key}" for one in analysis.arguments]
