# syntax=docker/dockerfile:1
# The image: one binary, no shell, no root, nothing written but /var/lib/flagway.
#
#   docker build --tag flagway .
#   docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges \
#     --volume "$PWD/shop:/etc/flagway:ro" --volume flagway-state:/var/lib/flagway \
#     --publish 8080:8080 --publish 9902:9902 flagway
#
# where ./shop holds flagway.yaml and the files it names, readable by uid 65532, with `bind: 0.0.0.0:..` for what is published and
# `state_dir: /var/lib/flagway`. Mount the folder, not the single files: a file that is replaced is seen only through its folder.

# The Rust of Cargo.toml's rust-version; bookworm, because the final image has bookworm's glibc.
ARG RUST=1.95

FROM rust:${RUST}-bookworm AS build
# zlib-ng, through Pingora, is built by cmake; the C compiler is there.
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends cmake \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build

# Dependencies alone, against empty targets: this layer, the slow one, is built again only when Cargo.toml or Cargo.lock change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches \
 && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
 && sed -n '/^\[\[bench\]\]/,/^$/s|^name = "\(.*\)"|benches/\1.rs|p' Cargo.toml | xargs -r touch \
 && cargo build --release --locked --bin flagway

# conf: the demo's example and the schemas are part of the binary.
COPY src src
COPY conf conf
# COPY keeps the files' own times, which are older than the empty targets': cargo would think them built.
RUN touch src/main.rs src/lib.rs \
 && cargo build --release --locked --bin flagway \
 && install -D -m 0755 target/release/flagway /out/usr/local/bin/flagway \
 && install -d -m 0700 -o 65532 -g 65532 /out/var/lib/flagway

# distroless/cc rather than debian:slim: glibc, libgcc and the roots for TLS to upstreams, which is all that the binary asks for;
# no shell and no package manager to keep patched or to be abused. `flagway health` needs neither.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/usr /usr
# With its owner, so that a new volume mounted here belongs to the gateway.
COPY --from=build --chown=65532:65532 /out/var/lib/flagway /var/lib/flagway

# By number: Kubernetes' runAsNonRoot cannot judge a name.
USER 65532:65532
# Where `run`, `check` and `health` look for flagway.yaml.
WORKDIR /etc/flagway
VOLUME /var/lib/flagway
# Traffic, traffic with TLS, probes. The admin listener is loopback's.
EXPOSE 8080 8443 9902
# Readiness goes off, requests in flight finish, exit 0. The `--time` of `docker stop` has to exceed shutdown_grace (20 s).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/flagway", "health"]
ENTRYPOINT ["/usr/local/bin/flagway"]
CMD ["run"]
