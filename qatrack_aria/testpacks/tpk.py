"""Write test packs, which QATrack+'s admin imports as a test list with all of its tests.

The same pack always gives the same text: it holds no current time and no random value.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from qatrack_aria.testpacks.model import VERSIONS, Pack, Test

DATE = "2026-01-01 00:00:00+00:00"
CATEGORY = {
    "name": "ARIA images",
    "slug": "aria-images",
    "description": "Measured in images that were fetched from ARIA",
}
NUMERIC = ("constant", "composite")


def file_name(pack: Pack, version: str) -> str:
    """Return the name of a pack's file."""
    return f"{pack.slug}_{VERSIONS[version]}.tpk"


def as_testpack(pack: Pack, version: str, node: str | None = None) -> str:
    """Write a test pack.

    Parameters
    ----------
    pack : Pack
        The test list.
    version : str
        The version of QATrack+ that imports it, one of `VERSIONS`.
    node : str, optional
        Name of the node that its tests use; ``None`` for the default one.

    Returns
    -------
    str
        JSON, in ASCII.
    """
    node_text = "the default node" if node is None else f"node {node}"
    meta = {
        "version": version,
        "datetime": DATE,
        "description": f"{pack.description} For QATrack+ {version} and {node_text}.",
        "contact": "qatrack_aria",
        "name": pack.name,
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, repr((pack.slug, version, node)))),
    }
    objects = {
        "tests": [],
        "testlists": [json.dumps(_test_list(pack, version, node))],
        "testlistcycles": [],
    }
    return json.dumps({"objects": objects, "meta": meta}, indent=2) + "\n"


def _test_list(pack: Pack, version: str, node: str | None) -> dict[str, Any]:
    """Write the list of a pack: the tests that several packs share, and a sublist of its own."""
    key, part = _list_key(pack), f"{_list_key(pack)}-tests"
    whole = _list(key, pack.name, pack.description)
    own = _list(part, f"{pack.name}: tests", f"To be a sublist of another list. {pack.description}")
    sublist = {"parent": [key], "child": [part], "outline": False, "order": len(pack.shared)}
    members = [(key, pack.shared), (part, pack.own_tests(version))]
    return {
        "key": [key],
        "object": whole,
        "dependencies": [
            _entry("qa.category", CATEGORY),
            own,
            *(_entry("qa.test", _test(pack, t, version, node)) for t in pack.tests_for(version)),
            *(
                _entry("qa.testlistmembership", _membership(pack, name, test, order))
                for name, tests in members
                for order, test in enumerate(tests)
            ),
            _entry("qa.sublist", sublist),
        ],
    }


def _list(key: str, name: str, description: str) -> dict[str, Any]:
    fields = {
        "name": name,
        "slug": key,
        "description": description,
        "javascript": None,
        "warning_message": "",
    }
    return _entry("qa.testlist", fields)


def _test(pack: Pack, test: Test, version: str, node: str | None) -> dict[str, Any]:
    return {
        "name": _test_key(pack, test),
        "display_name": test.name,
        "slug": test.macro,
        "description": test.description,
        "procedure": None,
        "category": [CATEGORY["name"]],
        "chart_visibility": test.type in NUMERIC,
        "type": test.type,
        "flag_when": None,
        "hidden": False,
        "skip_without_comment": False,
        "require_comment": False,
        "display_image": test.shows_picture,
        "choices": ",".join(test.choices) or None,
        "constant_value": test.constant,
        "wrap_low": None,
        "wrap_high": None,
        "calculation_procedure": test.procedure(version, node) or None,
        "formatting": test.formatting,
    }


def _membership(pack: Pack, name: str, test: Test, order: int) -> dict[str, Any]:
    return {"test_list": [name], "test": [_test_key(pack, test)], "order": order}


def _entry(model: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"model": model, "fields": fields}


def _list_key(pack: Pack) -> str:
    return f"aria-{pack.slug.replace('_', '-')}"


def _test_key(pack: Pack, test: Test) -> str:
    return f"{pack.prefix}: {test.name}"
