"""The Django project: settings, root URLs, Celery application, embedded services, the door."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
