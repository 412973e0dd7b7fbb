ARG BASE=python:3.13-slim
FROM ${BASE} AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip python3 -m venv /opt/server \
 && /opt/server/bin/python -m pip install --quiet --disable-pip-version-check {{image_packages}} .

FROM ${BASE}
COPY --from=build /opt/server /opt/server
ENV PATH=/opt/server/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["kmcp-{{name}}"]
CMD ["--transport", "http", "--host", "0.0.0.0", "--port", "8000", "--allow-unauthenticated"]
