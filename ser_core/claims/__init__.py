"""Figures that the paper prints, and checks of claims by computation."""
