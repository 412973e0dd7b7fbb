# One image a server: --build-arg SERVER=<extra of pyproject.toml>, `controller` for the controller.
# BASE is an argument so that a mirror, or a test without a registry, can put its own Python (>= 3.11, with venv) there.
ARG BASE=python:3.13-slim
# Where the programs come from that a server calls (helm for SERVER=helm, istio and cilium): `none`, `built` from Go
# packages, or `given`, which takes the executables in programs/ of the build context.
ARG PROGRAMS=none
ARG GO=golang:1.26

FROM ${BASE} AS none
RUN mkdir /programs

FROM ${BASE} AS given
COPY programs /programs

FROM ${GO} AS built
# Unstamped, helm renders charts for Kubernetes 1.20 where no cluster tells otherwise.
ARG GO_PACKAGES=helm.sh/helm/v3/cmd/helm@v3.22.0
ARG GO_VARIABLES="-X helm.sh/helm/v3/internal/version.version=v3.22.0 \
-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=36"
RUN CGO_ENABLED=0 GOBIN=/programs go install -trimpath -ldflags="-s -w ${GO_VARIABLES}" ${GO_PACKAGES}

FROM ${PROGRAMS} AS programs

FROM ${BASE} AS build
ARG SERVER
WORKDIR /src
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.8
COPY requirements.lock pyproject.toml README.md CONTRIBUTING.md CHANGELOG.md SECURITY.md catalog.yaml publishing.yaml LICENSE ./
COPY docs docs
COPY charts charts
COPY servers servers
COPY kmcp_controller kmcp_controller
COPY kmcp_develop kmcp_develop
# Versions are those of the lock; what only other servers or the tests need is not installed. Traces are for every image.
RUN python3 -m venv --without-pip /opt/kmcp \
 && /opt/uv/bin/uv pip install --quiet --no-cache --python /opt/kmcp/bin/python --compile-bytecode \
    --constraint requirements.lock ".[${SERVER},otel,policy]"

FROM ${BASE}
ARG SERVER
COPY --from=build /opt/kmcp /opt/kmcp
COPY --from=programs /programs /usr/local/bin
RUN ln -s "kmcp-${SERVER}" /opt/kmcp/bin/entry
ENV PATH=/opt/kmcp/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp
# The script of the server, or of the controller; arguments of the pod follow.
ENTRYPOINT ["/opt/kmcp/bin/entry"]
