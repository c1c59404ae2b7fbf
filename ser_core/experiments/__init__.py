"""Run specs: one result per spec, kept in a store."""

from ser_core._utils.lazy import attach_modules

attach_modules(__name__)
