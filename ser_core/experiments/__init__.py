"""Run specs: one result per spec, kept in a store."""
