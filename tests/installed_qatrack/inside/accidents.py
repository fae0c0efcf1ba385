"""Have a look of a watch come to grief at one of its writes to the database."""

from __future__ import annotations

import os
import signal

from django.db import OperationalError, connection, connections
from django.db.backends.signals import connection_created

from qatrack_aria.automation.look import Look
from qatrack_aria.models import Watch

WRITES = ("INSERT", "UPDATE", "DELETE", "SAVEPOINT", "RELEASE")
UNHURT, OUT_OF_WRITES = 0, 3


def look(name, deed, at):
    """Have a watch look in a process of its own, where the `at`-th write is an accident.

    `deed` is "kill" or "lose": the process is killed before that write, or the database answers no
    more. Returns whether there were so many writes.
    """
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            os._exit(_look(name, deed, at))
        except BaseException:
            os._exit(UNHURT)
    _, status = os.waitpid(child, 0)
    return not (os.WIFEXITED(status) and os.WEXITSTATUS(status) == OUT_OF_WRITES)


def look_twice_at_once(name):
    """Have two processes look at the same time, as if nothing kept them apart."""
    connections.close_all()
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            try:
                Look(Watch.objects.get(name=name), str).run()
            finally:
                os._exit(UNHURT)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def _look(name, deed, at):
    writes = [0]

    def count():
        writes[0] += 1
        if writes[0] < at:
            return
        if deed == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OperationalError("the database is gone")

    def counted(execute, sql, params, many, context):
        if sql.lstrip().upper().startswith(WRITES) or (deed == "lose" and writes[0] >= at):
            count()
        return execute(sql, params, many, context)

    def watched(connection, **_):
        connection.execute_wrappers.append(counted)
        commit = connection.commit

        def counted_commit():
            count()
            commit()
            count()

        connection.commit = counted_commit

    connection_created.connect(watched, weak=False)
    connection.ensure_connection()
    Look(Watch.objects.get(name=name), str).run()
    return OUT_OF_WRITES if writes[0] < at else UNHURT
