"""What reads: the Celery task, the runtime that holds the model, the inference core, and training."""

import diagnoses.imaging  # noqa: F401 - it bounds what OpenCV decodes, and must come before OpenCV
