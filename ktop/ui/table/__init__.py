"""The live table: its rows, order, cursor and looks."""
