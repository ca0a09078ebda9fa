"""The stages that turn nothing into a repository that can be processed."""
