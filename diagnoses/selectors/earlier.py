"""What was sent of the same patient before."""

from django.db.models import QuerySet

from diagnoses.models import Image, Study
from diagnoses.selectors.studies import images_visible_to
from diagnoses.selectors.viewers import Viewer

_MOST = 30


def earlier_images(user: Viewer, study: Study) -> QuerySet[Image]:
    """The images of the patient's earlier studies that the user may see, the latest first, each with its study.

    None for a study without a patient ID: that two of these are of one patient is not known.
    """
    if study.subject.index is None:
        return Image.objects.none()
    of_patient = images_visible_to(user).filter(study__subject=study.subject_id, study__created_at__lt=study.created_at)
    return of_patient.select_related("study__subject").order_by("-study__created_at", "study", "position")[:_MOST]
