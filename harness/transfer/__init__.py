"""Export, import and the comparison of repositories."""
