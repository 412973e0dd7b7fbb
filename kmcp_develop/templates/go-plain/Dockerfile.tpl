ARG BUILD=golang:1.26
ARG BASE=gcr.io/distroless/static-debian12
FROM ${BUILD} AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.cache/go-build --mount=type=cache,target=/root/go/pkg/mod \
    CGO_ENABLED=0 go build -trimpath -ldflags=-s -o /server .

FROM ${BASE}
COPY --from=build /server /server
ENV HOST=0.0.0.0 PORT=8000
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["/server"]
CMD ["http"]
