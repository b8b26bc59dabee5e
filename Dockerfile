# The command `a2keras` with all extras but `io`: training, evaluation, export, prediction.
#
#   docker build -t a2keras .
#   docker build -t a2keras --build-arg DEVICE=gpu .   # CUDA's libraries too; the host has NVIDIA's driver
#   docker run --rm -v "$PWD:/data" a2keras train --recipe=digits_image --output=runs/digits
#
# A model server: Dockerfile.serving. Builds need BuildKit, which Docker has by default since 23.0.
ARG PYTHON=3.11
FROM python:${PYTHON}-slim

ENV PATH=/opt/a2keras/bin:$PATH
# By hashes, in layers of their own: they are large, and change less often than the code.
RUN --mount=type=bind,source=requirements,target=/requirements \
    --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv /opt/a2keras \
    && pip install --require-hashes -r /requirements/lock.txt

ARG DEVICE=cpu
RUN --mount=type=bind,source=requirements,target=/requirements \
    --mount=type=cache,target=/root/.cache/pip \
    case "$DEVICE" in \
        cpu) ;; \
        gpu) pip install --require-hashes --no-deps -r /requirements/cuda.txt ;; \
        *) echo "DEVICE must be cpu or gpu. Received: $DEVICE" >&2; exit 2 ;; \
    esac

RUN --mount=type=bind,source=.,target=/source,rw \
    pip install --no-cache-dir --no-deps --no-build-isolation /source \
    && useradd --create-home --uid 1000 a2keras

USER 1000
WORKDIR /data
ENTRYPOINT ["a2keras"]
CMD ["--help"]
