# One cluster member: docker build -f images/server.Dockerfile -t taffrail/server:0.1.0 .
FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# The operator starts /usr/local/bin/etcd and restores by /usr/local/bin/etcdutl, whatever the image: here both are other
# names of the member.
RUN cargo build --release --locked -p taffrail \
    && mkdir -p /out/usr/local/bin \
    && cp target/release/taffrail /out/usr/local/bin/ \
    && ln -s taffrail /out/usr/local/bin/etcd \
    && ln -s taffrail /out/usr/local/bin/etcdutl

FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="server" \
      org.opencontainers.image.description="A member of an etcd-compatible cluster" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/taffrail/taffrail"
COPY --from=build /out/ /
USER 65532:65532
EXPOSE 2379 2380
ENTRYPOINT ["/usr/local/bin/taffrail"]
