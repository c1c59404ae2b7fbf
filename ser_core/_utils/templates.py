"""Render HTML from Jinja2 templates; every value is escaped unless it is marked as HTML."""

from functools import cache
from pathlib import Path


def render_template(folder: Path, name: str, /, **values) -> str:
    """Render one template.

    Parameters
    ----------
    folder : Path
        Folder of the templates.
    name : str
        File name of the template in it.
    **values
        What the template shows. Text is escaped; HTML goes in as ``markupsafe.Markup``.

    Returns
    -------
    markupsafe.Markup
        The HTML, a ``str`` that other templates take as it is. A value that the template needs and does not get
        raises ``jinja2.UndefinedError``.
    """
    from markupsafe import Markup

    return Markup(_environment(folder).get_template(name).render(**values))


@cache
def _environment(folder: Path):
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
