"""What happens when a pipeline meets outputs that are already there."""
