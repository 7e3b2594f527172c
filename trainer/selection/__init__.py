"""How everything is chosen, by cross-validation on training subjects."""
