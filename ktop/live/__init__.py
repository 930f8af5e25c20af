"""What runs while ktop is live: the sampler, its panes, the host's own figures."""
