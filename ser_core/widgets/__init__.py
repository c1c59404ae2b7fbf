"""Show recordings, predictions and results in notebooks and on the prediction page."""
