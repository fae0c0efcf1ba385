"""Open the images of an earlier result again, from the archive alone."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

from qatrack_aria.conf import conf
from qatrack_aria.dicom.deadline import Deadline
from qatrack_aria.errors import ArchiveError
from qatrack_aria.models import AriaNode
from qatrack_aria.retrieval.answer_cache import AnswerCache, repeated
from qatrack_aria.retrieval.archived_plans import archived_plan
from qatrack_aria.retrieval.hand_over import open_again
from qatrack_aria.retrieval.imageset import ImageSet
from qatrack_aria.retrieval.job import COMPOSITE, Caller
from qatrack_aria.retrieval.provenance import Provenance
from qatrack_aria.retrieval.record import REOPENED, recorded, request_json
from qatrack_aria.retrieval.request import MAX_AGE
from qatrack_aria.retrieval.timeline import LAY_OUT
from qatrack_aria.storage.archive import Archive
from qatrack_aria.storage.in_time import in_time


def reopen(summary: Any, *, caller: Caller = COMPOSITE) -> ImageSet:
    """Lay out the images of an earlier summary again, from the archive alone.

    Parameters
    ----------
    summary : dict
        A value of :attr:`ImageSet.summary`; a browser may have changed it.
    caller : Caller
        The origin of the request.

    Raises
    ------
    RequestError
        The summary is not as this site has signed it.
    PatientNotAllowedError
        The node does not list this patient among those it may fetch.
    IncompleteRetrievalError
        The archive does not have all images as they were handed over, from that node; the message
        says how many and which.
    """
    with recorded(**caller.fields) as record:
        earlier = Provenance.parse(summary)
        record.know(node_name=earlier.node, patient_id=earlier.patient_id, plan=earlier.plan)
        node = record.row.node = AriaNode.objects.named(earlier.node)
        node.require_allowed(earlier.patient_id)
        record.row.request = request_json({REOPENED: len(earlier.sop_uids)})
        on_disk = partial(in_time, Deadline(node.deadline, caller.spent), conf.ARCHIVE)
        archive = on_disk(lambda: Archive(conf.ARCHIVE, node.character_set, node.name))
        # The signature stands for all that a summary says.
        cache = AnswerCache(archive, node.name, node.character_set, earlier.signature)
        images = repeated(on_disk(lambda: cache.get(MAX_AGE)), record)
        if images is None:
            record.begin()
            with record.timeline.step(LAY_OUT):
                images = on_disk(lambda: open_again(archive, node.name, earlier))
            record.row.found = record.row.already_here = len(images)
            record.row.folder = images.path
            with contextlib.suppress(ArchiveError):
                on_disk(partial(cache.put, images, record.row.pk))
    return images.with_plan(lambda: on_disk(lambda: archived_plan(archive, images.plan)))
