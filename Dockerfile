# One image for web, worker and beat: the portal without the embedded servers and without tools for tests.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/portal

# The packages of pyproject.toml alone, in the versions and with the hashes of the lock.
COPY pyproject.toml requirements.lock ./
RUN awk '/^uv==/ {on = 1} on {print} on && !/\\$/ {exit}' requirements.lock > /tmp/uv.lock \
 && pip install --no-cache-dir --require-hashes -r /tmp/uv.lock \
 && uv pip install --system --no-cache --require-hashes -c requirements.lock -r pyproject.toml \
 && pip uninstall -y uv \
 && rm /tmp/uv.lock

COPY . .
RUN python -m compileall -q . \
 && useradd --system --uid 10001 --home-dir /var/lib/portal --create-home portal
USER portal
ENV DJANGO_SETTINGS_MODULE=portal.settings PORTAL_DATA_DIR=/var/lib/portal
VOLUME /var/lib/portal
EXPOSE 8000

CMD ["gunicorn", "portal.wsgi", "--bind", "0.0.0.0:8000", "--workers", "4", "--max-requests", "2000", \
     "--max-requests-jitter", "200", "--worker-tmp-dir", "/dev/shm"]
