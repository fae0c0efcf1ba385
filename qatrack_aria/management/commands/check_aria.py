"""Provide ``manage.py check_aria``, which tests the connection to nodes."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from qatrack_aria.errors import Outcome, RequestError, UnknownNodeError
from qatrack_aria.management.exit_codes import exit_on_failure
from qatrack_aria.management.output import show_log


class Command(BaseCommand):
    """Test the connection to each node, and show each step as it is made."""

    help = (
        "Test the connection to nodes step by step: settings, name, connection, association, "
        "C-ECHO, services, local port; with a patient and a plan, also find the images and "
        "retrieve one. The exit code is 0 if all steps passed, else that of fetch_aria for the "
        "failure."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "node", metavar="NODE", nargs="?", help="name of a node; default: all that are active"
        )
        parser.add_argument("--patient", metavar="PATIENT", help="patient ID to test with")
        parser.add_argument("--plan", metavar="PLAN", help="RT plan label to test with")
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Test the nodes; a failure ends with its exit code."""
        verbosity = options["verbosity"]
        with exit_on_failure(self.stderr, verbosity), show_log(verbosity > 1, self.stderr):
            outcomes = [self._check(node, options) for node in _nodes(options)]
        if options["json"]:
            self.stdout.write(json.dumps({"nodes": outcomes}, indent=2))
        worst = max(Outcome.of(outcome["status"]).exit_code for outcome in outcomes)
        if worst:
            raise SystemExit(worst)

    def _check(self, node: Any, options: dict[str, Any]) -> dict[str, Any]:
        from qatrack_aria.retrieval.connection_test import ConnectionTest

        shown = not options["json"] and options["verbosity"] > 0
        if shown:
            self.stdout.write(f"{node.name}:")
        steps, status = [], Outcome.DONE
        for step in ConnectionTest(node, options["patient"], options["plan"]).run():
            if shown:
                mark = self.style.SUCCESS("ok") if step.passed else self.style.ERROR("NO")
                time = f"{step.milliseconds:6} ms"
                self.stdout.write(f"  {mark}  {step.name:18} {time}  {step.message}")
                self.stdout.flush()
            if step.failure is not None:
                status = step.failure.outcome
            steps.append(
                {
                    "step": step.name,
                    "passed": step.passed,
                    "seconds": round(step.seconds, 3),
                    "message": step.message,
                }
            )
        return {"node": node.name, "status": status.value, "steps": steps}


def _nodes(options: dict[str, Any]) -> list[Any]:
    from qatrack_aria.models import AriaNode

    if bool(options["patient"]) != bool(options["plan"]):
        raise RequestError("Give both --patient and --plan, or neither. Nothing was sent.")
    if options["node"] is not None:
        return [AriaNode.objects.named(options["node"])]
    nodes = list(AriaNode.objects.filter(is_active=True))
    if not nodes:
        raise UnknownNodeError("Node: none is configured and active: add one in the admin.")
    return nodes
