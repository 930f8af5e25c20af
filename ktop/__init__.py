"""top for the kernel: what it does, layer by layer, and to whom."""
