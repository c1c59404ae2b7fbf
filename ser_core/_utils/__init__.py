"""Helpers of every room: errors, folders, versions, progress lines, safe writing."""
