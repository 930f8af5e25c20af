"""The kernel side: objects, hooks, maps and what this host allows."""
