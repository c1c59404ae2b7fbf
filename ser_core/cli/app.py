"""``ser app``: the prediction page in a browser."""

import click

from ser_core.cli.base import as_json, emit


@click.command("app")
@click.option("--port", type=click.IntRange(1, 65535), default=8866, show_default=True)
@click.option("--no-browser", is_flag=True, help="Serve the page without opening it.")
@as_json
@click.pass_context
def serve(ctx, port: int, no_browser: bool, as_json: bool) -> None:
    """Your own voice: the prediction page, served to this machine only. Ctrl-C ends it."""
    from ser_core.widgets import app

    address = f"http://{app.HOST}:{port}/"
    app.check(port)
    emit({"address": address}) if as_json else click.echo(f"The page: {address} (Ctrl-C ends it)")
    ctx.exit(app.serve(port, browser=not no_browser))
