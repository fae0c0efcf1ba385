"""A likeness of QATrack+'s tables for attachments and for the sessions that own them.

Not among the INSTALLED_APPS of the tests: what needs it asks for the fixture ``attachments``.
"""
