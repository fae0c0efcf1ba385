"""A simulated ARIA that something happens to while it sends, and what came of it here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pydicom
from pydicom.dataset import Dataset

from qatrack_aria import fetch_images
from qatrack_aria.conf import conf
from qatrack_aria.simulator import Simulator
from tests.helpers.aria import PATIENT, plan, uids, winston_lutz
from tests.helpers.waiting import until

OUT_OF_RESOURCES = 0xA700
IMAGES = 4  # of about 11 kB each


class World:
    """A simulated ARIA, what it was asked for, and what it has sent."""

    def __init__(self, serve: Any) -> None:
        self.plan = plan()
        self.images = winston_lutz(self.plan, count=IMAGES)
        self._begin: Callable[[], None] | None = None
        self._at = 0
        self._sending: list[Dataset] = []
        self.simulator: Simulator = serve(self.plan, self.images, on_send=self._on_send)

    def at_image(self, number: int, happens: Callable[[], None]) -> None:
        """Have something happen before the n-th image is sent, those before it being filed."""
        self._at, self._begin = number, happens

    def _on_send(self, image: Dataset) -> Dataset:
        self._sending.append(image)
        if self._begin is not None and len(self._sending) == self._at:
            assert until(lambda: list(conf.ARCHIVE.glob("incoming/*")) == [])
            self._begin()
        return image

    def taken_and_refused(self) -> tuple[int, int]:
        """How many C-STOREs we took before the first that we did not, and the status of that."""
        statuses = [store.status for store in self.simulator.operations("C-STORE")]
        taken = next(number for number, status in enumerate(statuses) if status != 0)
        assert 0 not in statuses[taken:]
        return taken, statuses[taken]

    def taken(self) -> list[str]:
        """The SOP Instance UIDs of the C-STOREs that we answered with Success."""
        stores = self.simulator.operations("C-STORE")
        return sorted(s.identifier["SOPInstanceUID"] for s in stores if s.status == 0)

    def whole(self, archive: Path) -> int:
        """How many images the archive holds; an error if there is anything that is not whole."""
        found = list(archive.glob("instances/*/*/*.dcm"))
        for path in found:
            assert pydicom.dcmread(path) in self.images, f"{path.name} is not whole"
        assert list(archive.glob("incoming/*")) == []
        return len(found)


def fetched() -> list[str]:
    return uids(fetch_images("aria", PATIENT, "WL", max_age=0))


def assert_goes_on(world: World, archive: Path) -> None:
    """The next fetch is right, and asks for nothing that was taken before."""
    assert fetched() == uids(world.images)
    assert world.taken() == uids(world.images)
    assert world.whole(archive) == IMAGES
