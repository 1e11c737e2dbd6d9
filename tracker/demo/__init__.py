"""Rendered clips with known truth: figures that walk, are hidden, leave and come back; and the run of `reidtrack demo`."""
