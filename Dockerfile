# The image of Trainyard: the binary, certificates, a folder to write to, nothing else. `serve`, `server` and `up` run from it,
# each on a root that nobody can write to: docs/deploying.md has the lines.
#
# From a binary that was built here, without a network:
#
#   RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" \
#     cargo build --profile dist --target x86_64-unknown-linux-gnu -p trainyard
#   mkdir -p image/data
#   cp target/x86_64-unknown-linux-gnu/dist/trainyard /etc/ssl/certs/ca-certificates.crt image/
#   docker build --target prebuilt -t localhost/trainyard image -f Dockerfile
#
# From the sources: docker build -t localhost/trainyard .
#
# `--target python` around a dynamic binary has Python and ONNX Runtime beside it, for models that need them
# (`--python-workers`, docs/models.md). `cargo xtask release` builds both.

FROM scratch AS base
# In a container every address is the container's: who reaches it is said by the ports that are published.
# Freed memory goes back to the system after 100 ms instead of a second: a third less after a load.
ENV TRAINYARD_HOST=0.0.0.0 \
    MLFLOW_HOST=0.0.0.0 \
    SSL_CERT_FILE=/ca-certificates.crt \
    MIMALLOC_PURGE_DELAY=100
EXPOSE 8080 5000
USER 65534:65534
STOPSIGNAL SIGTERM
# The binary probes itself, whichever of its programs runs: the image has no shell and no curl.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD ["/trainyard", "health"]
ENTRYPOINT ["/trainyard"]
CMD ["serve"]
LABEL org.opencontainers.image.title="trainyard" \
      org.opencontainers.image.description="Model server, pipeline and MLflow-compatible tracking in one binary" \
      org.opencontainers.image.licenses="Apache-2.0"

FROM base AS prebuilt
COPY trainyard ca-certificates.crt /
# A new volume there gets its owner. There is no VOLUME: each container without a volume of yours would leave one behind.
COPY --chown=65534:65534 data /data
WORKDIR /data

# Images of others are pinned to digests, in these lines: Dependabot reads no arguments, and proposes newer ones here.
FROM python:3.13-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285 AS python
# Workers make an environment of what a model's requirements.txt names; uv makes it in seconds.
RUN python3 -m pip install --no-cache-dir onnxruntime==1.32.0 uv==0.13.9 \
    && ln -s "$(find / -xdev -name 'libonnxruntime.so.*' | head -n 1)" /usr/local/lib/libonnxruntime.so
COPY trainyard ca-certificates.crt /
COPY --chown=65534:65534 data /data
WORKDIR /data
# As the image without Python; packages of models are kept where the volume is.
ENV TRAINYARD_HOST=0.0.0.0 \
    MLFLOW_HOST=0.0.0.0 \
    SSL_CERT_FILE=/ca-certificates.crt \
    MIMALLOC_PURGE_DELAY=100 \
    XDG_CACHE_HOME=/data/.cache
EXPOSE 8080 5000
USER 65534:65534
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD ["/trainyard", "health"]
ENTRYPOINT ["/trainyard"]
CMD ["serve"]
LABEL org.opencontainers.image.title="trainyard" \
      org.opencontainers.image.description="Model server, pipeline and MLflow-compatible tracking, with Python and ONNX Runtime" \
      org.opencontainers.image.licenses="Apache-2.0"

FROM rust:1.95-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates g++ \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# A static binary; with a target named, build scripts stay dynamic, which procedural macros need. Relocations that are packed
# are 2 MB less.
RUN RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs" \
    cargo build --profile dist --locked --target x86_64-unknown-linux-gnu -p trainyard \
    && mkdir /data

FROM base
COPY --from=build /src/target/x86_64-unknown-linux-gnu/dist/trainyard /trainyard
COPY --from=build /etc/ssl/certs/ca-certificates.crt /ca-certificates.crt
COPY --chown=65534:65534 --from=build /data /data
WORKDIR /data
