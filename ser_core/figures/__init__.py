"""Draw figures from results and recordings."""
