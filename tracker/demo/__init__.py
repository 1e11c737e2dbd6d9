"""Rendered clips with known truth: figures that walk, hide, leave and come back; and the run of `reidtrack demo`."""
