# syntax=docker/dockerfile:1
# The image of `lemma api`, `lemma worker` and `lemma migrate`. It is built and filled on Debian 12 with what packages.txt
# lists.

# The toolchain that Lemma is tested with; any from 6.2 on will do.
FROM swift:6.3.1-bookworm AS build
WORKDIR /src
# A layer of its own, so that it is kept while only sources change.
COPY packages.txt ./
COPY scripts/setup scripts/
RUN scripts/setup build
COPY . .
# `-o setup`: it has just been done. The Swift runtime is linked in; its symbols are not needed to run.
RUN make -o setup release && strip .build/release/lemma && scripts/sbom --record >.build/release/components.txt

FROM debian:12-slim AS packages
WORKDIR /src
COPY packages.txt ./
COPY scripts/setup scripts/image-root scripts/sbom scripts/
RUN scripts/setup image
COPY --from=build /src/.build/release/lemma /usr/local/bin/lemma
COPY --from=build /src/.build/release/components.txt ./
RUN scripts/image-root /image /usr/local/bin/lemma \
    && mkdir -p /image/usr/local/share/lemma \
    && scripts/sbom /image "$(lemma --version | awk '{ print $NF }')" components.txt >/image/usr/local/share/lemma/sbom.spdx.json

# Nothing but Lemma and what it loads, reads and starts: no shell, no package manager.
FROM scratch
COPY --from=packages /image /
COPY --from=build /src/web /usr/local/share/lemma/web
ENV PATH=/usr/local/bin:/usr/bin
WORKDIR /usr/local/share/lemma

# Writes no file: the root may be read-only.
USER 10001:10001
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 CMD ["/usr/local/bin/lemma", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/lemma"]
CMD ["--help"]
