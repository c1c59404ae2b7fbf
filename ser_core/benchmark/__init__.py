"""Measure the suite against its peers and against the floor of the machine: the command ``ser bench``."""

from ser_core._utils.lazy import attach_modules

attach_modules(__name__)
