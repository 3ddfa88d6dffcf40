"""What reads: the Celery task, the runtime that holds the model, the inference core, and training."""
