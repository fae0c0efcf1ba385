"""The test packs of this repository: QATrack+ imports them, and they compute what they promise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qatrack_aria.simulator import phantom
from tests.helpers.phantoms.cases import CASES
from tests.helpers.phantoms.in_aria import adopted
from tests.installed_qatrack.aria import (
    DAY,
    FILLED,
    HOUR,
    LATEST,
    PATIENT,
    plan,
    sent,
    uids_in,
    uids_of,
)
from tests.installed_qatrack.installation import REPOSITORY

PACKS = REPOSITORY / "fixtures" / "testpacks"
#: When somebody performed the list before, in the clinic's time.
BEFORE = f"{LATEST - 9 * DAY:%Y-%m-%d %H:%M}"
KINDS = ("images", "picket_fence", "winston_lutz")
WL = {**FILLED, "wl_beams": "*"}
PF = {**FILLED, "rtplanname": "PF", "pf_mlc": "Millennium", "pf_beams": "*"}


@pytest.fixture
def find_pack(qatrack):
    """The pack of a kind that is made for this version of QATrack+."""
    major, minor = qatrack.ask("versions")["qatrack"].split(".")[:2]

    def find(kind):
        return PACKS / f"{kind}_qatrack{major}{minor}.tpk"

    return find


@pytest.fixture
def imported(qatrack, find_pack):
    """Import a pack, and assign its test list to the unit."""

    def do(kind):
        qatrack.ask("load_pack", path=str(find_pack(kind)))
        (name,) = (name for name in qatrack.ask("test_lists") if not name.endswith(": tests"))
        return qatrack.ask("assign", name=name)

    return do


@pytest.fixture(scope="session")
def full_size():
    """Full-size images of two plans, as pylinac needs them: plan and images by their label."""
    wl, pf = plan(label="WL"), plan(label="PF")
    return {
        "WL": (wl, phantom.winston_lutz(wl, LATEST, full_size=True)),
        "PF": (pf, [*phantom.picket_fence(pf, LATEST, full_size=True)]),
    }


@pytest.fixture
def aria(serve, qatrack, full_size):
    """An ARIA with these, as the default node: the packs name none."""
    simulator = serve(*(held for plan_and_images in full_size.values() for held in plan_and_images))
    qatrack.ask("change_node", is_default=True)
    return simulator


# --- importing --------------------------------------------------------------------------------


def test_there_is_one_pack_of_each_kind_for_this_version(find_pack):
    assert all(find_pack(kind).is_file() for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_administrator_imports_a_pack_on_the_page_for_it(admin, qatrack, find_pack, kind):
    page = qatrack.ask("import_page")
    assert admin.get(page).status == 200
    chosen = {"testlists": "all", "testlistcycles": "all", "tests": "all"}
    text = find_pack(kind).read_text(encoding="utf-8")
    answer = admin.post(page, {"testpack_data": text, **chosen})
    assert "1/1 testlists" in answer.text
    assert len(qatrack.ask("test_lists")) == 2


def test_a_pack_is_imported_from_the_command_line(qatrack, find_pack):
    qatrack.manage("load_testpack", str(find_pack("images")))
    assert qatrack.ask("test_lists") == ["ARIA images", "ARIA images: tests"]


def test_qatrack_has_nothing_against_any_test_of_all_packs_together(qatrack, find_pack):
    """As an administrator would see on saving it unchanged."""
    packs = sorted(PACKS.glob(find_pack("*").name))
    for pack in packs:
        qatrack.ask("load_pack", path=str(pack))
    assert len(qatrack.ask("test_lists")) == 2 * len(packs)
    assert qatrack.ask("objections") == {}


# --- computing --------------------------------------------------------------------------------


def values_of(results):
    """The values by macro name; no test may have failed."""
    assert {slug: result.error for slug, result in results.items() if result.error} == {}
    return {slug: result.value for slug, result in results.items()}


def test_the_winston_lutz_pack_finds_the_ball_of_the_phantom(
    aria, imported, physicist, full_size, print_at_end
):
    values = values_of(physicist.composite(imported("winston_lutz"), WL))
    assert "8 images of plan 'WL'" in values["wl_status"]
    assert values["wl_count"] == 8
    assert 0 < values["wl_median"] <= values["wl_max"] < 2
    # The phantom's ball lies 0.4 mm to the left, 0.3 mm up and 0.5 mm out.
    assert values["wl_shift_right"] == pytest.approx(0.4, abs=0.15)
    assert values["wl_shift_up"] == pytest.approx(-0.3, abs=0.15)
    assert values["wl_shift_in"] == pytest.approx(0.5, abs=0.15)
    assert values["wl_acquired"].startswith(f"{LATEST:%Y-%m-%d %H:}")
    assert uids_in(values["wl_analysis"]["images"]) == uids_of(full_size["WL"][1])
    assert sent(aria) == uids_of(full_size["WL"][1])
    print_at_end(f"Winston-Lutz pack: maximum {values['wl_max']:.2f} mm, {values['wl_status']}")


def test_the_picket_fence_pack_finds_the_leaves_that_stand_aside(
    aria, imported, physicist, full_size, print_at_end
):
    values = values_of(physicist.composite(imported("picket_fence"), PF))
    assert "1 image of plan 'PF'" in values["pf_status"]
    assert (values["pf_count"], values["pf_pickets"]) == (1, 10)
    # In the fourth picket some leaf pairs of the phantom stand 0.3 mm aside.
    assert 0.1 < values["pf_max_error"] < 0.5
    assert 0 <= values["pf_median_error"] < 0.1
    assert 90 < values["pf_passing"] <= 100
    assert sent(aria) == uids_of(full_size["PF"][1])
    print_at_end(
        f"Picket fence pack: maximum {values['pf_max_error']:.2f} mm, {values['pf_status']}"
    )


def test_the_images_pack_hands_over_and_attaches_the_images(
    aria, imported, physicist, qatrack, full_size
):
    results = physicist.composite(imported("images"), FILLED)
    values = values_of(results)
    assert "8 images of plan 'WL'" in values["img_status"]
    assert (values["img_count"], values["img_machine"]) == (8, "TB1")
    assert uids_in(values["img_summary"]) == uids_of(full_size["WL"][1])
    assert sorted(Path(a["file"]).suffix for a in qatrack.ask("attachments")) == [".png", ".zip"]
    assert len(aria.operations("C-MOVE")) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_pack_waits_quietly_until_it_is_filled_in(aria, imported, physicist, qatrack, kind):
    results = physicist.composite(imported(kind), {})
    assert {result.error for result in results.values()} == {None}
    assert [v for v in (r.value for r in results.values()) if v and "Waiting for" not in v] == []
    assert (aria.log, qatrack.ask("retrievals")) == ([], [])


@pytest.mark.parametrize("kind", KINDS)
def test_a_pack_says_what_is_wrong_where_everybody_sees_it(aria, imported, physicist, kind):
    filled = {**WL, **PF, "rtplanname": "XX"}
    results = physicist.composite(imported(kind), filled)
    (said,) = (result.value for slug, result in results.items() if slug.endswith("_status"))
    assert "no plan 'XX'" in said


def test_a_monthly_list_is_put_together_from_packs(serve, qatrack, find_pack, physicist, tmp_path):
    """Of one plan: each sublist takes its own beams."""
    monthly = phantom.plan(
        PATIENT, "MONTHLY", created=LATEST - 60 * DAY, beams=("Open", "DMLC", "WL1", "WL2")
    )
    (drgs,) = (case for case in CASES if case.name == "drgs")
    drgs.draw(tmp_path)
    images = adopted(tmp_path, monthly, LATEST)
    for number, image in enumerate(images, 1):
        image.ReferencedBeamNumber = number
    balls = phantom.winston_lutz(monthly, LATEST + HOUR / 6, full_size=True, count=4)
    for image in balls[:2]:
        image.ReferencedBeamNumber = 3
    for image in balls[2:]:
        image.ReferencedBeamNumber = 4
    serve(monthly, images, balls)
    qatrack.ask("change_node", is_default=True)
    for kind in ("drgs", "winston_lutz"):
        qatrack.ask("load_pack", path=str(find_pack(kind)))
    names = qatrack.ask("test_lists")
    (first,) = (name for name in names if name == "ARIA Winston-Lutz")
    parts = [name for name in names if name.endswith(": tests")]

    whole = qatrack.ask("put_together", name="Monthly", first=first, sublists=parts)
    filled = {
        "patientid": PATIENT,
        "rtplanname": "MONTHLY",
        "drgs_beams": "Open, DMLC",
        "wl_beams": "WL1, WL2",
        "wl_expected": 4,
    }
    values = values_of(physicist.composite(whole, filled))

    assert (values["drgs_count"], values["wl_count"]) == (2, 4)
    assert values["drgs_segment_2"] == pytest.approx(-1.4, abs=0.1)
    assert values["wl_shift_right"] == pytest.approx(0.4, abs=0.15)


def test_a_physicist_performs_the_winston_lutz_list(aria, imported, browser, qatrack, full_size):
    wl_list = imported("winston_lutz")
    browser.perform(wl_list["collection"])
    browser.fill_in("patientid", PATIENT)
    browser.fill_in("rtplanname", "WL")
    browser.submit()
    (session,) = qatrack.ask("sessions")
    assert 0 < session["values"]["wl_max"] < 2
    analysis = json.loads(session["values"]["wl_analysis"])
    assert uids_in(analysis["images"]) == uids_of(full_size["WL"][1])
    attached = [(one["session"], one["slug"]) for one in qatrack.ask("attachments")]
    assert sorted(attached) == [(session["pk"], "wl_picture"), (session["pk"], "wl_sheet")]


def watched(qatrack, of, plan, **fields):
    """Have a watch perform a list; the sessions that there are now."""
    known = {"name": plan, "patient_id": PATIENT, "plan": plan, "collection": of["collection"]}
    assert qatrack.ask("add_watch", **known, **fields) == {}
    said = qatrack.ask("look", name=plan)
    sessions = qatrack.ask("sessions")
    assert sessions, said
    return sessions


def test_the_winston_lutz_pack_performs_itself(aria, imported, physicist, qatrack, full_size):
    wl_list = imported("winston_lutz")
    by_hand = values_of(physicist.composite(wl_list, WL))
    (session,) = watched(qatrack, wl_list, "WL", count="8")
    assert session["skipped"] == {}
    for slug in ("wl_max", "wl_median", "wl_shift_right", "wl_shift_up", "wl_shift_in"):
        assert session["values"][slug] == pytest.approx(by_hand[slug]), slug
    analysis = json.loads(session["values"]["wl_analysis"])
    assert uids_in(analysis["images"]) == uids_of(full_size["WL"][1])
    sheets = [a for a in qatrack.ask("attachments") if a["session"] == session["pk"]]
    assert sorted(a["slug"] for a in sheets) == ["wl_picture", "wl_sheet"]


def test_the_picket_fence_pack_performs_itself_with_the_mlc_of_the_last_time(
    aria, imported, browser, qatrack, full_size
):
    pf_list = imported("picket_fence")
    browser.perform(pf_list["collection"])
    browser.choose("pf_mlc", "Millennium")
    browser.fill_in("patientid", PATIENT)
    browser.fill_in("rtplanname", "PF")
    browser.submit()
    (first,) = qatrack.ask("sessions")
    qatrack.ask("date_session", pk=first["pk"], started=BEFORE, completed=BEFORE)
    _, session = watched(qatrack, pf_list, "PF", count="1")
    assert session["skipped"] == {}
    assert session["values"]["pf_mlc"] == "Millennium"
    assert 0.1 < session["values"]["pf_max_error"] < 0.5


def test_filling_in_a_list_costs_one_analysis(aria, imported, browser, qatrack):
    wl_list = imported("winston_lutz")
    browser.perform(wl_list["collection"])
    browser.fill_in("patientid", PATIENT)
    for text in ("X", "WL", "Y", "WL"):
        browser.fill_in("rtplanname", text)
    assert qatrack.requests("POST /qc/composite/") > 4
    assert len(list((qatrack.archive / "results").iterdir())) == 1


def test_the_next_session_begins_with_patient_and_plan_of_the_last(
    aria, imported, browser, qatrack
):
    wl_list = imported("images")
    browser.perform(wl_list["collection"])
    browser.fill_in("patientid", PATIENT)
    browser.fill_in("rtplanname", "WL")
    browser.submit()
    browser.perform(wl_list["collection"])
    assert [browser.shown(slug) for slug in FILLED] == list(FILLED.values())
    assert "8 images" in browser.shown("img_status")
