"""Event patterns: EventBridge's language, with the meaning that its open matcher (event-ruler 2.0.1) gives it."""
