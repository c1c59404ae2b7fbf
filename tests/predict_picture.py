"""Draw the README's picture of the prediction page, ``notebooks/images/predict.png``.

``python tests/predict_picture.py`` makes it: the pretrained network answers for a demo recording, as in `make app`.
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from test_browser import CHROMIUM, FLAGS, Server, answered, free_port, page_address, sync_api, watched

from ser_core._utils import paths

TARGET = paths.root() / "notebooks" / "images" / "predict.png"


def draw(width: int = 760, colours: int = 48) -> Path:
    """Take the picture of the widget on a page of ``width`` pixels, in few colours; return its path."""
    port = free_port()
    words = [sys.executable, "-m", "ser_core.cli", "app", "--port", str(port), "--no-browser"]
    server = Server(words, port, Path(tempfile.mkdtemp()))
    try:
        with sync_api.sync_playwright() as play:
            chromium = play.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            tab = watched(chromium.new_page(viewport={"width": width, "height": 1500}))
            tab.goto(page_address(server))
            tab.get_by_label("Sample").select_option(label="angry (demo, synthetic)")
            answered(tab, "angry (demo, synthetic)")
            tab.wait_for_function("document.querySelector('audio').duration > 1")
            tab.wait_for_timeout(500)
            box, end = (tab.locator(name).bounding_box() for name in (".ser-intake", ".ser-pictures"))
            height = end["y"] + end["height"] - box["y"] + 8
            clip = {"x": box["x"] - 12, "y": box["y"] - 12, "width": box["width"] + 24, "height": height}
            picture = Image.open(io.BytesIO(tab.screenshot(clip=clip))).convert("RGB")
            chromium.close()
    finally:
        server.end()
    TARGET.parent.mkdir(exist_ok=True)
    picture.quantize(colours).save(TARGET, optimize=True)
    return TARGET


if __name__ == "__main__":
    made = draw()
    print(f"{made}: {made.stat().st_size:,} bytes")
