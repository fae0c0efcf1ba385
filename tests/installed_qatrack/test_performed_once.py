"""A session is performed once, whatever happens: a walk over all that can happen to a watch."""

from __future__ import annotations

import dataclasses
import os
import shutil

import pytest

from tests.installed_qatrack.aria import DAY, LATEST, PATIENT, asking, irradiation, uids_of

UIDS = asking("fetch_images", '" ".join(i["sop_uid"] for i in images.summary["images"])')
NAME = "WL on TB1"
#: Every one of the writes is tried where this is 1.
EVERY = int(os.environ.get("EVERY_WRITE") or 4)
MOST_WRITES = 300


@dataclasses.dataclass
class Tally:
    """What the faults came to."""

    faults: int = 0
    twice: int = 0
    wrong: int = 0
    lost: int = 0
    partial: int = 0

    def __str__(self) -> str:
        return (
            f"faults tried {self.faults}, lists performed twice {self.twice}, "
            f"wrong {self.wrong}, lost {self.lost}, partial {self.partial}"
        )


class Walk:
    """Two sessions of a plan, which a watch performs; with an accident, and then without."""

    def __init__(self, qatrack, days):
        self.qatrack = qatrack
        self.days = [uids_of(images) for images in days]
        self.tally = Tally()

    def start(self):
        self.qatrack.ask("start_anew")

    def look(self):
        self.qatrack.ask("set_session", retry=None)
        return self.qatrack.ask("look", name=NAME)

    def judge(self):
        """Count what is performed now."""
        self.tally.faults += 1
        saved = [sorted(s["values"]["uids"].split()) for s in self.qatrack.ask("sessions")]
        for day in self.days:
            self.tally.twice += max(0, saved.count(day) - 1)
            self.tally.lost += day not in saved
        for one in saved:
            partial = any(set(one) < set(day) for day in self.days)
            self.tally.partial += partial
            self.tally.wrong += one not in self.days and not partial


@pytest.fixture
def walk(serve, add_list, qatrack, wl):
    days = [irradiation(wl, LATEST - number * DAY, count=2) for number in (1, 0)]
    serve(wl, *days)
    made = add_list(uids=UIDS)
    wrong = qatrack.ask(
        "add_watch", name=NAME, patient_id=PATIENT, plan="WL", collection=made["collection"]
    )
    assert wrong == {}
    return Walk(qatrack, days)


def test_it_is(walk, qatrack, print_at_end):
    for deed in ("kill", "lose"):
        for at in range(1, MOST_WRITES, EVERY):
            walk.start()
            reached = qatrack.ask("accident", name=NAME, deed=deed, at=at)
            walk.look()
            walk.judge()
            if not reached:
                break
        else:
            pytest.fail(f"there are more than {MOST_WRITES} writes")
    for befalls in (
        lambda: qatrack.ask("look_twice_at_once", name=NAME),
        lambda: qatrack.ask("forget_watched"),
        lambda: shutil.rmtree(qatrack.archive),
        lambda: qatrack.ask("change_watch", minutes=9),
        lambda: qatrack.ask("set_back", days=3),
    ):
        walk.start()
        walk.look()
        befalls()
        walk.look()
        walk.judge()
    walk.start()
    qatrack.ask("look_twice_at_once", name=NAME)
    walk.look()
    walk.judge()
    print_at_end(str(walk.tally))
    assert walk.tally == Tally(walk.tally.faults)
    assert walk.tally.faults > 20
