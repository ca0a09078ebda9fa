"""What a plugin author imports: kits, camera geometry, raw readers and writers."""
