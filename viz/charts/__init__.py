"""Charts: figures of numbers about a gradient, where `draw` shows the graph itself."""
