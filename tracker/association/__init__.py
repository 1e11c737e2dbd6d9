"""Which detection continues which track: candidates, evidence, assignment."""
