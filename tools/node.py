"""Make the node by which our app knows a server of the tools; Django must be set up."""

from __future__ import annotations

from typing import Any

from qatrack_aria.models import AriaNode
from tests.helpers.peers.server import HOST, free_port


def make_node(**fields: Any) -> AriaNode:
    """Make a node for a server on the loopback that behaves as ARIA, or as `fields` say."""
    usual = {
        "name": "aria",
        "remote_ae_title": "VMSDBD",
        "remote_host": HOST,
        "remote_port": 104,
        "local_ae_title": "QATRACK",
        "local_host": HOST,
        "local_port": free_port(),
        "allowed_patients": "QA_*",
    }
    return AriaNode.objects.create(**{**usual, **fields})
