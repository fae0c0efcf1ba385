"""Images attached to a composite: one attachment, however often QATrack+ computes it."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pydicom
import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from qatrack_aria import fetch_images
from qatrack_aria.errors import AriaError, ConfigurationError, RequestError
from qatrack_aria.simulator import phantom
from tests.helpers.aria import DAY, NOON, PATIENT, plan, uids, winston_lutz
from tests.helpers.standin.attaching import save
from tests.helpers.standin.fixtures import FETCH, HEAD

FILLED = {"patientid": PATIENT, "rtplanname": "WL"}
ATTACH = f"result = {FETCH}.attach(UTILS)"
NEWEST = ATTACH.replace("utils=UTILS", "utils=UTILS, max_age=0")
FIELDS = {f"field_{number}": "1.0" for number in range(8)}
STARTED = NOON - DAY + dt.timedelta(hours=1)
TYPED = "%Y-%m-%d %H:%M"


@pytest.fixture
def aria(serve):
    """A simulated ARIA with yesterday's Winston-Lutz images."""
    wl = plan()
    simulator = serve(wl, winston_lutz(wl, NOON - DAY, count=3))
    simulator.wl = wl
    return simulator


def ids(opened, slug="composite"):
    return [given["attachment_id"] for given in opened.attached[slug]]


def content(attachment):
    with attachment.attachment.open("rb") as file:
        return file.read()


def in_zip(attachment):
    """The images in an attached zip file."""
    with zipfile.ZipFile(io.BytesIO(content(attachment))) as archive:
        return [pydicom.dcmread(io.BytesIO(archive.read(name))) for name in archive.namelist()]


def uploaded(settings):
    """All files that QATrack+ keeps."""
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


# --- while a list is filled in ----------------------------------------------------------------


def test_qatracks_own_way_attaches_again_at_every_field(node, page, attachments):
    opened = page("UTILS.write_file('a.txt', b'x')\nresult = 1", *FIELDS).fill(**FIELDS)
    assert len(attachments()) == 1 + len(FIELDS)
    assert ids(opened) == [attachments()[-1].pk]


def test_ten_fields_make_one_attachment_that_the_page_lists_each_time(
    aria, page, attachments, settings
):
    opened = page(ATTACH, *FIELDS).fill(**FILLED)
    assert opened.tooltips == {}
    first = ids(opened)
    opened.fill(**FIELDS)
    assert ids(opened) == first == [attachment.pk for attachment in attachments()]
    assert len(uploaded(settings)) == 1


def test_the_zip_holds_the_images_and_no_name_of_staff(aria, page, attachments):
    page(ATTACH).fill(**FILLED)
    (attachment,) = attachments()
    packed = in_zip(attachment)
    assert uids(packed) == uids(fetch_images("aria", PATIENT, "WL"))
    assert {str(ds.get("OperatorsName", "")) for ds in packed} == {""}
    assert phantom.OPERATOR.encode() not in b"".join(ds.PixelData for ds in packed)


def test_the_contact_sheet_is_a_picture(aria, page, attachments):
    pytest.importorskip("PIL")
    opened = page(f"result = {FETCH}.attach(UTILS, 'sheet')").fill(**FILLED)
    assert opened.tooltips == {}
    (attachment,) = attachments()
    assert content(attachment).startswith(b"\x89PNG")
    assert opened.attached["composite"][0]["is_image"] is True


def test_newer_images_take_the_place_of_the_older(aria, page, attachments, settings):
    opened = page(NEWEST).fill(**FILLED)
    before = ids(opened)
    newer = winston_lutz(aria.wl, NOON, count=2)
    aria.add(newer)
    assert ids(opened.recalculate()) == before
    (attachment,) = attachments()
    assert uids(in_zip(attachment)) == uids(newer)
    assert len(uploaded(settings)) == 1


def test_two_composites_have_an_attachment_each(aria, page, attachments):
    opened = page({"one": HEAD + ATTACH, "two": HEAD + ATTACH}).fill(**FILLED).recalculate()
    assert len(attachments()) == 2
    assert sorted(ids(opened, "one") + ids(opened, "two")) == [a.pk for a in attachments()]


def test_a_composite_without_attachment_is_not_given_that_of_another(aria, page, attachments):
    opened = page({"one": HEAD + ATTACH, "two": "one\nresult = 2"}).fill(**FILLED)
    assert opened.attached["two"] == []


def test_attaching_twice_in_one_procedure_names_it_once(aria, page, attachments):
    opened = page(f"{ATTACH}\nresult = {FETCH}.attach(UTILS)").fill(**FILLED)
    assert len(ids(opened)) == len(attachments()) == 1


def test_two_people_with_the_same_list_have_an_attachment_each(aria, page, user, attachments):
    page(ATTACH).fill(**FILLED)
    user.pk, user.username = None, "chief"
    user.save(force_insert=True)
    page(ATTACH).fill(**FILLED)
    assert [a.created_by_id for a in attachments()] == list(
        get_user_model().objects.order_by("pk").values_list("pk", flat=True)
    )


@pytest.mark.parametrize(
    "lie", [None, [], {}, "<b>now</b>", 5, "x" * 1_000_000, "0001-01-03 00:00"]
)
def test_a_page_that_lies_about_its_start_has_one_attachment_too(aria, page, attachments, lie):
    opened = page(ATTACH, work_started=lie).fill(**FILLED).recalculate()
    assert opened.tooltips == {}
    assert len(attachments()) == 1


@pytest.mark.parametrize("meta", [None, [], "x", 5])
def test_a_page_without_meta_has_one_attachment_too(aria, page, attachments, meta):
    opened = page(ATTACH)
    opened.meta = meta
    assert opened.fill(**FILLED).recalculate().tooltips == {}
    assert len(attachments()) == 1


# --- submitted, and opened again --------------------------------------------------------------


@pytest.fixture
def session(aria, page, attachments):
    """A session of yesterday that was submitted with its images."""
    opened = page(ATTACH, work_started=STARTED.strftime(TYPED)).fill(**FILLED)
    times = [timezone.make_aware(STARTED + dt.timedelta(hours=hours)) for hours in (0, 2)]
    saved = save(opened.attached, *times)
    saved.times = times
    saved.meta = {
        "work_started": times[0].strftime(TYPED),
        "work_completed": times[1].strftime(TYPED),
    }
    return saved


def test_the_attachment_belongs_to_the_test_that_was_submitted(session, attachments):
    (attachment,) = attachments()
    assert attachment.testinstance.slug == "composite"


def test_opening_a_session_for_editing_attaches_nothing_more(session, page, attachments):
    before = [attachment.pk for attachment in attachments()]
    opened = page(ATTACH, **session.meta).fill(**FILLED)
    assert ids(opened) == before == [attachment.pk for attachment in attachments()]


def test_who_may_not_change_its_dates_attaches_nothing_more_either(session, page, attachments):
    """Their page tells only when the session was started."""
    before = [attachment.pk for attachment in attachments()]
    opened = page(ATTACH, work_started=session.meta["work_started"]).fill(**FILLED)
    assert ids(opened) == before == [attachment.pk for attachment in attachments()]


def test_a_list_that_is_repeated_within_a_minute_leaves_the_attachment_of_the_last_alone(
    aria, page, attachments
):
    now = timezone.localtime()
    opened = page(ATTACH, work_started=now.strftime(TYPED)).fill(**FILLED)
    save(opened.attached, now, now)
    again = page(ATTACH, work_started=now.strftime(TYPED)).fill(**FILLED)
    assert ids(again) != ids(opened)
    assert len(attachments()) == 2


def test_an_edited_session_keeps_its_attachment(session, page, attachments):
    opened = page(ATTACH, **session.meta).fill(**FILLED)
    save(opened.attached, *session.times, session)
    (attachment,) = attachments()
    assert attachment.testinstance.test_list_instance == session


def test_the_next_session_leaves_the_attachment_of_the_last_alone(aria, session, page, attachments):
    (before,) = attachments()
    packed = content(before)
    aria.add(winston_lutz(aria.wl, NOON, count=2))
    page(NEWEST, work_started=(STARTED + dt.timedelta(hours=4)).strftime(TYPED)).fill(**FILLED)
    assert len(attachments()) == 2
    assert content(attachments()[0]) == packed


def test_a_page_that_is_open_elsewhere_keeps_its_images(aria, page, attachments):
    """Two pages of one list, begun at different times, of which neither is submitted yet."""
    first = page(NEWEST, work_started=STARTED.strftime(TYPED)).fill(**FILLED)
    packed = content(attachments()[0])
    aria.add(winston_lutz(aria.wl, NOON, count=2))
    later = (STARTED + dt.timedelta(hours=4)).strftime(TYPED)
    second = page(NEWEST, work_started=later).fill(**FILLED)
    assert ids(first) != ids(second)
    assert content(attachments()[0]) == packed


# --- where nothing can be attached ------------------------------------------------------------


@pytest.fixture
def images(aria):
    return fetch_images("aria", PATIENT, "WL")


def test_without_qatrack_there_is_nothing_to_attach_to(images, user, unit):
    utils = SimpleNamespace(
        context={"__user_attached__": []}, user=user, unit=unit, test_list=unit, meta={}
    )
    with pytest.raises(ConfigurationError, match="QATrack\\+ is not installed here"):
        images.attach(utils)


class Raising:
    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")


@pytest.mark.parametrize("utils", ["None", "'UTILS'", "5", "{}", "object()", "META", "UTILS.user"])
def test_what_is_no_utils_is_refused_on_one_line(aria, page, attachments, utils):
    opened = page(ATTACH.replace("attach(UTILS)", f"attach({utils})")).fill(**FILLED)
    assert "RequestError: Attach: give QATrack+'s own UTILS" in opened.tooltips["composite"]
    assert attachments() == []


@pytest.mark.parametrize("what", [None, 5, [], {}, "ZIP", "pdf", "x" * 1_000_000, float("nan")])
def test_what_is_neither_zip_nor_sheet_is_refused_on_one_line(images, what):
    with pytest.raises(RequestError, match="'zip' or 'sheet'") as raised:
        images.attach(SimpleNamespace(), what)
    assert len(str(raised.value)) < 500


def test_a_utils_that_raises_is_no_unnamed_error(images, attachments):
    with pytest.raises(AriaError):
        images.attach(Raising())
