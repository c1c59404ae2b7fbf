"""Use trained networks: predict, export."""

from ser_core._utils.lazy import attach_modules

attach_modules(__name__)
