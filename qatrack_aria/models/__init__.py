"""The configuration of nodes, and the record of every retrieval."""

from __future__ import annotations

from qatrack_aria.models.node import AriaNode
from qatrack_aria.models.node_manager import AriaNodeManager
from qatrack_aria.models.retrieval import Retrieval

__all__ = ["AriaNode", "AriaNodeManager", "Retrieval"]
