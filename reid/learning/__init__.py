"""Training with torch: losses, sampling, backbones, export. Nothing else of the package imports torch."""
