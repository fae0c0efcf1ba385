"""``manage.py check_aria``: does a node work, and if not, what is to be changed?"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from qatrack_aria.errors import Outcome
from qatrack_aria.management.exit_codes import exit_on_failure
from qatrack_aria.management.output import conversation


class Command(BaseCommand):
    """Climb the ladder of each node, and show each step as it is taken."""

    help = (
        "Check that nodes work, step by step: settings, name, connection, association, C-ECHO, "
        "services, our port; with a patient and a plan also that the images are found and that "
        "one arrives. Exit code 0 if all is well, else that of fetch_aria for what failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Say what can be typed."""
        parser.add_argument(
            "node", metavar="NODE", nargs="?", help="name of a node; default: all that are active"
        )
        parser.add_argument("--patient", metavar="PATIENT", help="patient ID to try with")
        parser.add_argument("--plan", metavar="PLAN", help="RT plan label to try with")
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check; what fails ends with its exit code."""
        verbosity = options["verbosity"]
        with exit_on_failure(self.stderr, verbosity), conversation(verbosity > 1, self.stderr):
            outcomes = [self._check(node, options) for node in _nodes(options)]
        if options["json"]:
            self.stdout.write(json.dumps({"nodes": outcomes}, indent=2))
        worst = max(Outcome.of(outcome["status"]).exit_code for outcome in outcomes)
        if worst:
            raise SystemExit(worst)

    def _check(self, node: Any, options: dict[str, Any]) -> dict[str, Any]:
        from qatrack_aria.retrieval.connection_test import ConnectionTest

        told = not options["json"] and options["verbosity"] > 0
        if told:
            self.stdout.write(f"{node.name}:")
        steps, status = [], Outcome.DONE
        for step in ConnectionTest(node, options["patient"], options["plan"]).run():
            if told:
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
    from qatrack_aria.errors import RequestError, UnknownNodeError
    from qatrack_aria.models import AriaNode

    if bool(options["patient"]) != bool(options["plan"]):
        raise RequestError("Say --patient and --plan together, or neither. Nothing was sent.")
    if options["node"] is not None:
        return [AriaNode.objects.named(options["node"])]
    nodes = list(AriaNode.objects.filter(is_active=True))
    if not nodes:
        raise UnknownNodeError("Node: none is configured and active: add one in the admin.")
    return nodes
