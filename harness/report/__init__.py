"""What a person and a CI server read: live display, summary, JSON and JUnit."""
