"""What lies in a user's sight: what they and their department sent, and patients whom they see in an emergency."""

from dataclasses import dataclass, field
from uuid import UUID

from django.contrib.auth.models import PermissionsMixin, User
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, Q, Subquery

from diagnoses.models import Department, Profile, Study
from diagnoses.models.emergency import open_emergencies
from diagnoses.roles import MAY_BREAK_GLASS, MAY_SEE_EVERY_STUDY, MAY_SEE_STUDIES
from diagnoses.selectors.viewers import Viewer


@dataclass(frozen=True)
class Sight:
    """Of a user who does not see every study."""

    user_id: int
    sees_own: bool = False
    """Whether they see anything at all but in an emergency."""
    department_id: int | None = None
    sent_in: list[int] = field(default_factory=list)
    """Departments that they sent in, whatever is theirs now."""
    patients: list[UUID] = field(default_factory=list)
    """Those of an emergency that lasts."""

    @property
    def of_lists(self) -> Q:
        """The studies that lists, figures and exports are made of: those of an emergency are in none."""
        if not self.sees_own:
            return Q(pk__in=[])
        own = Q(submitted_by_id=self.user_id)
        return own if self.department_id is None else own | Q(department_id=self.department_id)

    @property
    def of_studies(self) -> Q:
        """All studies that may be opened."""
        return self.of_lists | Q(subject__in=self.patients) if self.patients else self.of_lists

    def circles(self) -> list[Q]:
        """The same as `of_lists` for jobs: conditions that do not overlap, each for an index to begin with."""
        if not self.sees_own:
            return []
        here = [-self.user_id, *([] if self.department_id is None else [self.department_id])]
        before = [pk for pk in self.sent_in if pk != self.department_id]
        return [*(Q(circle=pk) for pk in here), *(Q(owner_id=self.user_id, circle=pk) for pk in before)]


def sight_of(user: Viewer) -> Sight:
    """What a user may see as it stands now: one query."""
    if not isinstance(user, User):
        return Sight(0)
    department = Profile.objects.filter(user=OuterRef("pk"), department__active=True).values("department")
    lasting = open_emergencies(user.pk).order_by().values("patient")
    # One look for each department: which is the next that the user has sent in? In this order one index alone has it.
    # Asked for any study of both, the planner takes it for common, and reads them all where there is none.
    from_there = Study.objects.filter(submitted_by_id=user.pk, department__gte=OuterRef("pk"))
    next_one = from_there.order_by(F("department_id").asc(nulls_first=True)).values("department")[:1]
    sent_in = Department.objects.order_by().filter(pk=Subquery(next_one)).values("pk")
    asked = User.objects.filter(pk=user.pk)
    found = asked.values_list(Subquery(department), ArraySubquery(sent_in), ArraySubquery(lasting))
    department_id, before, seen = found.get()
    patients = seen if user.has_perm(MAY_BREAK_GLASS) else []
    if not user.has_perm(MAY_SEE_STUDIES):
        return Sight(user.pk, patients=patients)
    return Sight(user.pk, True, department_id, before, patients)


def department_of(user: User) -> Department | None:
    """Where the user works now; what they send belongs there."""
    return Department.objects.filter(profile__user=user, active=True).first()


def sees_every_study(user: Viewer) -> bool:
    """Whether it makes no difference to what they may see who sent a study."""
    return isinstance(user, PermissionsMixin) and user.has_perm(MAY_SEE_EVERY_STUDY)
