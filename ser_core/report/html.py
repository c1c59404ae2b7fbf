"""HTML that can be sent to a colleague: one self-contained file a notebook, and the index page.

No script, no style sheet, font or image from elsewhere: everything is in the file, and nothing leaves the page.
"""

from __future__ import annotations

import base64
import html
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ser_core import corpora

if TYPE_CHECKING:
    from ser_core.results.records import PooledResult

STYLE = Path(__file__).with_name("report.css")

WIDGET = (
    "(Here the notebook has controls, which need a running kernel: `make lab` opens it, `make app` serves notebook 10.)"
)

DEMO = (
    "Demo: these figures come from synthetic speech that is embedded in the suite, so that everything runs "
    "without a download. They show that the machinery works; they neither confirm nor refute a claim about people."
)


def page(title: str, header: str, body: str, *, css: str = "") -> str:
    """A whole HTML document. ``title`` is text, the rest HTML."""
    style = STYLE.read_text(encoding="utf-8") + css
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{html.escape(title)}</title>\n'
        f'<link rel="icon" href="data:,">\n<style>{style}</style>\n</head>\n<body>\n<header>{header}</header>\n'
        f"{body}\n</body>\n</html>\n"
    )


def prepare_notebook(notebook):
    """Drop from an executed notebook what a report does not show, and name its pictures.

    Warnings and progress bars on stderr, and papermill's upper banner go; a line stands for a widget, which needs a
    running kernel. Each picture's alternative text is the caption below it: a Markdown cell in italics.
    """
    notebook.metadata.pop("widgets", None)
    tag = "papermill-error-cell-tag"
    if notebook.cells and tag in notebook.cells[0].metadata.get("tags", []):
        notebook.cells = notebook.cells[1:]
    for cell, following in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        if cell.cell_type != "code":
            continue
        cell.outputs = [
            _without_widget(output)
            for output in cell.outputs
            if not (output.output_type == "stream" and output.name == "stderr")
        ]
        source = following.source.strip() if following is not None and following.cell_type == "markdown" else ""
        caption = source.strip("*_").split("\n")[0] if source[:1] in "*_" else "figure"
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                output.metadata.setdefault("image/png", {})["alt"] = re.sub(r"[`*_\"<>]", "", caption)
    return notebook


def _without_widget(output):
    """An output as it is, or the line that stands for a widget."""
    if not any("widget" in kind for kind in output.get("data", {})):
        return output
    from nbformat.v4 import new_output

    return new_output("display_data", {"text/markdown": f"*{WIDGET}*"})


def export_html(notebook_path, html_path, *, title: str = "", badge: str = "", failure: str = "") -> Path:
    """Render an executed notebook as one self-contained HTML file.

    notebook_path : executed .ipynb; html_path : where to write; badge : a word beside the title ("demo")
    failure : the line of an error that stopped the notebook, shown on top

    Returns ``html_path``. Code is folded away until a box is ticked. There is no script, and addresses elsewhere become
    plain text.
    """
    import nbformat
    from nbconvert import HTMLExporter
    from pygments.formatters import HtmlFormatter

    notebook = prepare_notebook(nbformat.read(notebook_path, as_version=4))
    exporter = HTMLExporter(
        template_name="basic", embed_images=True, exclude_input_prompt=True, exclude_output_prompt=True
    )
    body, _ = exporter.from_notebook_node(notebook)
    body = re.sub(r"<script\b.*?</script>", "", body, flags=re.DOTALL | re.IGNORECASE)
    body = re.sub(r'<a\s[^>]*href="(?:[a-z]+:)?//[^>]*>(.*?)</a>', r"\1", body, flags=re.DOTALL | re.IGNORECASE)
    body = re.sub(r'(href="[\w.-]+)\.ipynb"', r'\1.html"', body)
    body = re.sub(r"(<(?:code|td|strong)>)leaky(?=</)", r'\1<span class="leaky">leaky</span>', body)
    badges = f' <span class="badge demo">{html.escape(badge)}</span>' if badge else ""
    trouble = f'<div class="fail"><b>This notebook stopped:</b> {html.escape(failure)}</div>' if failure else ""
    header = f'<nav><a href="index.html">← all pages</a>{badges}</nav>{trouble}'
    tick = (
        '<input type="checkbox" id="code" class="hidden"><label for="code" class="code">show or hide the code</label>'
    )
    body = f'<div class="sheet">{tick}<main class="page">{body}</main></div><footer></footer>'
    css = HtmlFormatter(style="default").get_style_defs(".highlight")
    html_path = Path(html_path)
    html_path.parent.mkdir(parents=True, exist_ok=True)
    html_path.write_text(page(title or html_path.stem, header, body, css=css), encoding="utf-8")
    return html_path


def title_and_summary(source: Path) -> tuple[str, str]:
    """Title and first paragraph of a notebook, as plain text."""
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    text = "".join(next((cell["source"] for cell in cells if cell["cell_type"] == "markdown"), []))
    title, *rest = [block.strip() for block in text.split("\n\n") if block.strip()] or [source.stem]
    plain = rest[0].replace("\n", " ").replace("`", "").replace("*", "") if rest else ""
    return title.lstrip("# ").split("\n")[0], plain


def thumbnail(notebook_path, *, width: int = 560) -> str | None:
    """A small copy of a picture as a data address: of the cell tagged ``thumbnail``, else the first; None without."""
    import nbformat
    from PIL import Image

    cells = [cell for cell in nbformat.read(notebook_path, as_version=4).cells if cell.cell_type == "code"]
    cells.sort(key=lambda cell: "thumbnail" not in cell.metadata.get("tags", []))
    pictures = (output["data"].get("image/png") for cell in cells for output in cell.outputs if "data" in output)
    picture = next((one for one in pictures if one), None)
    if picture is None:
        return None
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    image.thumbnail((width, 10 * width))
    small = io.BytesIO()
    image.quantize(64).save(small, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode()


def headline(pooled: list[PooledResult]) -> str:
    """The answer in one or two sentences, computed from the rows; "" where the paper's network was not judged."""
    from ser_core.results import ablations
    from ser_core.results.formatting import format_percent

    one = ablations.reference_row([row for row in pooled if row.spec["protocol"] == "speaker"])
    if one is None:
        return ""
    name = corpora.corpus_title(one.spec["corpus"])
    claimed = one.claimed_accuracy
    told = f"On {name}, tested on speakers that it has never heard, the paper's network recognises {_figure(one)}"
    if claimed is not None:
        told += f"; the paper claims {format_percent(claimed, 2)} %"
    alike = {key: value for key, value in one.spec.items() if key != "protocol"} | {"protocol": "random"}
    other = next((row for row in pooled if row.spec == alike and row.ok), None)
    if other:
        told += f". With the voices of the test in training as well it recognises {_figure(other)}"
    return f"{told}."


def _figure(one: PooledResult) -> str:
    from ser_core.results.formatting import format_interval, format_percent, format_setting

    spec, interval = one.spec, one.intervals.accuracy if one.intervals else None
    seeds = ", ".join(map(str, one.seeds))
    between = f" {format_interval(interval)}" if interval else ""
    told = f", {format_setting(spec)}" if format_setting(spec) else ""
    return (
        f"{format_percent(one.scores['accuracy'])} %{between} of utterances (protocol {spec['protocol']}, "
        f"{len(one.folds)} of {one.folds_total} folds, seed {seeds}{told})"
    )


def headline_table(pooled: list[PooledResult]) -> str:
    """The claim beside ours as HTML tables with bars, a panel a protocol: the paper's network, the others folded away.

    A bar shows ours, its 95 % interval, and a mark where the claim is.
    """
    from ser_core.claims import paper
    from ser_core.experiments.grids import A5
    from ser_core.protocols import splits
    from ser_core.results.formatting import format_setting
    from ser_core.results.pooling import by_protocol, select_clean

    blocks = []
    people = any(one.calm_is_neutral for one in pooled)
    for protocol, rows in by_protocol(select_clean(pooled)).items():
        meaning = html.escape(splits.PROTOCOLS.get(protocol, ""))
        red = ' class="badge bad"' if protocol == "leaky" else ""
        own = [one for one in rows if one.spec["model"] == A5] or rows
        own = sorted(own, key=lambda one: len(format_setting(one.spec)))
        further = [one for one in rows if one not in own]
        folded = ""
        if further:
            count = f"{len(further)} further row{'s' if len(further) > 1 else ''}"
            folded = f"<details><summary>{count}: other systems</summary>{_results(further)}</details>"
        blocks.append(
            f'<div class="panel"><h3><span{red}>Protocol <code>{html.escape(protocol)}</code></span>: {meaning}</h3>'
            f"{_results(own)}{folded}</div>"
        )
    key = (
        '<p class="small"><span class="key ours"></span>measured here<span class="key range"></span>95 % interval'
        '<span class="key claim"></span>printed in the paper'
    )
    if people:
        key += f'<span class="key people"></span>human listeners, {paper.LISTENERS["accuracy"]} % (neutral = calm)'
    key += "</p>"
    return "\n".join(blocks) + key


def _results(pooled: list[PooledResult]) -> str:
    """Format results of one protocol as an HTML table; scores with calm as neutral are in the row above them."""
    from ser_core.results.formatting import DASH, format_folds, format_limits, format_percent, format_units, is_missing
    from ser_core.results.tables import results_table

    merged = []
    for one in pooled:
        merged += [_merged(one), *[""] * (len(one.parts) + len(one.by_copy))]
    lines = []
    for row, below in zip(results_table(pooled, calm_is_neutral=False).itertuples(), merged, strict=True):
        failed = row.status != "ok"
        claimed = format_percent(row.claimed, 2)
        bar = "" if failed else f'<span class="ours" style="width:{100 * row.accuracy:.1f}%"></span>'
        if not is_missing(row.accuracy_low):
            low, high = 100 * row.accuracy_low, 100 * row.accuracy_high
            bar += f'<span class="range" style="left:{low:.1f}%;width:{high - low:.1f}%"></span>'
        if claimed != DASH:
            bar += f'<span class="claim" style="left:{claimed}%"></span>'
        leaky = '<br><span class="badge bad">leaky</span>' if row.protocol == "leaky" else ""
        network = f"<code>{html.escape(row.network)}</code>"
        if row.setting not in ("as the paper", "default"):
            network += f"<br><span class='small'>{html.escape(row.setting)}</span>"
        accuracy = "failed" if failed else format_percent(row.accuracy)
        folds = format_folds(row.folds, row.folds_total)
        cells = {
            "corpus": html.escape(row.corpus) + leaky,
            "network": network,
            "paper, accuracy %": claimed,
            "ours, accuracy %": f"<b>{accuracy}</b>{_below(format_limits(row.accuracy_low, row.accuracy_high))}",
            "0 to 100 %": f'<div class="track">{bar}</div>{below}',
            "UAR %": format_percent(row.uar) + _below(format_limits(row.uar_low, row.uar_high)),
            "folds": f"<span class='nowrap'>{folds}</span>" + _below(f"seed {', '.join(map(str, row.seeds)) or DASH}"),
            "tested on": f"{row.n_test:,}" + _below(format_units(row.units, row.unit)),
        }
        tds = "".join(f'<td data-label="{name}"><div>{cell}</div></td>' for name, cell in cells.items())
        lines.append(f"<tr>{tds}</tr>")
    head = "".join(f"<th>{name}</th>" for name in cells)
    return f'<table class="results"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'


def _merged(one: PooledResult) -> str:
    """Format the accuracy with calm counted as neutral, as people were scored, where a result has it."""
    from ser_core.claims import paper
    from ser_core.results.formatting import format_interval, format_percent

    if one.calm_is_neutral is None:
        return ""
    score = format_percent(one.calm_is_neutral.scores["accuracy"])
    limits = format_interval(one.calm_is_neutral.intervals.accuracy)
    mark = f'<span class="people" style="left:{paper.LISTENERS["accuracy"]}%"></span>'
    bar = f'<div class="track thin"><span class="ours" style="width:{score}%"></span>{mark}</div>'
    return f'{bar}<span class="small nowrap">calm as neutral: {score} {limits}</span>'


def _below(text: str) -> str:
    return f'<br><span class="small nowrap">{html.escape(text)}</span>'


def index_html(
    title: str, lead: str, *, badge: str, cards: list[dict], pooled: list[PooledResult], corpora, made, ladders=()
) -> str:
    """The index page.

    lead : HTML below the title; badge : "demo" or ""
    cards : dicts ``title``, ``text``, ``page`` (file name or ""), ``picture`` (data address or None) and
        ``failure`` (error line or "")
    pooled : of :func:`ser_core.results.pooling.pool_results`
    corpora : DataFrame of :func:`ser_core.corpora.inventory.completeness_table`
    made : (name, value) pairs on how this was made
    ladders : (figure, sentence) pairs of :mod:`ser_core.results.ladder_text`
    """
    mark = f' <span class="badge demo">{html.escape(badge)}</span>' if badge else ""
    header = f"<h1>{html.escape(title)}{mark}</h1><p>{lead}</p>"
    failed = [card for card in cards if card["failure"]]
    trouble = "".join(
        f'<div class="fail"><b>{html.escape(card["title"])}</b> stopped: {html.escape(card["failure"])}</div>'
        for card in failed
    )
    results = "<p>No result yet: the training notebook did not finish.</p>"
    if pooled:
        results = f'<p class="headline">{html.escape(headline(pooled))}</p>{headline_table(pooled)}'
    facts = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in made)
    listing = corpora.to_html(index=False, border=0, justify="left", escape=True)
    body = (
        f"<main>{trouble}<h2>What was measured</h2>{''.join(_ladder(*one) for one in ladders)}{results}"
        f'<h2>Pages</h2><div class="cards">{"".join(map(_card, cards))}</div>'
        f'<h2>Corpora</h2><div class="panel">{listing}</div>'
        f'<h2>How this was made</h2><div class="panel"><table>{facts}</table></div></main><footer></footer>'
    )
    return page(title, header, body)


def _ladder(figure, sentence: str) -> str:
    """A ladder's figure with its conclusion below, as HTML."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=150)
    address = "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()
    told = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(sentence))
    alt = "The ladder: one network under every protocol"
    return f'<div class="panel"><img src="{address}" alt="{alt}"><p>{told}</p></div>'


def _card(card: dict) -> str:
    picture = f'<div class="shot"><img src="{card["picture"]}" alt=""></div>' if card["picture"] else ""
    state = '<span class="badge bad">stopped</span>' if card["failure"] else ""
    text = (
        f'{picture}<div class="text"><h3>{html.escape(card["title"])} {state}</h3>'
        f"<p>{html.escape(card['text'])}</p></div>"
    )
    return f'<a class="card" href="{card["page"]}">{text}</a>' if card["page"] else f'<div class="card">{text}</div>'
