"""A plan whose only images lie below years of another plan's, at the index server."""

from __future__ import annotations

from tools.benchmark.contenders import require, scratch
from tools.benchmark.measure import Samples
from tools.benchmark.site import INDEX, Site
from tools.benchmark.world import patient_long_ago
from tools.helper import Helper

PLAIN, FIRST = "one plain C-FIND for all images", "our first fetch"
AGAIN, ONE_MORE = "the same again", "with one daily series more"
CALLS = "calls of 25 s until it succeeds"
#: A search that takes more of them than that does not go on where it ended.
MOST_CALLS = 20
#: Seconds of a composite test.
DEADLINE = 25
UNFINISHED = "SearchUnfinishedError"


def at(days: int, what: str) -> str:
    """Name one row."""
    return f"{days} days ago: {what}"


def past(site: Site, runs: int) -> dict[str, Samples]:
    """Measure the images of a plan that lie below those of another, by days."""
    found: dict[str, Samples] = {}
    with Helper("benchmark.plain") as plain:
        for days in site.sizes.past:
            site.aria("add_past", days, site.sizes.per_day)
            rows = {what: Samples(at(days, what), "s") for what in (PLAIN, FIRST, AGAIN, ONE_MORE)}
            for _ in range(runs):
                _measure(site, plain, patient_long_ago(days), rows)
            found.update({row.name: row for row in rows.values()})
    calls = _calls(site)
    return {**found, calls.name: calls}


def _measure(site: Site, plain: Helper, patient: str, rows: dict[str, Samples]) -> None:
    done = plain("list_everything", site.aria_port, patient)
    rows[PLAIN].values.append(done["seconds"])
    rows[PLAIN].note = f"{done['images']} answers"
    with scratch(site.folder) as archive:

        def fetch(what: str) -> None:
            rows[what].values.append(site.fetch(INDEX, patient, archive, max_age=0)["seconds"])

        fetch(FIRST)
        fetch(AGAIN)
        site.aria("add_session", patient, site.sizes.per_day)
        fetch(ONE_MORE)


def _calls(site: Site) -> Samples:
    """Count the calls, each of a composite's time, until a long history is looked through."""
    days = site.sizes.very_past
    site.aria("add_past", days, site.sizes.per_day)
    row = Samples(at(days, CALLS), "calls")
    with scratch(site.folder) as archive:
        for call in range(1, MOST_CALLS + 1):
            came = site.fetch(
                INDEX, patient_long_ago(days), archive, max_age=0, deadline=DEADLINE, tried=True
            )
            if "error" not in came:
                row.values.append(call)
                return row
            require(came["error"], UNFINISHED)
            row.note = came["message"]
    raise AssertionError(f"not found in {MOST_CALLS} calls: {row.note}")
