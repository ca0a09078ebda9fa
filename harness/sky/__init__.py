"""Sky maps, regions, and the truth and reference catalogues."""
