# The web server, the scheduler and the migrations: no TensorFlow, no OpenVINO.
# Build from the repository's root: docker build -f docker/web.Dockerfile .

FROM python:3.11-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PATH=/opt/venv/bin:$PATH \
    CXR_VAR_DIR=/var/lib/cxr
WORKDIR /app

FROM base AS build
RUN python -m venv /opt/venv
COPY requirements/locks/web.txt requirements/locks/
RUN pip install --no-cache-dir --require-hashes -r requirements/locks/web.txt
COPY manage.py ./
COPY cxrsite/ cxrsite/
COPY diagnoses/ diagnoses/
# Settings name the workers' package; of its models only the cards are read here.
COPY workers/ workers/
# The values are thrown away with this line: settings ask for them, and collecting files uses none. The
# catalogues of translations are compiled here, too. The chmod: whoever
# checked the tree out may have kept it from others, and the user below must be able to read it.
RUN CXR_SECRET_KEY=thrown-away-with-this-line-and-never-used-to-sign-anything \
    CXR_DATA_KEYS=1:dGhyb3duLWF3YXktYW5kLW5ldmVyLXVzZWQtdG8tc2U=,index:dGhyb3duLWF3YXktYW5kLW5ldmVyLXVzZWQtdG8tZmk= \
    DATABASE_URL=postgresql://nobody@nowhere/nothing \
    REDIS_URL=redis://nowhere \
    python manage.py collectstatic --noinput \
    && pybabel --quiet compile --directory diagnoses/locale --domain django \
    && chmod -R a+rX /app

FROM base
# The worker's image has the same user, by number: both write to one volume.
RUN groupadd --gid 10001 cxr \
    && useradd --uid 10001 --gid cxr --no-create-home --home-dir /tmp --shell /usr/sbin/nologin cxr \
    && install -d -o cxr -g cxr -m 0700 /var/lib/cxr/media /var/lib/cxr/audit
# Code and static files stay root's, so that the site cannot change itself.
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
USER 10001:10001
# What people send arrives in temporary files, gigabytes at times: on a disk, where /tmp may be memory.
ENV TMPDIR=/var/tmp
EXPOSE 8000
# Django answers only hosts that it knows, so CXR_ALLOWED_HOSTS must name 127.0.0.1 too. The worker is not asked after:
# /readyz does that, and a site without a worker still takes studies in.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["uvicorn", "cxrsite.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--proxy-headers", \
     "--timeout-graceful-shutdown", "5", "--no-access-log", "--no-server-header"]
