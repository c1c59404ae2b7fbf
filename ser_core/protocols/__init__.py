"""Split corpora into training, validation and test, and audit splits for leakage."""

from ser_core._utils.lazy import attach_modules

attach_modules(__name__)
