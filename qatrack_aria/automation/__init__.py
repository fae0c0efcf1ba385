"""Watches: acquisition sessions are looked for, and test lists performed with them, unattended."""

from __future__ import annotations
