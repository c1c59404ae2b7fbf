"""Execute the notebooks and write the HTML report."""

from ser_core._utils.lazy import attach_modules

attach_modules(__name__)
