"""Tracking: detections in, identities out."""
