"""Pages of the admin that are no lists or forms of a model; :mod:`qatrack_aria.admin` adds them."""
