"""The Django project: settings, root URLs, Celery application, embedded services, the door."""
