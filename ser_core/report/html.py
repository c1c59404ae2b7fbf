"""Write HTML that can be sent: one self-contained file per notebook, and the index page.

Style sheet, pictures and the script of the tables are in the file. A page loads nothing from elsewhere.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ser_core import corpora

if TYPE_CHECKING:
    from ser_core.results.records import PooledResult

STYLE = Path(__file__).with_name("report.css")
SCRIPT = Path(__file__).with_name("tables.js")
TEMPLATES = Path(__file__).with_name("templates")

LADDER = "The ladder: one network under every protocol"
READINGS = "The paper's network under every measured reading of its text"
"""Alternative texts of the figures of the index."""

DEMO = (
    "Demo: these figures come from synthetic speech that is embedded in the suite, so that everything runs "
    "without a download. They show that the software works. They neither confirm nor refute a claim about people."
)


def render(name: str, **values) -> str:
    """Render one of the report's templates; see :func:`ser_core._utils.templates.render_template`."""
    from ser_core._utils.templates import render_template

    return render_template(TEMPLATES, name, **values)


def _style(further: str = "") -> str:
    """Return the report's style sheet, with further rules, for a ``<style>`` element."""
    from markupsafe import Markup

    return Markup(STYLE.read_text(encoding="utf-8") + further)


def _script() -> str:
    """Return the script that sorts, filters and saves tables, for a ``<script>`` element."""
    from markupsafe import Markup

    return Markup(SCRIPT.read_text(encoding="utf-8"))


def _code_style() -> str:
    """Return the colours of code, in light and in dark."""
    from pygments.formatters import HtmlFormatter

    light, dark = (HtmlFormatter(style=name).get_style_defs(".highlight") for name in ("default", "github-dark"))
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"


def _png_address(content: bytes) -> str:
    """Return a PNG file as a data address."""
    return "data:image/png;base64," + base64.b64encode(content).decode()


def export_html(
    notebook_path: str | Path,
    html_path: str | Path,
    *,
    title: str = "",
    badge: str = "",
    failure: str = "",
    before: dict | None = None,
    after: dict | None = None,
) -> Path:
    """Render an executed notebook as one self-contained HTML file.

    Code is hidden until a box is ticked. The only script is that of the tables, and outside links become plain text.

    Parameters
    ----------
    notebook_path : str or Path
        The executed notebook.
    html_path : str or Path
        The file to write.
    title : str, default ""
        Title of the page; by default the file's name.
    badge : str, default ""
        A word in the page's header, e.g. "demo".
    failure : str, default ""
        The error line that stopped the notebook, shown at the top.
    before, after : dict, optional
        ``page`` and ``title`` of the neighbouring pages.

    Returns
    -------
    Path
        ``html_path``.
    """
    import nbformat
    from markupsafe import Markup

    from ser_core._utils.atomic import write_atomically
    from ser_core.report.notebook_page import ReportExporter, sections

    content, _ = ReportExporter().from_notebook_node(nbformat.read(notebook_path, as_version=4))
    html_path = Path(html_path)
    page = render(
        "notebook.html.j2",
        title=title or html_path.stem,
        style=_style(_code_style()),
        script=_script(),
        badge=badge,
        failure=failure,
        before=before,
        after=after,
        contents=sections(content),
        content=Markup(content),
    )
    write_atomically(html_path, page.encode())
    return html_path


def title_and_summary(source: Path) -> tuple[str, str]:
    """Return title and first paragraph of a notebook, as plain text."""
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    text = "".join(next((cell["source"] for cell in cells if cell["cell_type"] == "markdown"), []))
    title, *rest = [block.strip() for block in text.split("\n\n") if block.strip()] or [source.stem]
    plain = rest[0].replace("\n", " ").replace("`", "").replace("*", "") if rest else ""
    return title.lstrip("# ").split("\n")[0], plain


def thumbnail(notebook_path: str | Path, *, width: int = 560) -> str | None:
    """Return a small copy of a notebook's picture as a data address.

    Parameters
    ----------
    notebook_path : str or Path
        An executed notebook.
    width : int, pixels, default 560
        Largest width of the copy.

    Returns
    -------
    str or None
        The picture of the cell tagged ``thumbnail``, else the first one; None without pictures.
    """
    import nbformat
    from PIL import Image

    cells = [cell for cell in nbformat.read(notebook_path, as_version=4).cells if cell.cell_type == "code"]
    cells.sort(key=lambda cell: "thumbnail" not in cell.metadata.get("tags", []))
    pictures = (output["data"].get("image/png") for cell in cells for output in cell.outputs if "data" in output)
    picture = next((content for content in pictures if content), None)
    if picture is None:
        return None
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    image.thumbnail((width, 10 * width))
    small = io.BytesIO()
    image.quantize(64).save(small, format="PNG", optimize=True)
    return _png_address(small.getvalue())


def headline(pooled: list[PooledResult]) -> str:
    """Return the main result in one or two sentences, or "" where the paper's network has no result.

    Parameters
    ----------
    pooled : list of PooledResult
        See :func:`ser_core.results.pooling.pool_results`.
    """
    from ser_core.results import ablations
    from ser_core.results.formatting import format_percent

    one = ablations.reference_row([row for row in pooled if row.spec["protocol"] == "speaker"])
    if one is None:
        return ""
    name = corpora.corpus_title(one.spec["corpus"])
    claimed = one.claimed_accuracy
    text = f"On {name}, tested on speakers that are not in training, the paper's network recognises {_figure(one)}"
    if claimed is not None:
        text += f"; the paper claims {format_percent(claimed, 2)} %"
    alike = {key: value for key, value in one.spec.items() if key != "protocol"} | {"protocol": "random"}
    other = next((row for row in pooled if row.spec == alike and row.ok), None)
    if other:
        text += f". With the test speakers in training as well, it recognises {_figure(other)}"
    return f"{text}."


def _figure(one: PooledResult) -> str:
    """Return accuracy and interval of a pooled result in words, with what they were measured on."""
    from ser_core.results.formatting import format_interval, format_percent, format_setting

    spec, limits = one.spec, one.intervals.accuracy if one.intervals else None
    seeds = ", ".join(map(str, one.seeds))
    interval = f" {format_interval(limits)}" if limits else ""
    setting = f", {format_setting(spec)}" if format_setting(spec) else ""
    return (
        f"{format_percent(one.scores['accuracy'])} %{interval} of utterances (protocol {spec['protocol']}, "
        f"{len(one.folds)} of {one.folds_total} folds, seed {seeds}{setting})"
    )


def headline_table(pooled: list[PooledResult]) -> str:
    """Return the claim with our results as HTML tables with bars, one panel per protocol.

    The paper's network comes first; other systems are folded away. A bar shows our accuracy, its 95 % interval, and
    a mark where the claim is.

    Parameters
    ----------
    pooled : list of PooledResult
        See :func:`ser_core.results.pooling.pool_results`.
    """
    return render("headline_table.html.j2", panels=_panels(pooled), listeners=_listeners(pooled))


def _listeners(pooled: list[PooledResult]) -> str | None:
    """Return the accuracy of human listeners in %, where a result is scored as they were."""
    from ser_core.claims import paper

    return str(paper.LISTENERS["accuracy"]) if any(one.calm_is_neutral for one in pooled) else None


def _panels(pooled: list[PooledResult]) -> list[dict]:
    """Return what the template shows of each protocol: its meaning, the paper's network, the other systems."""
    from ser_core.experiments.grids import A5
    from ser_core.protocols import splits
    from ser_core.results.formatting import format_setting
    from ser_core.results.pooling import by_protocol, select_clean

    panels = []
    for protocol, rows in by_protocol(select_clean(pooled)).items():
        own = [one for one in rows if one.spec["model"] == A5] or rows
        own = sorted(own, key=lambda one: len(format_setting(one.spec)))
        further = [one for one in rows if one not in own]
        panels.append(
            {
                "protocol": protocol,
                "meaning": splits.PROTOCOLS.get(protocol, ""),
                "leaky": protocol == "leaky",
                "own": _table_lines(own),
                "others": _table_lines(further),
                "others_count": len(further),
            }
        )
    return panels


def _table_lines(pooled: list[PooledResult]) -> list[dict]:
    """Return what the template shows of each line of one protocol's table; calm as neutral is in the line above."""
    from ser_core.results.formatting import DASH, format_folds, format_limits, format_percent, format_units, is_missing
    from ser_core.results.tables import results_table

    merged: list[dict | None] = []
    for one in pooled:
        merged += [_merged(one), *[None] * (len(one.parts) + len(one.by_copy))]
    lines = []
    for row, calm in zip(results_table(pooled, calm_is_neutral=False).itertuples(), merged, strict=True):
        failed, shown = row.status != "ok", not is_missing(row.accuracy_low)
        lines.append(
            {
                "corpus": row.corpus,
                "leaky": row.protocol == "leaky",
                "network": row.network,
                "setting": "" if row.setting in ("as the paper", "default") else row.setting,
                "claimed": format_percent(row.claimed, 2),
                "accuracy": "failed" if failed else format_percent(row.accuracy),
                "interval": format_limits(row.accuracy_low, row.accuracy_high),
                "score": None if failed else row.accuracy,
                "limits": [100 * row.accuracy_low, 100 * row.accuracy_high] if shown else None,
                "merged": calm,
                "uar": format_percent(row.uar),
                "uar_interval": format_limits(row.uar_low, row.uar_high),
                "folds": format_folds(row.folds, row.folds_total),
                "seeds": ", ".join(map(str, row.seeds)) or DASH,
                "tested": f"{row.n_test:,}",
                "unit": format_units(row.units, row.unit),
            }
        )
    return lines


def _merged(one: PooledResult) -> dict | None:
    """Return the accuracy with calm counted as neutral, as people were scored, where a result has it."""
    from ser_core.claims import paper
    from ser_core.results.formatting import format_interval, format_percent

    if one.calm_is_neutral is None:
        return None
    score = format_percent(one.calm_is_neutral.scores["accuracy"])
    limits = format_interval(one.calm_is_neutral.intervals.accuracy)
    return {"score": score, "limits": limits, "listeners": paper.LISTENERS["accuracy"]}


def index_html(
    title: str,
    lead: str,
    *,
    badge: str,
    cards: list[dict],
    pooled: list[PooledResult],
    corpora,
    made: Iterable[tuple[str, str]],
    ladders: Iterable[tuple] = (),
    boards: Iterable[dict] = (),
    overviews: Iterable[dict] = (),
    doubt: dict | None = None,
    note: str = "",
    voice: str = "",
) -> str:
    """Return the index page of a report.

    Parameters
    ----------
    title, lead : str
        Heading, and the paragraph below it.
    badge : str
        A word next to the title: "demo" or "".
    cards : list of dict
        One per notebook: ``title``, ``text``, ``page`` (file name or ""), ``picture`` (data address or None) and
        ``failure`` (error line or "").
    pooled : list of PooledResult
        See :func:`ser_core.results.pooling.pool_results`.
    corpora : pandas.DataFrame
        Made by :func:`ser_core.corpora.inventory.completeness_table`.
    made : iterable of (str, str)
        Names and values that say how the report was made.
    ladders : iterable of (matplotlib.figure.Figure, str)
        Figures and conclusions of :mod:`ser_core.results.ladder_text`.
    boards : iterable of dict
        Leaderboards: ``title``, ``sentence``, ``setting``, ``table`` (a frame of text) and ``partial`` (names).
    overviews : iterable of dict
        Made by :func:`ser_core.report.overview.overview_content`.
    doubt : dict, optional
        Readings of the paper's text: ``sentence``, ``figure`` and ``table`` (a frame of text).
    note : str, default ""
        A paragraph set apart below ``lead``.
    voice : str, default ""
        File name of the page that answers in a browser.
    """
    from markupsafe import Markup

    from ser_core.figures.style import figure_svg

    return render(
        "index.html.j2",
        title=title,
        style=_style(),
        script=_script(),
        badge=badge,
        lead=lead,
        note=note,
        voice=voice,
        cards=cards,
        boards=list(boards),
        overviews=list(overviews),
        ladders=[(Markup(figure_svg(figure, LADDER)), sentence) for figure, sentence in ladders],
        doubt=doubt and doubt | {"picture": Markup(figure_svg(doubt["figure"], READINGS))},
        measured=bool(pooled),
        headline=headline(pooled),
        panels=_panels(pooled),
        listeners=_listeners(pooled),
        corpora=Markup(corpora.to_html(index=False, border=0, justify="left", escape=True)),
        made=list(made),
    )
