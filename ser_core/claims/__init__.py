"""Figures that the paper prints, and checks of claims by computation."""

from ser_core._utils.lazy import attach_modules

attach_modules(__name__)
