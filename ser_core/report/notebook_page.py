"""Convert an executed notebook to HTML: nbconvert with a preprocessor, then edits of the parsed page."""

import re

from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from nbconvert.preprocessors import Preprocessor
from nbformat.v4 import new_output
from traitlets import Bool

from ser_core.report.kernels import shared_folder

WIDGET = (
    "(Here the notebook has controls, which need a running kernel: `make lab` opens it, `make app` serves the "
    "prediction page.)"
)
BANNER = "papermill-error-cell-tag"
"""Tag of the cells that papermill adds to a notebook that failed; the first one only repeats the page's top line."""


class ReportPreprocessor(Preprocessor):
    """Drop what a report does not show, and give each picture an alternative text.

    Dropped are papermill's upper banner and standard error, which holds warnings and progress bars. A line replaces
    each widget, which needs a running kernel. The alternative text is the caption: a Markdown cell in italics below.
    """

    enabled = Bool(True)

    def preprocess(self, nb, resources):
        """Edit a notebook in place, before nbconvert's own preprocessors."""
        nb.metadata.pop("widgets", None)
        if nb.cells and BANNER in nb.cells[0].metadata.get("tags", []):
            nb.cells = nb.cells[1:]
        for cell, following in zip(nb.cells, [*nb.cells[1:], None], strict=True):
            if cell.cell_type != "code":
                continue
            cell.outputs = [
                _replace_widget(output)
                for output in cell.outputs
                if not (output.output_type == "stream" and output.name == "stderr")
            ]
            for output in cell.outputs:
                data = output.get("data", {})
                if "image/png" in data:
                    output.metadata.setdefault("image/png", {})["alt"] = _caption(following)
                    data["image/png"] = smaller_png(data["image/png"])
                if "image/svg+xml" in data:
                    picture = data.pop("image/svg+xml").replace('aria-label=""', _label(following), 1)
                    data["text/html"] = f'<div class="output_svg">{picture}</div>'
        return nb, resources


def smaller_png(content: str) -> str:
    """Return a PNG picture with a palette of 256 colours, where that is smaller; both in base64."""
    import base64
    import io

    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")
    small = io.BytesIO()
    image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    found = base64.b64encode(small.getvalue()).decode()
    return found if len(found) < len(content) else content


def _label(cell) -> str:
    return f'aria-label="{_caption(cell)}"'


def sections(content: str) -> list[tuple[str, str]]:
    """Return anchor and text of the headings of the second level.

    Examples
    --------
    >>> sections('<h2 id="a">1.1 One<a class="anchor-link" href="#a">#</a></h2>')
    [('a', '1.1 One')]
    """
    found = []
    for heading in BeautifulSoup(content, features="html.parser").find_all("h2", id=True):
        for link in heading.find_all("a", class_="anchor-link"):
            link.decompose()
        found.append((str(heading["id"]), heading.get_text().strip()))
    return found


def _replace_widget(output):
    """Return an output unchanged, or the line that replaces a widget."""
    if not any("widget" in kind for kind in output.get("data", {})):
        return output
    return new_output("display_data", {"text/markdown": f"*{WIDGET}*"})


def _caption(cell) -> str:
    """Return the caption in a cell as plain text, or "figure" where the cell is none."""
    source = cell.source.strip() if cell is not None and cell.cell_type == "markdown" else ""
    caption = source.strip("*_").split("\n")[0] if source[:1] in ("*", "_") else "figure"
    return caption.translate(str.maketrans("", "", '`*_"<>'))


class ReportExporter(HTMLExporter):
    """Export the cells of a notebook for a report's page: pictures embedded, no prompts, no script, no outside link."""

    def __init__(self, **options):
        defaults = HTMLExporter.default_preprocessors.default()
        super().__init__(
            template_name="basic",
            embed_images=True,
            exclude_input_prompt=True,
            exclude_output_prompt=True,
            default_preprocessors=[ReportPreprocessor, *defaults],
            extra_template_basedirs=[str(shared_folder() / "nbconvert" / "templates")],  # before those of the account
            **options,
        )

    def from_notebook_node(self, nb, resources=None, **options):
        """Return the HTML of the cells and nbconvert's resources."""
        body, resources = super().from_notebook_node(nb, resources, **options)
        return clean_html(body), resources


def clean_html(body: str) -> str:
    """Return HTML without scripts and outside links; links to notebooks lead to their pages, "leaky" is marked.

    Examples
    --------
    >>> clean_html('<a href="https://example.org">a</a>, <a href="10_predict.ipynb">b</a><script>c()</script>')
    'a, <a href="10_predict.html">b</a>'
    """
    soup = BeautifulSoup(body, features="html.parser")
    for script in soup.find_all("script"):
        script.decompose()
    for link in soup.find_all("a", href=re.compile(r"^([a-z]+:)?//", re.IGNORECASE)):
        link.unwrap()
    for element in soup.find_all(href=re.compile(r"^[\w.-]+\.ipynb$")):
        element["href"] = str(element["href"]).removesuffix(".ipynb") + ".html"
    for element in soup.find_all(["code", "td", "strong"], string="leaky"):
        mark = soup.new_tag("span", attrs={"class": "leaky"})
        mark.string = "leaky"
        element.clear()
        element.append(mark)
    return str(soup)
