"""Render the widgets' Jinja2 templates, which escape every text."""

from pathlib import Path

TEMPLATES = Path(__file__).with_name("templates")
STYLE = Path(__file__).with_name("widgets.css")
ROLES = {"status": "status", "error": "alert"}
"""ARIA role of a paragraph that a screen reader announces, by kind."""


def render(name: str, **values) -> str:
    """Render one of the widgets' templates; see :func:`ser_core._utils.templates.render_template`."""
    from ser_core._utils.templates import render_template

    return render_template(TEMPLATES, f"{name}.html.j2", **values)


def paragraph(text: str, kind: str = "status", *, announced: bool = True) -> str:
    """Return a message as HTML.

    Parameters
    ----------
    text : str
        The message, as plain text.
    kind : str, default "status"
        "status", "error" or "note": how it looks.
    announced : bool, default True
        Let screen readers announce a status or an error.

    Examples
    --------
    >>> print(paragraph("a < b", "note"))
    <p class="ser-note">a &lt; b</p>
    """
    return render("paragraph", text=text, kind=kind, role=ROLES.get(kind) if announced else None)


def style_html() -> str:
    """Return the style sheet as an HTML element."""
    from markupsafe import Markup

    return Markup("<style>{}</style>").format(Markup(STYLE.read_text(encoding="utf-8")))


def data_address(content: bytes, kind: str) -> str:
    """Return content as a data address.

    Examples
    --------
    >>> data_address(b"a,b", "text/csv")
    'data:text/csv;base64,YSxi'
    """
    import base64

    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
