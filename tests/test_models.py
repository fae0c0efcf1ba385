"""Nodes as an administrator types them, and the rows that retrievals leave.

Runs on SQLite and, by test_postgres, on PostgreSQL.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any, Callable

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError
from django.utils import timezone

from qatrack_aria.dicom.peer import Tls
from qatrack_aria.errors import (
    AriaError,
    ConfigurationError,
    InactiveNodeError,
    Outcome,
    PatientNotAllowedError,
    UnknownNodeError,
)
from qatrack_aria.models import AriaNode, Retrieval
from qatrack_aria.retrieval.record import recorded
from qatrack_aria.validators import (
    validate_ae_title,
    validate_host,
    validate_hosts,
    validate_name,
)

pytestmark = pytest.mark.django_db

EXAMPLE = str(Path(__file__).parent.parent / "fixtures" / "example_node.json")


def node(**changes: Any) -> AriaNode:
    """A node that is set up right, but for the `changes`; not saved."""
    values = {
        "name": "aria",
        "remote_ae_title": "VMSDBD",
        "remote_host": "10.0.0.5",
        "remote_port": 51402,
        "local_ae_title": "QATRACK",
        "allowed_patients": "QA_*",
    }
    return AriaNode(**{**values, **changes})


def saved(**changes: Any) -> AriaNode:
    made = node(**changes)
    made.save()
    return made


def complaints(made: AriaNode) -> set[str]:
    """The fields that are wrong."""
    with pytest.raises(ValidationError) as caught:
        made.full_clean()
    return set(caught.value.message_dict)


# --- what may be typed ------------------------------------------------------------------------


def refuses(validate: Callable[[str], None], value: str) -> bool:
    try:
        validate(value)
    except ValidationError:
        return True
    return False


@pytest.mark.parametrize(
    "title", ["VMSDBD", "a", "QATRACK+1", "X" * 16, "A B", "Vmsdbd_1-2.3", "[A]", "~"]
)
def test_an_ae_title_of_1_to_16_plain_characters_is_taken(title: str) -> None:
    assert not refuses(validate_ae_title, title)


@pytest.mark.parametrize(
    "title",
    [
        "",
        " ",
        " " * 16,
        "X" * 17,
        "A\\B",
        "A\nB",
        "A\tB",
        "A\0B",
        "A\x7fB",
        "A\n",
        "\nA",
        "Ärzte",
        "A\u200b",
        "A\ud800",
        " A",
        "A ",
        "A" * 10_000_000,
    ],
    ids=lambda title: repr(title[:17]),
)
def test_any_other_ae_title_is_refused(title: str) -> None:
    assert refuses(validate_ae_title, title)


@pytest.mark.parametrize(
    "host",
    [
        "aria",
        "aria-db.hospital.org",
        "aria_db",
        "ARIA-DB.",
        "klinik-süd",
        "3com",
        "10.0.0.5",
        "127.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "2001:db8:0:0:0:0:0:1",
        "2001:DB8::1",
        "::ffff:10.0.0.5",
        "x" * 63,
    ],
)
def test_a_host_may_be_a_name_or_an_address(host: str) -> None:
    assert not refuses(validate_host, host)


@pytest.mark.parametrize(
    "host",
    [
        "aria:104",
        "10.0.0.5:104",
        "[::1]",
        "[::1]:104",
        "http://aria",
        "//aria",
        "\\\\aria",
        "me@aria",
        "aria db",
        "aria ",
        "aria\n",
        "aria\0",
        "10.0.0",
        "10.0.0.256",
        "10.0.0.5.6",
        "10,0,0,5",
        "10.0.0.",
        "1:2:3",
        ":::",
        "fe80::1%",
        "fe80::1%eth0%eth0",
        "g::1",
        "aria..org",
        ".aria",
        "-aria",
        "aria-",
        ".",
        "-",
        "*",
        "x" * 64,
        "a" * 10_000_000 + "!",
    ],
    ids=lambda host: repr(host[:20]),
)
def test_what_cannot_be_a_host_is_refused(host: str) -> None:
    assert refuses(validate_host, host)


def test_more_hosts_are_given_one_a_line() -> None:
    assert not refuses(validate_hosts, "aria1\r\n\r\n  10.0.0.6  \n::1\n")


def test_one_wrong_host_of_several_is_refused() -> None:
    assert refuses(validate_hosts, "aria1\naria2, aria3")


@pytest.mark.parametrize("name", ["aria", "A", "aria-2", "Aria_2"])
def test_a_name_that_can_stand_in_code_is_taken(name: str) -> None:
    assert not refuses(validate_name, name)


@pytest.mark.parametrize("name", ["", "2aria", "aria 2", "aria\n", "ärzte", "-aria", "a'b", "<b>"])
def test_any_other_name_is_refused(name: str) -> None:
    assert refuses(validate_name, name)


def test_a_node_that_is_set_up_right_is_taken() -> None:
    node().full_clean()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 51),
        ("remote_ae_title", " "),
        ("remote_host", ""),
        ("remote_host", "aria:104"),
        ("remote_port", None),
        ("remote_port", 0),
        ("remote_port", -1),
        ("remote_port", 65536),
        ("remote_port", "dicom"),
        ("remote_port", 10**30),
        ("extra_hosts", "a b"),
        ("local_ae_title", "A\\B"),
        ("local_host", "localhost:11112"),
        ("local_port", 0),
        ("local_port", 65536),
        ("retrieve_method", "C-STORE"),
        ("query_model", "WORKLIST"),
        ("connect_timeout", 0),
        ("response_timeout", -1),
        ("quiet_timeout", 3601),
        ("grace", None),
        ("deadline", "soon"),
        ("command_deadline", 0),
    ],
)
def test_a_field_that_is_wrong_is_named(field: str, value: Any) -> None:
    assert complaints(node(**{field: value})) == {field}


@pytest.mark.parametrize("port", [1, 104, 65535])
def test_every_port_is_taken(port: int) -> None:
    node(remote_port=port, local_port=port).full_clean()


def test_a_second_node_of_a_name_is_refused() -> None:
    saved()

    assert complaints(node()) == {"name"}


def test_a_second_node_of_a_name_is_refused_by_the_database_too() -> None:
    saved()

    with pytest.raises(IntegrityError):
        saved()


def test_a_node_that_is_switched_off_cannot_be_the_default() -> None:
    assert complaints(node(is_active=False, is_default=True)) == {"is_default"}


# --- finding a node ---------------------------------------------------------------------------


def test_a_node_is_found_by_its_name() -> None:
    made = saved()

    assert AriaNode.objects.named("aria") == made


def unknown(name: Any) -> str:
    with pytest.raises(UnknownNodeError) as caught:
        AriaNode.objects.named(name)
    message = str(caught.value)
    assert message.isprintable(), "one line"
    assert len(message) < 500
    return message


@pytest.mark.parametrize("typed", ["ARIA", "aria1", "arai", "airia"])
def test_a_name_that_is_nearly_right_is_corrected(typed: str) -> None:
    saved()

    assert "did you mean 'aria'?" in unknown(typed)


def test_a_name_that_is_far_off_lists_the_nodes() -> None:
    saved(name="aria")
    saved(name="test")

    assert "there are 'aria', 'test'." in unknown("orthanc")


def test_a_node_that_is_switched_off_is_not_offered() -> None:
    saved(is_active=False)

    assert "none is configured; add one in the admin" in unknown("aria2")


def test_a_node_that_is_switched_off_is_said_to_be_so() -> None:
    saved(is_active=False)

    with pytest.raises(InactiveNodeError, match="'aria' is switched off: tick 'is active'"):
        AriaNode.objects.named("aria")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="space"),
        pytest.param("aria ", id="padded"),
        pytest.param("aria\0", id="NUL"),
        pytest.param("ar\nia", id="line end"),
        pytest.param("\ud800", id="half a surrogate"),
        pytest.param("' OR 1=1 --", id="SQL"),
        pytest.param("%", id="SQL wildcard"),
        pytest.param("x" * 10_000_000, id="10 MB"),
        pytest.param(5, id="int"),
        pytest.param(1.5, id="float"),
        pytest.param(True, id="bool"),
        pytest.param(["aria"], id="list"),
        pytest.param({"name": "aria"}, id="dict"),
        pytest.param(b"aria", id="bytes"),
    ],
)
def test_what_can_be_no_name_names_no_node(name: Any) -> None:
    saved()

    assert "there is no node" in unknown(name)


# --- the default node -------------------------------------------------------------------------


def test_without_a_name_the_default_node_is_used() -> None:
    saved(name="aria1")
    default = saved(name="aria2", is_default=True)

    assert AriaNode.objects.named() == AriaNode.objects.named(None) == default


def test_a_single_node_is_not_the_default_by_itself() -> None:
    """A second one would then change what the tests mean."""
    saved()

    assert "none is the default: name one" in unknown(None)


def test_a_default_node_that_was_switched_off_is_not_used() -> None:
    saved(is_default=True)
    AriaNode.objects.update(is_active=False)

    assert "none is the default" in unknown(None)


def test_a_new_default_takes_the_place_of_the_old_one() -> None:
    saved(name="aria1", is_default=True)
    saved(name="aria2", is_default=True)

    assert [made.name for made in AriaNode.objects.filter(is_default=True)] == ["aria2"]


def test_saving_the_default_again_leaves_it_the_default() -> None:
    default = saved(is_default=True)
    default.save()

    assert AriaNode.objects.named() == default


def test_saving_another_node_leaves_the_default() -> None:
    default = saved(name="aria1", is_default=True)
    saved(name="aria2")

    assert AriaNode.objects.named() == default


def test_a_new_default_that_cannot_be_saved_leaves_the_old_one() -> None:
    default = saved(name="aria1", is_default=True)
    saved(name="aria2")

    with pytest.raises(IntegrityError):
        saved(name="aria2", is_default=True)

    assert AriaNode.objects.named() == default


# --- whose images -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "patient_id"),
    [
        ("QA_TB1", "QA_TB1"),
        ("QA_*", "QA_TB1"),
        ("QA_*", "QA_"),
        ("QA_TB?", "QA_TB1"),
        ("*", "anybody"),
        ("zz\r\n\r\n  QA_TB1  \n", "QA_TB1"),
        ("[QA]*", "[QA] TB1"),
        ("QA[1]", "QA[1]"),
        ("QA[!1]", "QA[!1]"),
        ("QA.TB1", "QA.TB1"),
        ("QA+", "QA+"),
        ("Prüf*", "Prüfkörper"),
        ("QA\\d", "QA\\d"),
    ],
)
def test_a_patient_that_a_pattern_names_may_be_fetched(patterns: str, patient_id: str) -> None:
    node(allowed_patients=patterns).require_allowed(patient_id)


@pytest.mark.parametrize(
    ("patterns", "patient_id"),
    [
        ("", "QA_TB1"),
        (" \n ", "QA_TB1"),
        ("QA_TB1", "QA_TB10"),
        ("QA_TB1", "XQA_TB1"),
        ("QA_TB1", "qa_tb1"),
        ("QA_TB1", "QA_TB1\n"),
        ("QA_*", "QA"),
        ("QA_TB?", "QA_TB"),
        ("QA_TB?", "QA_TB10"),
        pytest.param("QA[12]", "QA1", id="brackets are no choice"),
        ("[QA]*", "Q"),
        pytest.param("QA.TB1", "QA_TB1", id="a dot is a dot"),
        pytest.param("QA|.*", "secret", id="no regular expression"),
        ("", ""),
    ],
)
def test_any_other_patient_may_not(patterns: str, patient_id: str) -> None:
    with pytest.raises(PatientNotAllowedError):
        node(allowed_patients=patterns).require_allowed(patient_id)


def test_a_refusal_says_who_is_allowed() -> None:
    with pytest.raises(PatientNotAllowedError, match=r"\(allowed: QA_\*, LINAC\?\): correct the"):
        node(allowed_patients="QA_*\nLINAC?").require_allowed("123456")


def test_a_node_that_allows_nobody_says_so() -> None:
    with pytest.raises(PatientNotAllowedError, match="allowed: none yet"):
        node(allowed_patients="").require_allowed("QA_TB1")


# --- the node for DICOM -----------------------------------------------------------------------


def test_every_value_of_a_node_reaches_dicom() -> None:
    made = node(
        extra_hosts="10.0.0.6\n\n10.0.0.7",
        local_host="10.0.0.1",
        local_port=11113,
        retrieve_method="C-GET",
        query_model="PATIENT",
        connect_timeout=1.5,
        response_timeout=2.5,
        quiet_timeout=3.5,
        grace=4.5,
        character_set="ISO_IR 100",
        stable_answers=2,
        use_tls=True,
        tls_ca_file="/etc/ca.pem",
        tls_certificate_file="/etc/ours.pem",
        tls_key_file="/etc/ours.key",
        tls_check_host=False,
    )

    peer = made.peer()

    assert vars(peer) == {
        "name": "aria",
        "remote_ae_title": "VMSDBD",
        "remote_host": "10.0.0.5",
        "remote_port": 51402,
        "local_ae_title": "QATRACK",
        "local_host": "10.0.0.1",
        "local_port": 11113,
        "retrieve_method": "C-GET",
        "query_model": "PATIENT",
        "extra_hosts": ("10.0.0.6", "10.0.0.7"),
        "connect_timeout": 1.5,
        "response_timeout": 2.5,
        "quiet_timeout": 3.5,
        "grace": 4.5,
        "character_set": "ISO_IR 100",
        "stable_answers": 2,
        "tls": Tls("/etc/ca.pem", "/etc/ours.pem", "/etc/ours.key", check_host=False),
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [("remote_host", "a b"), ("remote_port", 0), ("local_ae_title", ""), ("deadline", 0)],
)
def test_a_node_that_a_script_has_made_wrong_is_refused(field: str, value: Any) -> None:
    made = saved(**{field: value})

    with pytest.raises(ConfigurationError, match=f"'aria' is not set up right \\({field}: "):
        made.peer()


# --- the example ------------------------------------------------------------------------------


def test_the_example_node_can_be_loaded_twice() -> None:
    call_command("loaddata", EXAMPLE, verbosity=0)
    call_command("loaddata", EXAMPLE, verbosity=0)

    assert [made.name for made in AriaNode.objects.all()] == ["aria"]


def test_the_example_node_is_set_up_right() -> None:
    call_command("loaddata", EXAMPLE, verbosity=0)

    AriaNode.objects.get().full_clean()


def test_the_example_node_is_the_default() -> None:
    call_command("loaddata", EXAMPLE, verbosity=0)

    assert AriaNode.objects.named().name == "aria"


def test_a_node_survives_a_dump_and_a_load(tmp_path: Path) -> None:
    saved(notes="Ärger? Call 4711.")
    dump = str(tmp_path / "node.json")
    call_command("dumpdata", "qatrack_aria.arianode", use_natural_primary_keys=True, output=dump)
    AriaNode.objects.all().delete()

    call_command("loaddata", dump, verbosity=0)

    assert AriaNode.objects.get(name="aria").notes == "Ärger? Call 4711."


# --- retrievals -------------------------------------------------------------------------------


def retrieval(**changes: Any) -> Retrieval:
    values = {
        "started": timezone.now(),
        "node_name": "aria",
        "source": Retrieval.COMPOSITE,
        "patient_id": "QA_TB1",
        "plan": "WL",
        "status": "done",
    }
    return Retrieval.objects.create(**{**values, **changes})


def test_the_newest_retrieval_comes_first() -> None:
    now = timezone.now()
    for minutes in (2, 0, 1):
        retrieval(started=now - dt.timedelta(minutes=minutes), found=minutes)

    assert [row.found for row in Retrieval.objects.all()] == [0, 1, 2]


def test_a_retrieval_is_shown_on_one_line() -> None:
    assert str(retrieval(status="not_found")) == "QA_TB1 / WL from aria: nothing found"


def test_a_removed_node_leaves_its_retrievals() -> None:
    made = saved()
    row = retrieval(node=made)

    made.delete()

    row.refresh_from_db()
    assert (row.node, row.node_name) == (None, "aria")


def test_a_renamed_node_leaves_the_old_name_in_the_record() -> None:
    made = saved()
    row = retrieval(node=made)
    AriaNode.objects.update(name="vmsdbd")

    row.refresh_from_db()
    assert row.node_name == "aria"


def test_what_was_asked_is_kept_as_it_was() -> None:
    row = retrieval(request='{"plan": "Prüf", "count": 8}')

    assert json.loads(row.request) == {"plan": "Prüf", "count": 8}


def test_every_outcome_has_words_and_fits() -> None:
    for outcome in Outcome:
        assert retrieval(status=outcome.value).status_label == outcome.label
        assert isinstance(outcome.exit_code, int)
    assert max(len(outcome.value) for outcome in Outcome) <= 12


def test_a_large_retrieval_is_counted_in_full() -> None:
    """Ten sessions of 100 images are over 2 GB: no 32-bit number."""
    row = retrieval(bytes=5_000_000_000)

    row.refresh_from_db()
    assert row.bytes == 5_000_000_000


HOSTILE = ["\0", "\ud800", "x" * 10_000_000, "患者" * 500, "'; DROP TABLE x; --", "\U0001f600" * 99]


def fail(text: str) -> None:
    with recorded(
        node_name=text, patient_id=text, plan=text, source=Retrieval.COMPOSITE, user=text
    ) as record:
        record.row.folder = text
        raise AriaError(text)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_every_database_takes_the_record_of_hostile_text(text: str) -> None:
    """PostgreSQL takes no NUL and counts the characters; SQLite takes no half surrogate."""
    with pytest.raises(AriaError):
        fail(text)

    assert Retrieval.objects.get().status == "failed"


# --- a database that does not answer ----------------------------------------------------------


def test_nodes_that_cannot_be_read_are_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not migrated yet, or the transaction of the web request had failed before."""

    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("no such table")

    monkeypatch.setattr(AriaNode.objects, "filter", fail)
    with pytest.raises(ConfigurationError, match="migrate qatrack_aria"):
        AriaNode.objects.named("aria")
