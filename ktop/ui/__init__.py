"""The screen: the only part that knows Textual, drawn from Frames alone."""
