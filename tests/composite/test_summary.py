"""A summary on its way: to the next composite, to a browser, and back from the database."""

from __future__ import annotations

import copy
import hashlib
import json

import pytest
from django.utils import timezone

from qatrack_aria import fetch_images, images_from
from qatrack_aria.errors import PatientNotAllowedError, RequestError
from qatrack_aria.models import Retrieval
from qatrack_aria.retrieval.signature import signed
from tests.helpers.aria import DAY, NOON, PATIENT, plan, winston_lutz
from tests.helpers.standin.encoding import Encoder
from tests.helpers.standin.fixtures import FETCH, HEAD, assert_named_and_short

REOPEN = "result = len(images_from({}, utils=UTILS))"
FILLED = {"patientid": PATIENT, "rtplanname": "WL"}
#: Whoever wants the images of a summary, and a field of the page that gives one.
SUMMARY_AND_AGAIN = {
    "images_summary": HEAD + f"result = {FETCH}.summary",
    "again": HEAD + REOPEN.format("images_summary"),
}


@pytest.fixture
def aria(serve):
    wl = plan()
    simulator = serve(wl, winston_lutz(wl, NOON - 7 * DAY))
    simulator.wl = wl
    return simulator


@pytest.fixture
def summary(aria):
    """What an earlier composite gave, as JSON made it."""
    return json.loads(json.dumps(fetch_images("aria", PATIENT, "WL").summary))


# --- what is sent -----------------------------------------------------------------------------


def test_a_summary_is_strict_json_that_a_browser_gives_back_unchanged(aria, page):
    opened = page(SUMMARY_AND_AGAIN).fill(**FILLED)
    given = fetch_images("aria", PATIENT, "WL").summary
    assert opened.screen["images_summary"] == given
    assert json.loads(json.dumps(given, cls=Encoder, allow_nan=False)) == given


def test_all_attributes_of_an_image_set_are_strict_json(aria, page):
    opened = page(
        f"i = {FETCH}\n"
        "result = [i.path, i.files, i.acquired, i.datetime, i.machine, i.status, i.moved, len(i)]"
    ).fill(**FILLED)
    assert opened.tooltips == {}
    assert len(opened.screen["composite"][1]) == opened.screen["composite"][-1] == 8


def test_the_summary_of_an_image_without_any_date_is_strict_json(serve, page):
    wl = plan()
    images = winston_lutz(wl, count=1)
    for image in images:
        del image.AcquisitionDate, image.AcquisitionTime, image.ContentDate, image.ContentTime
    serve(wl, images)
    opened = page(SUMMARY_AND_AGAIN).fill(**FILLED)
    assert opened.tooltips == {}
    assert opened.screen["again"] == 1
    assert opened.screen["images_summary"]["acquired"] == ""


# --- into the next composite ------------------------------------------------------------------


def test_the_next_composite_opens_the_summary_of_the_one_before(aria, page):
    opened = page(SUMMARY_AND_AGAIN).fill(**FILLED)
    assert opened.screen["again"] == 8


def test_opening_a_summary_asks_the_node_for_nothing(aria, page):
    opened = page(SUMMARY_AND_AGAIN).fill(**FILLED)
    asked = len(aria.log)
    opened.recalculate()
    assert len(aria.log) == asked


def test_the_images_of_the_summary_stay_those_when_newer_ones_are_there(aria, page, summary):
    aria.add(winston_lutz(aria.wl, NOON, count=3))
    opened = page(REOPEN.format("kept"), "kept").fill(kept=summary)
    assert opened.screen["composite"] == 8


def test_an_earlier_sessions_summary_is_opened_from_its_text(aria, page):
    """A string composite is saved as the JSON text that the browser made of it."""
    code = "json.loads(UTILS.previous_test_instance('images_summary').string_value)"
    earlier = {**SUMMARY_AND_AGAIN, "earlier": f"import json\n{HEAD}{REOPEN.format(code)}"}
    opened = page(earlier).fill(**FILLED)
    opened.submit(timezone.make_aware(NOON - DAY))
    assert opened.recalculate().screen["earlier"] == 8


def test_a_summary_is_opened_as_qatrack_stored_it(summary):
    assert len(images_from(json.dumps(summary))) == 8


@pytest.mark.parametrize("text", ["8 images", "[]", "{", '"x"', "null", "NaN", "[" * 100_000])
def test_a_text_that_is_no_summary_is_refused(node, text):
    with pytest.raises(RequestError, match="Summary") as raised:
        images_from(text)
    assert len(str(raised.value)) < 500


# --- edited -----------------------------------------------------------------------------------


def _without_an_image(summary):
    del summary["images"][3]


def _with_an_image_twice(summary):
    summary["images"].append(summary["images"][0])


def _with_another_image(summary):
    summary["images"][0]["sop_uid"] = "1.2.3.4"


def _with_no_image(summary):
    summary["images"] = []


def _of_another_node(summary):
    summary["node"] = "other"


def _of_another_patient(summary):
    summary["request"]["patient_id"] = "QA_OTHER"


def _of_a_real_patient(summary):
    summary["request"]["patient_id"] = "12345"


def _with_a_path(summary):
    summary["images"][0]["sop_uid"] = "../../etc/passwd"


def _without_its_signature(summary):
    del summary["signature"]


def _with_a_signature_of_the_wrong_kind(summary):
    summary["signature"] = {"$ne": ""}


def _with_half_a_signature(summary):
    summary["signature"] = summary["signature"][:9]


def _of_another_plans_label(summary):
    summary["plan_label"] = "PF"


def _of_another_course(summary):
    summary["course"] = "C9"


def _of_another_machine(summary):
    summary["machine"] = "TB9"


def _of_another_day(summary):
    summary["acquired"] = "2020-01-01T00:00:00"


def _with_another_content(summary):
    summary["images"][0]["sha256"] = "0" * 64


def _with_a_signature_that_anyone_can_compute(summary):
    """As if the sign were a checksum, of which the program's source shows the making."""
    del summary["signature"]
    summary["plan_label"] = "PF"
    text = json.dumps(summary, sort_keys=True)
    summary["signature"] = hashlib.sha256(text.encode()).hexdigest()


def _with_nodes(summary):
    summary["node"] = ["aria"]


def _with_a_patient_of_ten_megabytes(summary):
    summary["request"]["patient_id"] = "QA_" + "1" * 10_000_000


def _with_a_million_images(summary):
    summary["images"] *= 20_000


def _with_images_that_are_text(summary):
    summary["images"] = "sop_uid" * 100


EDITS = [value for name, value in list(globals().items()) if name.startswith(("_with", "_of"))]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__.strip("_"))
def test_an_edited_summary_is_refused(summary, page, edit):
    edited = copy.deepcopy(summary)
    edit(edited)
    assert_named_and_short(page(REOPEN.format("kept"), "kept").fill(kept=edited))


def test_a_summary_of_a_patient_who_is_not_allowed_any_more_is_refused(summary, node):
    type(node).objects.update(allowed_patients="QC_*")
    with pytest.raises(PatientNotAllowedError):
        images_from(summary)


@pytest.mark.parametrize("key", ["plan_label", "plan_uid"])
def test_a_summary_under_another_plans_name_is_refused(summary, page, key):
    edited = {**summary, key: "1.2.3.4.5.6.7.8.9"}
    assert_named_and_short(page(REOPEN.format("kept"), "kept").fill(kept=edited))


@pytest.mark.parametrize(
    "extra", ["x", float("nan"), "x" * 1_000_000], ids=["text", "NaN", "a megabyte"]
)
def test_a_summary_to_which_something_was_added_is_refused(summary, page, extra):
    """It would come back, and NaN leaves the old values of all composites on the screen."""
    for place in (summary, summary["request"]):
        edited = copy.deepcopy(summary)
        (edited if place is summary else edited["request"])["extra"] = extra
        assert_named_and_short(page(REOPEN.format("kept"), "kept").fill(kept=edited))


def test_an_array_is_no_summary(node):
    numpy = pytest.importorskip("numpy")
    with pytest.raises(RequestError, match="Summary"):
        images_from(numpy.arange(3))


# --- signed -----------------------------------------------------------------------------------

KEYS = {"now": "the key of today", "before": "the key before", "stolen": "anybody's key"}


def without_signature(summary):
    return {key: value for key, value in summary.items() if key != "signature"}


@pytest.fixture
def counted(aria):
    """How many images a summary opens."""
    return lambda summary: len(images_from(summary))


def test_the_order_of_its_keys_does_not_matter_to_a_summary(summary, counted):
    """PostgreSQL's jsonb sorts keys by their length."""
    assert counted(dict(reversed(list(summary.items())))) == 8


def test_a_summary_with_letters_of_any_alphabet_stays_signed(summary, counted):
    """A database may write them as they are, or as \\u escapes."""
    content = {**without_signature(summary), "course": "Größe 日本 \U0001f600"}
    for ascii_only in (True, False):
        text = json.dumps(signed(content), ensure_ascii=ascii_only)
        assert counted(text) == 8


@pytest.mark.parametrize(
    ("python", "javascript"), [("8.0", "8"), ("1e+21", "1000000000000000000000"), ("0.1", "0.10")]
)
def test_a_number_that_a_browser_writes_in_its_own_way_stays_signed(
    summary, counted, python, javascript
):
    request = {**summary["request"], "number": json.loads(python)}
    text = json.dumps(signed({**without_signature(summary), "request": request}))
    assert f'"number": {python}' in text
    assert counted(text.replace(f'"number": {python}', f'"number": {javascript}')) == 8


def test_a_summary_outlives_a_new_secret_key_where_the_former_is_kept(settings, aria, counted):
    settings.SECRET_KEY = KEYS["before"]
    summary = fetch_images("aria", PATIENT, "WL").summary
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = KEYS["now"], [KEYS["before"]]
    assert counted(summary) == 8


def test_a_new_summary_is_signed_with_the_newest_key(settings, aria, counted):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = KEYS["now"], [KEYS["before"]]
    summary = fetch_images("aria", PATIENT, "WL").summary
    settings.SECRET_KEY_FALLBACKS = []
    assert counted(summary) == 8


def test_a_summary_whose_key_is_gone_is_not_called_edited(settings, summary):
    settings.SECRET_KEY = KEYS["now"]
    with pytest.raises(RequestError, match=r"not have any more.*SECRET_KEY_FALLBACKS") as raised:
        images_from(summary)
    assert "edited" not in str(raised.value)


def test_a_summary_of_another_site_opens_nothing(settings, summary):
    with_other_key = settings.SECRET_KEY
    settings.SECRET_KEY = KEYS["stolen"]
    foreign = signed(without_signature(summary))
    settings.SECRET_KEY = with_other_key
    with pytest.raises(RequestError, match="at another site"):
        images_from(foreign)


def test_a_summary_of_an_earlier_version_says_to_fetch_again(summary):
    content = without_signature(summary)
    text = json.dumps(content, sort_keys=True)
    content["check"] = hashlib.sha256(text.encode()).hexdigest()[:16]
    with pytest.raises(RequestError, match=r"an earlier version made it.*Fetch the images again"):
        images_from(content)


def test_the_signature_is_that_of_version_0_2_0(settings):
    """Summaries are kept for years: another way to sign would end the use of all of them."""
    settings.SECRET_KEY = "k"
    assert signed({"course": "Größe", "count": 8.0})["signature"] == (
        "e23077b8:efd72e2c6f55fb9e174fc191ed93519c2720acc89df62925018dec50e7f8c1e3"
    )


# --- asked for twice --------------------------------------------------------------------------


def test_a_forged_summary_does_not_profit_from_an_honest_one_before(summary, counted):
    assert counted(summary) == 8
    with pytest.raises(RequestError):
        images_from({**summary, "plan_label": "PF"})


def test_two_summaries_of_the_same_images_each_have_their_own_label(summary):
    """An earlier answer is repeated only for the very same summary."""
    renamed = signed({**without_signature(summary), "course": "C9"})
    assert images_from(renamed).plan.course == "C9"
    assert images_from(summary).plan.course == summary["course"]


def test_a_patient_no_longer_allowed_is_refused_although_the_summary_was_opened_before(
    summary, counted, node
):
    assert counted(summary) == 8
    type(node).objects.update(allowed_patients="QC_*")
    with pytest.raises(PatientNotAllowedError):
        images_from(summary)


# --- shown by the files -----------------------------------------------------------------------


def test_machine_and_times_are_those_of_the_files(summary):
    told = {"machine": "TB9", "acquired": "2020-01-01T00:00:00"}
    images = images_from(signed({**without_signature(summary), **told}))
    assert images.machine == summary["machine"] != "TB9"
    assert images.acquired.isoformat() == summary["acquired"]


def test_the_label_is_that_of_the_plans_file_where_the_archive_has_it(serve):
    """A server that tells no labels: the plan had to be moved."""
    wl = plan()
    serve(wl, winston_lutz(wl), unreturned_keys=frozenset({"RTPlanLabel"}))
    told = {**without_signature(fetch_images("aria", PATIENT, "WL").summary), "plan_label": "PF"}
    assert images_from(signed(told)).plan.label == "WL"


def test_a_forged_summary_leaves_a_row_with_its_user(summary):
    with pytest.raises(RequestError):
        images_from({**summary, "node": "other"})
    row = Retrieval.objects.first()
    assert (row.status, row.message.split(":")[0]) == ("usage", "Summary")
