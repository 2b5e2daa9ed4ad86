# syntax=docker/dockerfile:1
# Cleanroom in a container. All state is in the volume; the rest may be read-only:
#
#   docker build -t cleanroom .
#   docker run --rm -v cleanroom:/var/lib/cleanroom cleanroom init
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -p 127.0.0.1:8000:8000 \
#     -v cleanroom:/var/lib/cleanroom -v /srv/retailer:/data/retailer:ro cleanroom
#
# Partners' folders are mounted read-only; secrets come as CLEANROOM_SECRET_<PARTNER>_… variables.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/cleanroom
COPY requirements/runtime.txt requirements/runtime.txt
RUN /opt/cleanroom/bin/pip install --no-deps --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY cleanroom cleanroom
RUN /opt/cleanroom/bin/pip install --no-deps --no-build-isolation .

FROM python:${PYTHON}-slim
RUN groupadd --gid 10001 cleanroom \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/cleanroom --shell /usr/sbin/nologin cleanroom \
 && install -d -o cleanroom -g cleanroom -m 0700 /var/lib/cleanroom
COPY --from=build /opt/cleanroom /opt/cleanroom
ENV PATH=/opt/cleanroom/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/var/lib/cleanroom \
    CLEANROOM_HOME=/var/lib/cleanroom/home
VOLUME /var/lib/cleanroom
WORKDIR /var/lib/cleanroom
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["cleanroom"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
