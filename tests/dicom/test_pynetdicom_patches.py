"""Private parts of pynetdicom: each that is used exists, and one package alone uses them."""

from __future__ import annotations

import ast
import logging
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pynetdicom
import pytest
from pynetdicom import AE, _config, sop_class
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket, RequestHandler

import qatrack_aria
from qatrack_aria.dicom.pynetdicom_patches import private_logging

PACKAGE = Path(qatrack_aria.__file__).parent
PATCHES = sorted((PACKAGE / "dicom" / "pynetdicom_patches").glob("*.py"))

#: What is used of an association; undocumented, or documented for the library's own use.
OF_ASSOCIATION = (
    "_is_paused",
    "_serve_request",
    "acse.send_reject",
    "dimse.cancel_req",
    "dimse.dimse_timeout",
    "dimse.get_msg",
    "dimse.message",
    "dimse.msg_queue",
    "dimse.receive_primitive",
    "dimse.send_msg",
    "dul._decode_pdu",
    "dul._is_transport_event",
    "dul._kill_thread",
    "dul._run_loop_delay",
    "dul.event_queue",
    "dul.kill_dul",
    "dul.receive_pdu",
    "dul.run",
    "dul.send_pdu",
    "dul.socket",
    "dul.to_provider_queue",
    "dul.to_user_queue",
    "kill",
    "run",
)
OF_MODULES = (
    (_config, "LOG_REQUEST_IDENTIFIERS"),
    (_config, "LOG_RESPONSE_IDENTIFIERS"),
    (sop_class, "_STORAGE_CLASSES"),
    (AssociationSocket, "_create_socket"),
    (AssociationSocket, "recv"),
    (RequestHandler, "_create_association"),
)
#: Attributes of pynetdicom's objects by which one gets to private parts, or which are private.
INTERNAL = {"acse", "cancel_req", "dimse", "dul", "msg_queue", "to_user_queue"}


def has(thing: object, path: str) -> bool:
    for name in path.split("."):
        if not hasattr(thing, name):
            return False
        thing = getattr(thing, name)
    return True


def test_every_private_part_of_pynetdicom_that_is_used_exists() -> None:
    association = Association(AE(), "requestor")
    missing = [f"Association.{path}" for path in OF_ASSOCIATION if not has(association, path)]
    missing += [
        f"{owner.__name__}.{name}" for owner, name in OF_MODULES if not hasattr(owner, name)
    ]
    if int(pynetdicom.__version__.split(".")[0]) < 3 and not has(
        ApplicationEntity, "_create_socket"
    ):
        missing.append("ApplicationEntity._create_socket")
    assert not missing, f"pynetdicom {pynetdicom.__version__} has no {', '.join(missing)}"


def private_names(path: Path) -> Iterator[tuple[int, str]]:
    """Attributes that are private to pynetdicom, as far as their names tell."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Attribute):
            continue
        of_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        private = node.attr.startswith("_") and not node.attr.startswith("__")
        if (private and not of_self) or node.attr in INTERNAL:
            yield node.lineno, node.attr


def test_they_are_all_in_the_list_above() -> None:
    listed = {name for path in OF_ASSOCIATION for name in path.split(".")}
    listed |= {name for _, name in OF_MODULES}
    assert {name for path in PATCHES for _, name in private_names(path)} <= listed


@pytest.mark.parametrize("folder", ["dicom", "simulator", "retrieval"])
def test_no_other_module_uses_them(folder: str) -> None:
    ours = {"_meta", "_replace", "_asdict"}  # of Django and of named tuples
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {name}"
        for path in sorted((PACKAGE / folder).rglob("*.py"))
        if path not in PATCHES
        for line, name in private_names(path)
        if name not in ours
    ]
    assert not found


# --- logging ----------------------------------------------------------------------------------


def test_importing_the_app_leaves_pynetdicom_as_it_is() -> None:
    code = (
        "import logging, pynetdicom\n"
        "from pynetdicom import _config\n"
        "def state(): return (logging.getLogger('pynetdicom').level, len(logging.root.handlers),"
        " {k: v for k, v in vars(_config).items() if k.isupper()})\n"
        "before = state()\n"
        "from qatrack_aria.dicom import association, finder, retrieve, storage_scp\n"
        "assert state() == before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent)


def test_identifiers_are_not_logged_until_the_last_association_has_ended() -> None:
    logger = logging.getLogger("pynetdicom")
    before = _config.LOG_REQUEST_IDENTIFIERS, logger.level
    first, second = private_logging(), private_logging()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert (_config.LOG_REQUEST_IDENTIFIERS, _config.LOG_RESPONSE_IDENTIFIERS) == (False, False)
    assert logger.level == logging.CRITICAL
    second.__exit__(None, None, None)
    assert (_config.LOG_REQUEST_IDENTIFIERS, logger.level) == before


def test_a_level_that_somebody_has_set_stays() -> None:
    logger = logging.getLogger("pynetdicom")
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        with private_logging():
            assert logger.level == logging.DEBUG
        assert logger.level == logging.DEBUG
    finally:
        logger.setLevel(before)
