"""The configuration of nodes and watches, and the record of every retrieval."""

from __future__ import annotations

from qatrack_aria.models.node import AriaNode
from qatrack_aria.models.node_manager import AriaNodeManager
from qatrack_aria.models.retrieval import Retrieval
from qatrack_aria.models.watch import Watch, WatchedSession, WatchState

__all__ = ["AriaNode", "AriaNodeManager", "Retrieval", "Watch", "WatchState", "WatchedSession"]
