ARG BUILD=maven:3-eclipse-temurin-21
ARG BASE=eclipse-temurin:21-jre
FROM ${BUILD} AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.m2 mvn --batch-mode --no-transfer-progress --quiet package -Dmaven.test.skip=true

FROM ${BASE}
COPY --from=build /src/target/lib /opt/server/lib
COPY --from=build /src/target/{{name}}.jar /opt/server/{{name}}.jar
ENV HOST=0.0.0.0 PORT=8000
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["java", "-XX:MaxRAMPercentage=75", "-jar", "/opt/server/{{name}}.jar"]
CMD ["http"]
