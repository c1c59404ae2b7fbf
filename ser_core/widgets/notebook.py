"""Show tables and failed runs in a notebook: what every notebook of the suite needs."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from ser_core.experiments.presets import Profile
    from ser_core.experiments.result import RunResult


def show_table(frame: pd.DataFrame, title: str = "", *, right: Collection[str] | None = None) -> None:
    """Display a table as Markdown.

    Parameters
    ----------
    frame : DataFrame
        A table of text.
    title : str, default ""
        Shown in bold above the table.
    right : names of columns, optional
        Those aligned to the right; see :func:`ser_core.results.formatting.to_markdown`.
    """
    from IPython.display import Markdown, display

    from ser_core.results import formatting

    heading = f"**{title}**\n\n" if title else ""
    display(Markdown(heading + formatting.to_markdown(frame, right=right)))


def run_part(profile: Profile, part: str) -> list[RunResult]:
    """Run the specs of one part of a profile, or load their results, and display a line for each failed run.

    Parameters
    ----------
    profile : Profile
        See :func:`ser_core.experiments.presets.get_profile`.
    part : str
        A key of its ``parts``, such as ``training``.

    Returns
    -------
    list of RunResult
        Those that succeeded; empty where the profile does not have the part.
    """
    from IPython.display import Markdown, display

    from ser_core.experiments import presets

    if not profile.parts.get(part):
        return []
    results, errors = presets.profile_results(profile, part, workers=min(2, os.cpu_count() or 1))
    for error in errors:
        display(Markdown(f"**A run failed:** {error}"))
    return results
