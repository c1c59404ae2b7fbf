"""The command ``ser app``: the prediction page in a browser."""

import click

from ser_core.cli.base import as_json, emit


@click.command("app")
@click.option("--port", type=click.IntRange(1, 65535), default=8866, show_default=True, help="Port of the page.")
@click.option(
    "--kernels",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Maximum number of open pages (280 MB each).",
)
@click.option("--no-browser", is_flag=True, help="Serve the page without opening it.")
@as_json
@click.pass_context
def serve(ctx: click.Context, port: int, kernels: int, no_browser: bool, as_json: bool) -> None:
    """Open the prediction page for your own voice in a browser.

    It is served to this machine only, and to those who have its address, with a token that is new each time. Ctrl-C
    stops it.
    """
    from ser_core.widgets import app

    token = app.new_token()
    address = app.address(port, token)
    app.check(port)
    emit({"address": address}) if as_json else click.echo(f"Prediction page: {address} (Ctrl-C stops it)")
    ctx.exit(app.serve(port, token, browser=not no_browser, kernels=kernels))
