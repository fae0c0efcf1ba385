"""What the servers hold: QA patients with a history of short or long, and full-size images.

Each patient of :func:`history` has one plan, and one series of small images on each day back from
yesterday: so the newest are over, and the first days that are searched are full.
"""

from __future__ import annotations

import datetime as dt
from typing import Iterable, Iterator, NamedTuple

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from qatrack_aria.simulator import phantom
from qatrack_aria.simulator.phantom.files import as_file

LABEL = "WL"
DAILY = "DAILY"
FULL_PATIENT = "QA_WL"
RECEIVED_PATIENT = "QA_RECEIVED"
DAY = dt.timedelta(days=1)
YESTERDAY = dt.datetime.combine(dt.date.today(), dt.time(12)) - DAY


class Sizes(NamedTuple):
    """How much of everything.

    Attributes
    ----------
    history : tuple of int
        Series of each patient that the index server holds.
    stored : tuple of int
        Series of each patient that Orthanc holds, which has to be filled over the network.
    per_series : int
        Images of each of these series, 64 × 64 pixels.
    full : int
        Images of the Winston-Lutz set.
    is_full_size : bool
        Whether these, and those that are received, are of 1280 × 1280 pixels (3.3 MB).
    received : int
        Images that are sent to a receiver.
    many, few : int
        Images of two fetches whose memory is compared, 64 × 64 pixels.
    weighed : tuple of str
        The retrieve methods whose memory is.
    past : tuple of int
        Days back from yesterday at which a plan's only images lie, below those of a daily plan.
    per_day : int
        Images of that daily plan on each day since.
    very_past : int
        The same, of a history for which one composite's time does not suffice.
    watches, rounds : int
        Watches, on four nodes, and how often all of them look.
    """

    history: tuple[int, ...] = (1, 10, 100, 500, 5000)
    stored: tuple[int, ...] = (1, 10, 100, 500)
    per_series: int = 8
    full: int = 8
    is_full_size: bool = True
    received: int = 100
    many: int = 1000
    few: int = 8
    weighed: tuple[str, ...] = ("C-MOVE", "C-GET")
    past: tuple[int, ...] = (330, 1000)
    per_day: int = 10
    very_past: int = 2500
    watches: int = 200
    rounds: int = 12


FULL = Sizes()
SMALL = Sizes((1, 10), (1, 10), 2, 4, False, 4, 10, 2, ("C-MOVE",), (20,), 2, 40, 8, 2)


def patient_of(series: int) -> str:
    """Return the patient with so many series."""
    return f"QA_{series}_SERIES"


def patient_with(images: int) -> str:
    """Return the patient with so many images in one series."""
    return f"QA_{images}_IMAGES"


def patient_long_ago(days: int) -> str:
    """Return the patient whose yearly images are so many days older than the daily ones."""
    return f"QA_{days}_DAYS_AGO"


def below_daily_images(days: int, per_day: int) -> Iterator[Dataset]:
    """Make a plan with one session of images long ago, and a plan with some on each day since."""
    patient = patient_long_ago(days)
    yearly, daily = (_plan(patient, label) for label in (LABEL, DAILY))
    daily.StudyInstanceUID = yearly.StudyInstanceUID
    yield from (yearly, daily)
    models = phantom.winston_lutz(yearly, YESTERDAY, full_size=False, count=8)
    yield from _session(models, days)
    models = phantom.winston_lutz(daily, YESTERDAY, full_size=False, count=per_day)
    for day in reversed(range(days)):
        yield from _session(models, day)


def one_more_session(patient: str, per_day: int) -> Iterator[Dataset]:
    """Make another series of daily images, of yesterday."""
    daily = _plan(patient, DAILY)
    return _session(phantom.winston_lutz(daily, YESTERDAY, full_size=False, count=per_day), 0)


def watched_plan(patient: str) -> Dataset:
    """Make the plan of a patient that is watched."""
    return _plan(patient)


def watched_sessions(plan: Dataset, days_ago: Iterable[int], per_series: int) -> Iterator[Dataset]:
    """Make a series of images of a plan on each of some days."""
    models = phantom.winston_lutz(plan, YESTERDAY, full_size=False, count=per_series)
    for day in days_ago:
        yield from _session(models, day)


def _session(models: Iterable[Dataset], days_ago: int) -> Iterator[Dataset]:
    uid = generate_uid()
    return (_taken_again(model, uid, days_ago) for model in models)


def history(series: int, per_series: int) -> Iterator[Dataset]:
    """Make a plan and the series of its images, one a day."""
    plan = _plan(patient_of(series))
    yield plan
    models = phantom.winston_lutz(plan, YESTERDAY, full_size=False, count=per_series)
    for days in range(series):
        yield from _session(models, days)


def one_series(patient: str, images: int, *, full_size: bool) -> Iterator[Dataset]:
    """Make a plan and one series of its images."""
    plan = _plan(patient)
    yield plan
    (model,) = phantom.winston_lutz(plan, YESTERDAY, full_size=full_size, count=1)
    series = generate_uid()
    for _ in range(images):
        yield _taken_again(model, series, 0)


def _plan(patient: str, label: str = LABEL) -> Dataset:
    return phantom.plan(patient, label, created=YESTERDAY - 30 * DAY)


def _taken_again(model: Dataset, series_uid: str, days_ago: int) -> Dataset:
    """Copy an image to an earlier day; what does not differ is shared, to save memory."""
    date = (YESTERDAY - days_ago * DAY).strftime("%Y%m%d")
    image = Dataset()
    image.update(model)
    image.add_new("SOPInstanceUID", "UI", generate_uid())
    image.add_new("SeriesInstanceUID", "UI", series_uid)
    for keyword in ("AcquisitionDate", "ContentDate", "SeriesDate"):
        image.add_new(keyword, "DA", date)
    return as_file(image)
