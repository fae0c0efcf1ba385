"""Write test packs for QATrack+, and the page that documents them."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from qatrack_aria.testpacks import PACKS, VERSIONS
from qatrack_aria.testpacks.markdown import as_markdown
from qatrack_aria.testpacks.tpk import as_testpack, file_name
from qatrack_aria.text import error_reason


class Command(BaseCommand):
    """Parse the options, write the files, and name them."""

    help = (
        "Write test packs with composite tests that fetch images from ARIA, for QATrack+'s admin "
        "to import (QC > Test lists > Import Test Pack)."
    )
    requires_system_checks: Any = []  # it needs neither the database nor the site's settings

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--output", metavar="DIR", help="write the test packs into this folder")
        parser.add_argument("--docs", metavar="FILE", help="write the documentation (Markdown)")
        parser.add_argument(
            "--node", metavar="NAME", help="the node that the tests call; else the default one"
        )
        parser.add_argument(
            "--qatrack", metavar="VERSION", choices=VERSIONS, help="3.1.1 or 4.0; else for both"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["output"] or options["docs"]):
            raise CommandError("say what to write: --output DIR, --docs FILE, or both")
        files: dict[Path, str] = {}
        if options["output"]:
            versions = [options["qatrack"]] if options["qatrack"] else list(VERSIONS)
            for pack in PACKS:
                for version in (version for version in versions if version in pack.versions):
                    path = Path(options["output"]) / file_name(pack, version)
                    files[path] = as_testpack(pack, version, options["node"])
        if options["docs"]:
            files[Path(options["docs"])] = as_markdown()
        for path, text in files.items():
            self._write(path, text, options["verbosity"])

    def _write(self, path: Path, text: str, verbosity: int) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8"))  # as it is: no line ends of the system's own
        except OSError as error:
            raise CommandError(f"cannot write {path}: {error_reason(error)}") from None
        if verbosity > 0:
            self.stdout.write(str(path))
