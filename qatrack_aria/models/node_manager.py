"""Find nodes by name."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from django.db import Error, models

from qatrack_aria.errors import ConfigurationError, UnknownNodeError
from qatrack_aria.text import short_repr

if TYPE_CHECKING:
    from qatrack_aria.models.node import AriaNode


class AriaNodeManager(models.Manager):
    """Finds nodes by the name that a person gave."""

    def named(self, name: str | None = None) -> AriaNode:
        """Return the active node of that name, or the default one where no name is given.

        Raises
        ------
        UnknownNodeError
            There is none; the message suggests similar names.
        InactiveNodeError
            The node is switched off.
        ConfigurationError
            The database cannot be read.
        """
        try:
            node = self._default() if name is None else self._by_name(name)
        except Error as error:
            raise ConfigurationError(
                f"Node: the nodes cannot be read from the database ({type(error).__name__}): run "
                "'manage.py migrate qatrack_aria', or see what failed before in the same request. "
                "Nothing was sent."
            ) from error
        node.require_active()
        return node

    def get_by_natural_key(self, name: str) -> AriaNode:
        """Return the node that a fixture names."""
        return self.get(name=name)

    def _default(self) -> AriaNode:
        node = self.filter(is_active=True, is_default=True).first()
        if node is None:
            raise UnknownNodeError(
                "Node: none was named and none is the default: name one, or tick 'is default' for "
                "one in the admin under ARIA nodes. Nothing was sent."
            )
        return node

    def _by_name(self, name: Any) -> AriaNode:
        # Databases refuse some values that cannot be a name (NUL).
        possible = isinstance(name, str) and name.isprintable() and len(name) < 200
        node = self.filter(name=name).first() if possible else None
        if node is None:
            raise UnknownNodeError(self._unknown_message(short_repr(name)))
        return node

    def _unknown_message(self, name: str) -> str:
        names = list(self.filter(is_active=True).values_list("name", flat=True)[:100])
        folded = {known.lower(): known for known in names}
        near = difflib.get_close_matches(name.strip("'").lower(), folded, n=3, cutoff=0.5)
        if near:
            hint = "did you mean " + " or ".join(f"'{folded[key]}'" for key in near) + "?"
        elif names:
            hint = "there are " + ", ".join(f"'{known}'" for known in names[:10]) + "."
        else:
            hint = "none is configured; add one in the admin under ARIA nodes."
        return f"Node: there is no node {name}: {hint} Nothing was sent."
