# The operator: docker build -f images/operator.Dockerfile -t taffrail/operator:0.1.0 .
FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked -p taffrail-operator

FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="operator" \
      org.opencontainers.image.description="Keeps EtcdClusters as they were declared" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/taffrail/taffrail"
COPY --from=build /source/target/release/taffrail-operator /usr/local/bin/taffrail-operator
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/taffrail-operator"]
