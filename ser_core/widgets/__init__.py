"""Show recordings, predictions and results in notebooks and on the prediction page."""

from ser_core._utils.lazy import attach_modules

attach_modules(__name__)
