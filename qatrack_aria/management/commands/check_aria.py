"""Provide ``manage.py check_aria``, which tests the connection to nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from qatrack_aria.errors import Outcome, RequestError, UnknownNodeError
from qatrack_aria.management.exit_codes import exit_on_failure
from qatrack_aria.management.node_report import report
from qatrack_aria.management.output import show_log
from qatrack_aria.text import error_reason

#: The settings of a node that a report may show.
SETTINGS = ("retrieve_method", "query_model", "character_set", "use_tls", "stable_answers")


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
        parser.add_argument(
            "--report",
            metavar="FILE",
            help="write what the nodes can do to a text file without patients' data or addresses; "
            "with a patient and a plan, put further questions to the node",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Test the nodes; a failure ends with its exit code."""
        verbosity = options["verbosity"]
        with exit_on_failure(self.stderr, verbosity), show_log(verbosity > 1, self.stderr):
            outcomes = [self._check(node, options) for node in _nodes(options)]
            if options["report"] is not None:
                _write_report(Path(options["report"]), outcomes)
        if options["json"]:
            self.stdout.write(json.dumps({"nodes": outcomes}, indent=2))
        worst = max(Outcome.of(outcome["status"]).exit_code for outcome in outcomes)
        if worst:
            raise SystemExit(worst)

    def _check(self, node: Any, options: dict[str, Any]) -> dict[str, Any]:
        from qatrack_aria.retrieval.connection_test import ConnectionTest
        from qatrack_aria.retrieval.node_abilities import abilities_of

        shown = not options["json"] and options["verbosity"] > 0
        if shown:
            self.stdout.write(f"{node.name}:")
        steps, status = [], Outcome.DONE
        probing = options["report"] is not None
        test = ConnectionTest(node, options["patient"], options["plan"], probing=probing)
        for step in test.run():
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
        return {
            "node": node.name,
            "status": status.value,
            "settings": {name: getattr(node, name) for name in SETTINGS},
            "steps": steps,
            "abilities": abilities_of(node),
            "probed": test.probed,
        }


def _write_report(path: Path, outcomes: list[dict[str, Any]]) -> None:
    try:
        path.write_text(report(outcomes), encoding="utf-8")
    except OSError as error:
        raise RequestError(
            f"Report: cannot write {path} ({error_reason(error)}): give another FILE."
        ) from error


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
