"""What Textual lacks on hosts that are slow, or gets wrong there."""
