# One image a server: --build-arg SERVER=<extra of pyproject.toml>, `controller` for the controller.
# BASE is an argument so that a mirror, or a test without a registry, can put its own Python (>= 3.11, with venv) there.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ARG SERVER
WORKDIR /src
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.8
COPY requirements.lock pyproject.toml README.md CONTRIBUTING.md catalog.yaml LICENSE ./
COPY charts/kmcp/values.yaml charts/kmcp/values.yaml
COPY servers servers
COPY kmcp_controller kmcp_controller
# Versions are those of the lock; what only other servers or the tests need is not installed.
RUN python3 -m venv --without-pip /opt/kmcp \
 && /opt/uv/bin/uv pip install --quiet --no-cache --python /opt/kmcp/bin/python --compile-bytecode \
    --constraint requirements.lock ".[${SERVER}]"

FROM ${BASE}
ARG SERVER
COPY --from=build /opt/kmcp /opt/kmcp
RUN ln -s "kmcp-${SERVER}" /opt/kmcp/bin/entry
ENV PATH=/opt/kmcp/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp
# The script of the server, or of the controller; arguments of the pod follow.
ENTRYPOINT ["/opt/kmcp/bin/entry"]
