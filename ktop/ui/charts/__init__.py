"""What is drawn over time: heatmaps, lines, histograms, and what they share."""
