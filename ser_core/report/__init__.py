"""Execute the notebooks and write the HTML report."""
