# What reads the radiographs: the whole product with TensorFlow and OpenVINO.
# Build from the repository's root: docker build -f docker/worker.Dockerfile .

FROM python:3.11-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PATH=/opt/venv/bin:$PATH \
    CXR_VAR_DIR=/var/lib/cxr
WORKDIR /app

FROM base AS build
# "worker-gpu" brings NVIDIA's libraries along, some gigabytes of them.
ARG LOCK=worker
RUN python -m venv /opt/venv
COPY requirements/locks/${LOCK}.txt requirements/locks/
# Database and doorbell have containers of their own here: the locks hold none of a single machine's servers.
RUN pip install --no-cache-dir --require-hashes -r requirements/locks/${LOCK}.txt
COPY manage.py ./
COPY cxrsite/ cxrsite/
COPY diagnoses/ diagnoses/
COPY workers/ workers/
# What is packed for people is written in their language, so the catalogues are compiled here, too. And whoever checked the
# tree out may have kept it from others; the user below must be able to read it.
RUN pybabel --quiet compile --directory diagnoses/locale --domain django \
    && chmod -R a+rX /app

FROM base
# The web's image has the same user, by number: both write to one volume. Home is where CUDA keeps what it compiles.
RUN groupadd --gid 10001 cxr \
    && useradd --uid 10001 --gid cxr --no-create-home --home-dir /tmp --shell /usr/sbin/nologin cxr \
    && install -d -o cxr -g cxr -m 0700 /var/lib/cxr/media
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
USER 10001:10001
# No HEALTHCHECK: that a process exists says little. A worker reports to the database while its model is loaded, and
# the site's /readyz answers 503 when none has. A worker that cannot go on exits, and is started again.
CMD ["python", "manage.py", "worker"]
