"""Figures of recordings, networks and results, drawn with matplotlib."""

from ser_core._utils.lazy import attach_modules

attach_modules(__name__)
