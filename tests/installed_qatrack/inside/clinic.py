"""What a clinic has in QATrack+: staff, a unit, nodes, test lists, and what comes of their work.

All use of QATrack+'s models is here. The functions take and give JSON's types.
"""

from __future__ import annotations

import contextlib
import glob
import os
from datetime import timedelta

import accidents
import django
from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from qatrack.attachments.models import Attachment
from qatrack.notifications.models import QCCompletedNotice, RecipientGroup
from qatrack.qa import models as qa
from qatrack.units.models import Unit, UnitType

import qatrack_aria
from qatrack_aria.automation.checking import problems
from qatrack_aria.automation.look import Look
from qatrack_aria.models import AriaNode, Retrieval, Watch, WatchedSession, WatchState

UNIT = "TB1"
TYPES = {
    "string": qa.STRING,
    "number": qa.SIMPLE,
    "composite": qa.COMPOSITE,
    "string composite": qa.STRING_COMPOSITE,
}
PHYSICS = ["add_testlistinstance", "change_testlistinstance", "view_testlistinstance"]
AUDIT = ["view_arianode", "view_retrieval"]


def versions():
    """Which software this is, and where it keeps its things."""
    return {
        "qatrack": settings.VERSION,
        "django": django.get_version(),
        "app": os.path.abspath(qatrack_aria.__file__),
        "paths": [
            settings.DATABASES["default"]["NAME"],
            settings.MEDIA_ROOT,
            settings.UPLOAD_ROOT,
            settings.TMP_UPLOAD_ROOT,
            settings.TMP_REPORT_ROOT,
            settings.QATRACK_ARIA_ARCHIVE,
            *(h["filename"] for h in settings.LOGGING["handlers"].values() if "filename" in h),
        ],
    }


def set_up(root, password):
    """Make the tables, load QATrack+'s own defaults, and engage the staff."""
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    for fixture in sorted(glob.glob(os.path.join(root, "fixtures", "defaults", "*", "*.json"))):
        call_command("loaddata", fixture, verbosity=0)
    physics = Group.objects.create(name="Physics")
    physics.permissions.set(Permission.objects.filter(codename__in=PHYSICS))
    admin = User.objects.create_superuser("admin", "", password)
    physicist = User.objects.create_user("physicist", "", password)
    # Whoever may say when work was done has a field for it on the page; others have none.
    chief = User.objects.create_user("chief", "", password)
    chief.user_permissions.set(Permission.objects.filter(codename="can_override_date"))
    for member in (admin, chief, physicist):
        member.groups.add(physics)
    # Both may enter the admin; the one sees nothing of ours, the other may look.
    User.objects.create_user("secretary", "", password, is_staff=True)
    auditor = User.objects.create_user("auditor", "", password, is_staff=True)
    auditor.user_permissions.set(Permission.objects.filter(codename__in=AUDIT))
    Unit.objects.create(
        name=UNIT,
        number=1,
        date_acceptance=timezone.now().date(),
        type=UnitType.objects.first(),
        is_serviceable=True,
        active=True,
    )


def clean():
    """Remove what a test has left behind."""
    User.objects.update(is_active=True)
    Unit.objects.update(active=True)
    for attachment in Attachment.objects.all():
        attachment.attachment.delete(save=False)
    with transaction.atomic():
        # A write comes first: within a transaction that began by reading, SQLite does not wait
        # for the web server's writes, but fails. To delete rows that others refer to is a read.
        Retrieval.objects.update(repeats=0)
        Retrieval.objects.all().delete()
        User.objects.get(username="physicist").user_permissions.clear()
        for model in (
            AriaNode,
            Attachment,
            qa.AutoSave,
            qa.TestInstance,
            qa.TestListInstance,
            qa.UnitTestCollection,
            qa.UnitTestInfo,
            qa.TestListCycleMembership,
            qa.TestListCycle,
            qa.TestListMembership,
            qa.TestList,
            qa.Test,
            qa.AutoReviewRuleSet,
            QCCompletedNotice,
            RecipientGroup,
        ):
            model.objects.all().delete()


# --- nodes and retrievals ---------------------------------------------------------------------


def add_node(**fields):
    """Add an ARIA node, checked as the admin checks it."""
    node = AriaNode(**fields)
    node.full_clean()
    node.save()
    return node.pk


def change_node(**fields):
    """Change the one node."""
    AriaNode.objects.update(**fields)


def nodes():
    """All nodes."""
    return list(AriaNode.objects.values())


def retrievals():
    """All rows, the newest first."""
    return list(Retrieval.objects.values())


# --- watches ----------------------------------------------------------------------------------


def add_watch(name, username="physicist", since="2020-01-01", **fields):
    """Add a watch of the node "aria"; what is wrong with it, by field."""
    watch = Watch(
        name=name,
        node=AriaNode.objects.get(),
        user=User.objects.filter(username=username).first(),
        since=timezone.make_aware(parse_datetime(f"{since}T00:00:00")),
        **fields,
    )
    watch.full_clean()
    watch.save()
    return problems(watch)


def change_watch(**fields):
    """Change the one watch."""
    Watch.objects.update(**fields)


def look(name):
    """Have a watch look; what it said."""
    said = []
    Look(Watch.objects.get(name=name), said.append).run()
    return said


def accident(name, deed, at):
    """Have a watch look, and come to grief at one of its writes; see ``accidents.py``."""
    return accidents.look(name, deed, at)


def look_twice_at_once(name):
    """Have two processes look for a watch."""
    accidents.look_twice_at_once(name)


def set_back(days):
    """Have the clock been set back: all that was noted lies in the future."""
    moment = timezone.now() + timedelta(days=days)
    WatchState.objects.update(looked=moment, succeeded=moment)
    WatchedSession.objects.update(found=moment, tried=moment)


def start_anew():
    """As if no session had been seen or performed yet."""
    with transaction.atomic():  # a write comes first, as above
        WatchedSession.objects.update(attempts=0)
        WatchedSession.objects.all().delete()
        WatchState.objects.all().delete()
        qa.TestInstance.objects.all().delete()
        qa.UnitTestCollection.objects.update(last_instance=None)
        qa.TestListInstance.objects.all().delete()


def watched():
    """The sessions that the watches have seen, oldest first."""
    return list(WatchedSession.objects.order_by("first", "pk").values())


def set_session(**fields):
    """Change the one session that was seen."""
    WatchedSession.objects.update(**fields)


def forget_watched():
    """As after a backup of the time before: nothing of what was seen is known."""
    WatchedSession.objects.all().delete()


# --- test lists -------------------------------------------------------------------------------


def add_list(name, tests):
    """Make a test list of (macro name, type, procedure) and assign it to the unit."""
    author = User.objects.get(username="admin")
    signed = {"created_by": author, "modified_by": author}
    test_list = qa.TestList.objects.create(name=name, slug=name.lower().replace(" ", "-"), **signed)
    for order, (slug, kind, procedure) in enumerate(tests):
        test = qa.Test(
            name=f"{name}: {slug}",
            slug=slug,
            type=TYPES[kind],
            category=qa.Category.objects.first(),
            calculation_procedure=procedure,
            **signed,
        )
        test.full_clean()
        test.save()
        qa.TestListMembership.objects.create(test_list=test_list, test=test, order=order)
    return assign(name)


def assign(name):
    """Assign a test list to the unit, for the physicists to perform."""
    test_list = qa.TestList.objects.get(name=name)
    collection = _assign(test_list)
    names = {code: name for name, code in TYPES.items()}
    return {
        "name": name,
        "pk": test_list.pk,
        "unit": collection.unit.pk,
        "collection": collection.pk,
        "tests": {test.slug: names.get(test.type, test.type) for test in test_list.ordered_tests()},
        "constants": {
            test.slug: test.constant_value
            for test in test_list.ordered_tests()
            if test.type == qa.CONSTANT
        },
    }


def put_together(name, first, sublists):
    """Make a list of the patient and plan of one list, with the tests of several as sublists."""
    author = User.objects.get(username="admin")
    signed = {"created_by": author, "modified_by": author}
    test_list = qa.TestList.objects.create(name=name, slug=name.lower().replace(" ", "-"), **signed)
    of = qa.TestList.objects.get(name=first)
    for order, membership in enumerate(of.testlistmembership_set.order_by("order")):
        qa.TestListMembership.objects.create(test_list=test_list, test=membership.test, order=order)
    for order, sublist in enumerate(sublists, 10):
        child = qa.TestList.objects.get(name=sublist)
        qa.Sublist.objects.create(parent=test_list, child=child, order=order)
    return assign(name)


def _assign(tests):
    physics = Group.objects.get(name="Physics")
    collection = qa.UnitTestCollection.objects.create(
        unit=Unit.objects.get(name=UNIT),
        content_type=ContentType.objects.get_for_model(tests),
        object_id=tests.pk,
        frequency=qa.Frequency.objects.first(),
        assigned_to=physics,
        active=True,
    )
    collection.visible_to.add(physics)
    return collection


def assign_cycle(names):
    """Assign a cycle of test lists to the unit."""
    author = User.objects.get(username="admin")
    signed = {"created_by": author, "modified_by": author}
    cycle = qa.TestListCycle.objects.create(name="Cycle", slug="cycle", **signed)
    for order, name in enumerate(names):
        test_list = qa.TestList.objects.get(name=name)
        qa.TestListCycleMembership.objects.create(cycle=cycle, test_list=test_list, order=order)
    return {"collection": _assign(cycle).pk}


def change_user(username, **fields):
    """Change a member of the staff."""
    User.objects.filter(username=username).update(**fields)


def permit(username, codename):
    """Give somebody a permission."""
    user = User.objects.get(username=username)
    user.user_permissions.add(Permission.objects.get(codename=codename))


def change_test(slug, new):
    """Give a test another macro name."""
    qa.Test.objects.filter(slug=slug).update(slug=new)


def change_collection(**fields):
    """Change how the one list is assigned."""
    qa.UnitTestCollection.objects.update(**fields)


def change_unit(**fields):
    """Change the unit."""
    Unit.objects.update(**fields)


def refer(slug, value):
    """Compare a test with a value: a difference up to 1 passes, up to 2 is in tolerance."""
    author = User.objects.get(username="admin")
    signed = {"created_by": author, "modified_by": author}
    reference = qa.Reference.objects.create(name=str(value), value=value, **signed)
    levels = {"act_low": -2, "tol_low": -1, "tol_high": 1, "act_high": 2}
    tolerance, _ = qa.Tolerance.objects.get_or_create(type=qa.ABSOLUTE, **levels, defaults=signed)
    qa.UnitTestInfo.objects.filter(test__slug=slug).update(reference=reference, tolerance=tolerance)


def due(collection):
    """When a list is due."""
    return qa.UnitTestCollection.objects.get(pk=collection).due_date


def review_automatically():
    """Have every test reviewed whose result is compared with nothing."""
    reviewed = qa.TestInstanceStatus.objects.filter(requires_review=False).first()
    rule = qa.AutoReviewRule.objects.create(pass_fail=qa.NO_TOL, status=reviewed)
    rules = qa.AutoReviewRuleSet.objects.create(name="All")
    rules.rules.add(rule)
    qa.Test.objects.update(autoreviewruleset=rules)


def notify(address):
    """Have somebody told by e-mail of every completed list."""
    group = RecipientGroup.objects.create(name="Physics", emails=address)
    QCCompletedNotice.objects.create(
        notification_type=QCCompletedNotice.COMPLETED, recipients=group
    )
    mail.outbox = []


def sent_mail():
    """What was sent since."""
    return [
        {"to": one.recipients(), "subject": one.subject, "body": one.body} for one in mail.outbox
    ]


def import_page():
    """Where an administrator imports test packs, which the versions keep in two places."""
    for name in ("admin:qa_import_testpack", "qa_import_testpack"):
        with contextlib.suppress(NoReverseMatch):
            return reverse(name)
    raise LookupError("this QATrack+ has no page for importing test packs")


def load_pack(path):
    """Import a test pack."""
    call_command("load_testpack", path)


def test_lists():
    """The names of all test lists."""
    return list(qa.TestList.objects.order_by("name").values_list("name", flat=True))


def objections():
    """What QATrack+ has against the tests that there are, by name; it should be nothing."""
    found = {}
    for test in qa.Test.objects.all():
        try:
            test.full_clean()
        except ValidationError as error:
            found[test.name] = error.message_dict
    return found


# --- saved work -------------------------------------------------------------------------------


def sessions():
    """The saved sessions, oldest first, with their values by macro name."""
    return [
        {
            "pk": saved.pk,
            "started": saved.work_started,
            "completed": saved.work_completed,
            "list": saved.test_list.name,
            "by": saved.created_by.username,
            "in_progress": saved.in_progress,
            "reviewed": saved.all_reviewed,
            "comments": [comment.comment for comment in saved.comments.all()],
            "skipped": {
                done.unit_test_info.test.slug: done.comment
                for done in saved.testinstance_set.filter(skipped=True)
            },
            "values": {
                done.unit_test_info.test.slug: (
                    done.string_value if done.value is None else done.value
                )
                for done in saved.testinstance_set.all()
            },
        }
        for saved in qa.TestListInstance.objects.order_by("pk")
    ]


def save_session(collection, completed, in_progress=False, username="chief"):
    """Have somebody save a list, without any values."""
    row = qa.UnitTestCollection.objects.get(pk=collection)
    moment = timezone.make_aware(parse_datetime(completed))
    who = User.objects.get(username=username)
    return qa.TestListInstance.objects.create(
        unit_test_collection=row,
        test_list=row.tests_object,
        work_started=moment,
        work_completed=moment,
        in_progress=in_progress,
        modified=moment,
        created_by=who,
        modified_by=who,
    ).pk


def delete_session(pk):
    """Have somebody delete a saved session."""
    qa.TestListInstance.objects.get(pk=pk).delete()


def date_session(pk, started, completed):
    """Have a saved session taken place at another time, by the clocks of the clinic."""
    times = {
        "work_started": timezone.make_aware(parse_datetime(started)),
        "work_completed": timezone.make_aware(parse_datetime(completed)),
    }
    qa.TestListInstance.objects.filter(pk=pk).update(**times)
    qa.TestInstance.objects.filter(test_list_instance=pk).update(**times)


def attachments():
    """All attachments, oldest first."""
    return [
        {
            "pk": attachment.pk,
            "file": attachment.attachment.path,
            "session": owner.test_list_instance_id if owner else None,
            "slug": owner.unit_test_info.test.slug if owner else None,
            "by": attachment.created_by.username,
        }
        for attachment in Attachment.objects.order_by("pk")
        for owner in [attachment.testinstance]
    ]
