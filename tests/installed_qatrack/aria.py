"""What the simulated ARIA holds in these tests, and what composite tests ask of it.

All sessions lie in the past of every time zone: the clinic's clocks are not this machine's.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from qatrack_aria.simulator import Simulator, phantom

PATIENT = "QA_TB1"
STRANGER = "12345678"  # whom the node may not fetch
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
LATEST = dt.datetime.combine(dt.date.today() - 2 * DAY, dt.time(12))

#: Who sits in front of the browser: the page of a saved list has a field for the time when the work
#: was completed, and tells it, only for those who may change it.
EVERYBODY = pytest.mark.parametrize("person", ["chief", "physicist"])

FILLED = {"patientid": PATIENT, "rtplanname": "WL"}
FIELDS = [("patientid", "string", None), ("rtplanname", "string", None)]


def plan(patient: str = PATIENT, label: str = "WL") -> Any:
    """A plan that was made two months before the latest session."""
    return phantom.plan(patient, label, created=LATEST - 60 * DAY)


def irradiation(plan: Any, acquired: dt.datetime = LATEST, **options: Any) -> list[Any]:
    """Images of one Winston-Lutz session: small ones, which arrive quickly."""
    return phantom.winston_lutz(plan, acquired, **{"full_size": False, **options})


def asking(what: str, then: str, *, utils: bool = True, **keywords: Any) -> str:
    """The procedure of a composite test: ``images = what(node, patientid, …)``, and a result."""
    extra = "".join(f", {name}={value!r}" for name, value in keywords.items())
    extra += ", utils=UTILS" if utils else ""
    call = f'images = {what}("aria", patientid, rtplanname, "portal"{extra})'
    return f"from qatrack_aria import {what}\n\n{call}\nresult = {then}\n"


SUMMARY = asking("fetch_images", "images.summary")
STATUS = asking("fetch_status", "images")


def uids_of(images: list[Any]) -> list[str]:
    """The SOP Instance UIDs of data sets; in no order."""
    return sorted(str(image.SOPInstanceUID) for image in images)


def uids_in(summary: Any) -> list[str]:
    """The SOP Instance UIDs in what ``images.summary`` gave; in no order."""
    return sorted(image["sop_uid"] for image in summary["images"])


def sent(simulator: Simulator) -> list[str]:
    """The SOP Instance UID of every image that the simulator has sent; in no order."""
    stores = simulator.operations("C-STORE")
    return sorted(store.identifier["SOPInstanceUID"] for store in stores)
