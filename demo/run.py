"""``make demo``: the whole way, from a node's name to a result in mm, against a simulated ARIA."""

from __future__ import annotations

import datetime as dt
import os
import socket
import sys
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PATIENT, PLAN = "QA_TB1", "WL"


def main() -> None:
    """Set up the site, start the simulator, fetch, analyse."""
    sys.path.insert(0, str(HERE.parent))
    os.environ["DJANGO_SETTINGS_MODULE"] = "demo.settings"
    (HERE / "data").mkdir(exist_ok=True)
    import django

    django.setup()
    node = set_up()
    from qatrack_aria.simulator import Simulator, phantom

    say("Making a phantom's plans and images ...")
    world = phantom.qa_history(dt.datetime.now())
    peers = {node.local_ae_title: (node.local_host, node.local_port)}
    with Simulator(
        world, ae_title=node.remote_ae_title, port=node.remote_port, peers=peers
    ) as aria:
        say(f"A simulated ARIA, {aria.ae_title}, listens on 127.0.0.1:{aria.port}.")
        fetch()
        analyse()
    manage = f"{sys.executable} {HERE / 'manage.py'}"
    say("\nTo see the same in the admin, make a user and start the demo's site:")
    say(f"  {manage} createsuperuser\n  {manage} runserver")


def set_up() -> Any:
    """Migrate, load the example node, and give it ports that are free here."""
    from django.core.management import call_command

    from qatrack_aria.models import AriaNode

    call_command("migrate", verbosity=0)
    call_command("loaddata", str(HERE.parent / "fixtures" / "example_node.json"), verbosity=0)
    node = AriaNode.objects.named("aria")
    node.remote_port, node.local_port = free(node.remote_port), free(node.local_port)
    node.save()
    return node


def fetch() -> None:
    """As from a terminal."""
    from django.core.management import call_command

    say(f"\n$ manage.py fetch_aria aria {PATIENT} {PLAN}")
    call_command("fetch_aria", "aria", PATIENT, PLAN)


def analyse() -> None:
    """As in a composite test."""
    # pylinac's own, about names that scikit-image will rename; not for who watches a demo.
    warnings.filterwarnings("ignore", category=FutureWarning)
    import matplotlib

    matplotlib.use("Agg")  # no window
    import pylinac

    from qatrack_aria import fetch_images

    say(f'\n>>> images = fetch_images("aria", "{PATIENT}", "{PLAN}", "portal", count=8)')
    images = fetch_images("aria", PATIENT, PLAN, "portal", count=8)
    say(f">>> images.status\n{images.status}")
    say(">>> wl = pylinac.WinstonLutz(images.path); wl.analyze(bb_size_mm=5)")
    wl = pylinac.WinstonLutz(images.path)
    wl.analyze(bb_size_mm=5)
    result = wl.results_data()
    say(f"Maximum distance from field centre to ball: {result.max_2d_cax_to_bb_mm:.2f} mm")
    say(f"Median distance: {result.median_2d_cax_to_bb_mm:.2f} mm")
    say(f"Shift of the ball to the isocentre: {wl.bb_shift_instructions()}")
    picture = HERE / "data" / "winston-lutz.png"
    wl.save_images(str(picture))
    say(f"\nThe images: {images.path}\nThe picture: {picture}")


def free(port: int) -> int:
    """`port`, or another one where something else uses it."""
    for candidate in (port, 0):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(sock.getsockname()[1])
    raise SystemExit("No free port on 127.0.0.1.")


def say(line: str) -> None:
    """Print at once, also into a pipe."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
