"""Make a random hospital: patients, plans, machines, and the images of their sessions."""

from __future__ import annotations

import datetime as dt
import random
import unicodedata
from collections import Counter
from typing import Any, NamedTuple

from pydicom.dataset import Dataset

from qatrack_aria.simulator import phantom
from tools.hospitals import pictures
from tools.hospitals.sessions import Session, acquire

LABELS = ("WL", "WL", "PF", "WL_CUBE_6X_2026", "Wöchentlich", "Tägl. 6MV")
COURSES = ("C1", "C2", "QA 2026")
PATIENTS = ("QA_TB1", "QA_TB2", "QA_LINAC_WITH_A_LONG_NAME")
MACHINES = ("TB1", "TB2", "HAL 1")


class World(NamedTuple):
    """A hospital.

    `sessions` are what was made of it, for requests that hit something.
    """

    datasets: list[Dataset]
    plans: list[Dataset]
    sessions: list[Session]


def make_world(chance: random.Random, now: dt.datetime, with_private: bool = True) -> World:
    """Make a hospital.

    Parameters
    ----------
    chance : random.Random
        All that is random: the same hospital for the same state of it.
    now : datetime.datetime
        Nothing is of later.
    with_private : bool
        Whether a plan may be of a Halcyon's private SOP class.
    """
    plans: list[Dataset] = []
    sessions: list[Session] = []
    for patient in PATIENTS[: chance.choices((1, 2, 3), weights=(5, 3, 2))[0]]:
        mine: list[Dataset] = []
        for _ in range(chance.choices((1, 2, 3, 5), weights=(4, 4, 3, 1))[0]):
            mine.append(_plan(patient, mine, chance, now, with_private))
        for plan in mine:
            earlier: list[Session] = []
            for _ in range(chance.choices((0, 1, 2, 3, 4), weights=(1, 3, 4, 3, 1))[0]):
                # Of its own chance: what one draws, which may depend on the hour, moves no other.
                its_own = random.Random(chance.random())
                earlier.append(acquire(plan, mine, earlier, its_own, now))
            sessions += earlier
        plans += mine
    images = [image for session in sessions for image in session.images]
    _reference_twice(images, plans, chance)
    datasets = [*plans, *images]
    chance.shuffle(datasets)
    return World(datasets, plans, sessions)


def _plan(
    patient: str,
    others: list[Dataset],
    chance: random.Random,
    now: dt.datetime,
    with_private: bool,
) -> Dataset:
    """Make a plan; mostly with a label of its own, now and then with that of another."""
    label = chance.choice(LABELS)
    if chance.random() < 0.75:
        taken = {str(other.RTPlanLabel).strip() for other in others}
        label = chance.choice([one for one in LABELS if one not in taken] or [f"P{len(others)}"])
    private = with_private and chance.random() < 0.1
    plan = phantom.plan(
        patient,
        _spelt(label, chance),
        course=chance.choice(COURSES),
        created=now - dt.timedelta(days=chance.randrange(30, 900)),
        machine=chance.choice(MACHINES),
        beams=("G0", "G90"),
        **({"sop_class": phantom.HALCYON_PLAN} if private else {}),
    )
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(plan, keyword, pictures.uid(chance))
    plan.FrameOfReferenceUID = pictures.uid(chance)
    plan.file_meta.MediaStorageSOPInstanceUID = plan.SOPInstanceUID
    if others and chance.random() < 0.5:  # the plans of a course share a study
        for keyword in ("StudyInstanceUID", "StudyID", "StudyDate", "StudyTime"):
            setattr(plan, keyword, others[-1][keyword].value)
    return plan


def _spelt(label: str, chance: random.Random) -> str:
    """Write a label as planning systems do: padded, decomposed, or not at all."""
    kind = chance.random()
    if kind < 0.05:
        return ""
    if kind < 0.15:
        return f"{label} "[:16]
    if kind < 0.25:
        return unicodedata.normalize("NFD", label)[:16]
    return label


def _reference_twice(images: list[Dataset], plans: list[Any], chance: random.Random) -> None:
    """Let a few images name a second plan of their patient, first or last.

    The second one has to have other images in the series: a server that returns the first plan
    only would hide an image that is alone, and a newest one of a plan is not looked for among
    those of others.
    """
    number = Counter((str(image.SeriesInstanceUID), _first_plan(image)) for image in images)
    for image in images:
        if chance.random() < 0.03:
            others = [plan for plan in plans if plan.PatientID.strip() == image.PatientID.strip()]
            at = chance.choice((0, len(image.ReferencedRTPlanSequence)))
            item = pictures.reference(chance.choice(others))
            hidden = item.ReferencedSOPInstanceUID if at else _first_plan(image)
            if number[str(image.SeriesInstanceUID), hidden] > (0 if at else 1):
                image.ReferencedRTPlanSequence.insert(at, item)


def _first_plan(image: Dataset) -> str:
    return str(image.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID)
