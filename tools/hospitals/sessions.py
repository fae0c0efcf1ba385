"""Acquire the sessions of a random hospital: images of a plan, one after another, in series."""

from __future__ import annotations

import datetime as dt
import random
from typing import NamedTuple

from pydicom.dataset import Dataset

from tools.hospitals import pictures
from tools.hospitals.pictures import pick

#: Days ago, by how often: the app searches three days, two weeks, four months, everything.
AGES = {0: 5, 1: 4, 2: 3, 3: 2, 5: 3, 13: 2, 15: 2, 60: 3, 119: 1, 200: 2, 800: 2, 4000: 1}
#: Seconds between images, by how often; the last are as far apart as a session allows, and more.
GAPS = {20: 6, 35: 8, 90: 4, 400: 2, 1500: 1, 1800: 0.3, 1801: 0.3}
NUMBERS = {1: 2, 2: 3, 3: 3, 4: 3, 6: 1, 8: 1}
#: What is saved later is saved by then.
LATEST_SAVING = dt.timedelta(seconds=210)
ONE, TWO, EACH, AS_BEFORE = "one series", "two series", "one each", "the series of an earlier one"
LAYOUTS = {ONE: 12, TWO: 2, EACH: 2, AS_BEFORE: 3}


class Session(NamedTuple):
    """Images of a plan that were taken together, and what was taken beside them."""

    plan: Dataset
    machine: str
    images: list[Dataset]


def acquire(
    plan: Dataset,
    plans: list[Dataset],
    earlier: list[Session],
    chance: random.Random,
    now: dt.datetime,
) -> Session:
    """Acquire a session of a plan.

    Parameters
    ----------
    plan : pydicom.dataset.Dataset
        The plan.
    plans : list of pydicom.dataset.Dataset
        All plans of the patient; an image of another may get into the session.
    earlier : list of Session
        Other sessions of the plan, whose series may go on and whose day may be used again.
    chance : random.Random
        The source of all that is random.
    now : datetime.datetime
        No image is of later.
    """
    moments = _moments(earlier, chance, now)
    machine = str(plan.BeamSequence[0].TreatmentMachineName)
    if chance.random() < 0.15:
        machine = chance.choice(("TB1", "TB2"))
    dating, beam = pick(pictures.DATING, chance), pick(pictures.BEAMS, chance)
    if dating is pictures.saved_later and now - moments[-1] < LATEST_SAVING:
        dating = pictures.as_is  # nothing is saved in the future
    images = []
    for number, moment in enumerate(moments, start=1):
        image = pictures.image(plan, moment, number, chance)
        for habit in (dating, beam, pick(pictures.TYPES, chance)):
            habit(image, moment, chance)
        images.append(image)
    _lay_out(images, earlier, chance)
    if chance.random() < 0.06:
        habit = pick({**pictures.UNDATED, **pictures.CONTRADICTORY}, chance)
        for image in images if chance.random() < 0.4 else images[:1]:
            habit(image, moments[0], chance)
    images += _beside(plan, plans, images, moments, chance)
    for image in images:
        _name_machine(image, machine, chance)
    if chance.random() < 0.15:  # not in the study of the plan
        study, name = pictures.uid(chance), chance.choice(("", "C1"))
        for image in images:
            image.StudyInstanceUID, image.StudyID = study, name
    _one_study_a_series(images, earlier)
    return Session(plan, machine, images)


def _moments(earlier: list[Session], chance: random.Random, now: dt.datetime) -> list[dt.datetime]:
    """Choose when the images are taken: apart from other sessions of the plan, or not."""
    number = pick(NUMBERS, chance)
    kind = chance.random()
    if kind < 0.1 and number > 1:  # over midnight
        days = dt.timedelta(days=pick(AGES, chance) + 1)
        midnight = dt.datetime.combine((now - days).date(), dt.time()) + dt.timedelta(days=1)
        first = midnight - dt.timedelta(seconds=chance.uniform(20, 60 * number))
    elif kind < 0.3 and earlier:  # repeated, an hour or more after another
        first = _begin(chance.choice(earlier), now) + dt.timedelta(minutes=chance.choice((70, 150)))
    elif kind < 0.36:  # in the last minutes
        first = now - dt.timedelta(seconds=chance.uniform(30, 900))
    else:
        day = (now - dt.timedelta(days=pick(AGES, chance))).date()
        first = dt.datetime.combine(day, dt.time(6)) + dt.timedelta(hours=chance.uniform(0, 14))
    moments = [first]
    gap = pick(GAPS, chance)
    while len(moments) < number:
        seconds = pick(GAPS, chance) if chance.random() < 0.1 else gap
        moments.append(moments[-1] + dt.timedelta(seconds=seconds))
    late = max(dt.timedelta(0), moments[-1] - (now - dt.timedelta(seconds=10)))
    if late:  # else it would be in the future
        late += dt.timedelta(hours=chance.choice((0, 2, 3, 5)))
    return [moment - late for moment in moments]


def _begin(session: Session, now: dt.datetime) -> dt.datetime:
    day = day_of(session.images[0])
    return dt.datetime.combine(day, dt.time(9)) if day else now - dt.timedelta(days=9)


def day_of(image: Dataset) -> dt.date | None:
    """Return the day in the header of an image, if there is one."""
    text = str(image.get("ContentDate") or image.get("AcquisitionDate") or "").replace(".", "")
    return dt.datetime.strptime(text, "%Y%m%d").date() if text else None


def _lay_out(images: list[Dataset], earlier: list[Session], chance: random.Random) -> None:
    """Put the images into series."""
    layout = pick(LAYOUTS, chance)
    fresh = [pictures.uid(chance) for _ in images]
    if layout == AS_BEFORE and earlier:
        fresh[0] = str(chance.choice(earlier).images[0].SeriesInstanceUID)
    cut = chance.randrange(1, len(images)) if len(images) > 1 else 1
    for at, image in enumerate(images):
        series = {EACH: at, TWO: int(at >= cut)}.get(layout, 0)
        image.SeriesInstanceUID = fresh[series]
        image.SeriesNumber = series + 1


def _beside(
    plan: Dataset,
    plans: list[Dataset],
    images: list[Dataset],
    moments: list[dt.datetime],
    chance: random.Random,
) -> list[Dataset]:
    """Take what does not belong: kV images, doses, other types, and images of other plans."""
    more = []
    for kind in ("kV", "type", "plan"):
        if chance.random() > 0.2:
            continue
        for number in range(chance.randrange(1, 3)):
            near = chance.choice(moments) - dt.timedelta(seconds=chance.randrange(1, 15))
            whose = chance.choice(plans) if kind == "plan" else plan
            image = pictures.image(whose, near, 50 + number, chance)
            like = chance.choice(images)
            _file_under(image, like)
            image.SeriesInstanceUID = like.SeriesInstanceUID
            if chance.random() < 0.3:
                image.SeriesInstanceUID = pictures.uid(chance)
            if kind == "kV":
                pictures.kilovolt(image, near, chance)
            elif kind == "type":
                image.ImageType = list(chance.choice(pictures.OTHER_TYPES))
            more.append(image)
    return more


def _name_machine(image: Dataset, machine: str, chance: random.Random) -> None:
    """Name the machine in one attribute or the other."""
    image.StationName = machine
    if chance.random() < 0.9:
        image.RadiationMachineName = machine + (" " if chance.random() < 0.05 else "")
        if chance.random() < 0.1:
            image.StationName = "CONSOLE 7"


def _one_study_a_series(images: list[Dataset], earlier: list[Session]) -> None:
    """Let all images of a series be of one study, as they must."""
    first: dict[str, Dataset] = {}
    for image in [image for session in earlier for image in session.images] + images:
        _file_under(image, first.setdefault(str(image.SeriesInstanceUID), image))


def _file_under(image: Dataset, other: Dataset) -> None:
    for keyword in ("StudyDate", "StudyTime", "StudyInstanceUID", "StudyID"):
        setattr(image, keyword, other[keyword].value)
