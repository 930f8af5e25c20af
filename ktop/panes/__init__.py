"""One file a pane, each with its PANE; discovered by ktop.registry."""
