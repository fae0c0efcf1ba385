"""A likeness of QATrack+'s tables for attachments and for the sessions that own them.

Not among the INSTALLED_APPS of the tests: what needs them asks for the fixture ``attachments``.
"""
