"""Provide ``manage.py fetch_aria``, for the command line, cron jobs and scheduled tasks."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any, Callable

from django.core.management.base import BaseCommand, CommandParser

from qatrack_aria.errors import AriaError, Outcome
from qatrack_aria.management.exit_codes import exit_code_list, exit_on_failure
from qatrack_aria.management.output import format_table, progress, show_log
from qatrack_aria.retrieval.option_values import IMAGE_TYPES
from qatrack_aria.retrieval.options import OPTIONS


class Command(BaseCommand):
    """Parse the arguments, call the service, show the outcome."""

    help = f"Fetch the newest RT Images that reference a plan. Exit codes: {exit_code_list()}."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("node", metavar="NODE", help="name of an ARIA node in the admin")
        parser.add_argument("patient", metavar="PATIENT", help="patient ID")
        parser.add_argument("plan", metavar="PLAN", help="RT plan label (or the plan's UID)")
        parser.add_argument(
            "--image-type",
            default="portal",
            metavar="TYPE",
            help="; ".join(f"{name}: {preset.description}" for name, preset in IMAGE_TYPES.items())
            + r"; or a full type like ORIGINAL\PRIMARY\PORTAL (default: portal)",
        )
        for option in OPTIONS:
            if option.metavar:
                parser.add_argument(f"--{option.name}", metavar=option.metavar, help=option.help)
            for flag, value, explanation in option.flags:
                parser.add_argument(
                    flag,
                    dest=option.name,
                    action="store_const",
                    const=value,
                    default=option.default,
                    help=explanation,
                )
        parser.add_argument("--output", metavar="DIR", help="copy the images to an empty folder")
        parser.add_argument("--zip", metavar="FILE", help="pack the images into a zip file")
        parser.add_argument(
            "--contact-sheet", metavar="FILE", help="draw all images on one picture (PNG)"
        )
        parser.add_argument("--deadline", type=float, metavar="S", help="seconds allowed in total")
        parser.add_argument(
            "--list", action="store_true", help="show what would be fetched, move nothing"
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Fetch or list; a failure ends with its exit code and one line on stderr."""
        verbosity = options["verbosity"]
        with exit_on_failure(self.stderr, verbosity), show_log(verbosity > 1, self.stderr):
            try:
                if options["list"]:
                    self._list(options)
                else:
                    self._fetch(options)
            except AriaError as error:
                if options["json"]:
                    self._print_json(
                        {
                            "status": error.outcome.value,
                            "may_succeed_later": error.outcome.may_succeed_later,
                            "error": type(error).__name__,
                            "message": str(error),
                            "missing": list(getattr(error, "missing", ())),
                        }
                    )
                raise

    def _fetch(self, options: dict[str, Any]) -> None:
        # Imported here, so that --help does not load pynetdicom.
        from qatrack_aria.rendering.canvas import require_libraries
        from qatrack_aria.retrieval.service import fetch
        from qatrack_aria.storage.output import require_empty, require_folder_of

        output = Path(options["output"]) if options["output"] else None
        if output is not None:
            require_empty(output)
        for target in (options["zip"], options["contact_sheet"]):
            if target:
                require_folder_of(Path(target))
        if options["contact_sheet"]:
            require_libraries()
        with progress(not options["json"] and options["verbosity"] > 0) as show_progress:
            images = _ask(fetch, options, progress=show_progress)
        if options["zip"]:
            images.zip(options["zip"])
        if options["contact_sheet"]:
            images.contact_sheet(options["contact_sheet"])
        files = list(images)
        if output is not None:
            files = [str(file) for file in images.copy_to(output)]
        if options["json"]:
            self._print_json(
                {
                    "status": Outcome.DONE.value,
                    "message": images.status,
                    "path": str(output) if output is not None else images.path,
                    "files": files,
                    "zip": options["zip"],
                    "contact_sheet": options["contact_sheet"],
                    "moved": images.moved,
                    "already_here": images.already_here,
                    **images.summary,
                }
            )
        elif options["verbosity"] > 0:
            counts = f"{images.moved} fetched now, {images.already_here} in the archive before:"
            for line in (images.status, counts, *files):
                self.stdout.write(line)

    def _list(self, options: dict[str, Any]) -> None:
        from qatrack_aria.retrieval.service import preview

        found = _ask(preview, options)
        images = [
            {
                "acquired": image.acquired.isoformat(" ") if image.acquired else None,
                "machine": image.machine or None,
                "image_type": "\\".join(image.image_type) if image.image_type else None,
                "sop_uid": image.sop_uid,
            }
            for image in sorted(found.images, key=lambda i: (str(i.acquired), i.sop_uid))
        ]
        if options["json"]:
            self._print_json(
                {
                    "status": Outcome.DONE.value,
                    "plan_uid": found.plan.sop_uid,
                    "images": images,
                    "remarks": found.remarks,
                }
            )
        elif options["verbosity"] > 0:
            heading = f"Plan {found.plan}: {len(images)} images would be fetched."
            columns = ("acquired", "machine", "image type", "SOP Instance UID")
            cells = [[value or "unknown" for value in image.values()] for image in images]
            for line in (heading, *format_table(columns, cells), *found.remarks):
                self.stdout.write(line)

    def _print_json(self, outcome: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(outcome, indent=2))


def _ask(service: Callable[..., Any], options: dict[str, Any], **more: Any) -> Any:
    from qatrack_aria.models import Retrieval
    from qatrack_aria.retrieval.job import Caller

    named = (options[name] for name in ("node", "patient", "plan", "image_type"))
    asked = {option.name: options[option.name] for option in OPTIONS}
    caller = Caller(Retrieval.COMMAND, _login())
    return service(*named, **asked, deadline=options["deadline"], caller=caller, **more)


def _login() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # no such user, as in some containers
        return ""
