"""From bytes to an answer: pure functions and engines, without Django and without Celery."""
