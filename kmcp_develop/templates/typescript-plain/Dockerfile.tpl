ARG BASE=node:22-slim
FROM ${BASE} AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.npm npm ci && npm run build && npm prune --omit=dev

FROM ${BASE}
COPY --from=build /src/package.json /opt/server/package.json
COPY --from=build /src/node_modules /opt/server/node_modules
COPY --from=build /src/dist/src /opt/server/dist/src
ENV HOST=0.0.0.0 PORT=8000 NODE_ENV=production
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["node", "/opt/server/dist/src/server.js"]
CMD ["http"]
