# syntax=docker/dockerfile:1
# The image of `lemma api`, `lemma worker` and `lemma migrate`. Both stages are Debian 12 with what packages.txt lists.

# The toolchain that Lemma is tested with; any from 6.2 on will do.
FROM swift:6.3.1-bookworm AS build
WORKDIR /src
# A layer of its own, so that it is kept while only sources change.
COPY packages.txt ./
COPY scripts/setup scripts/
RUN scripts/setup build
COPY . .
# `-o setup`: it has just been done. The Swift runtime is linked in; its symbols are not needed to run.
RUN make -o setup release && strip .build/release/lemma

FROM debian:12-slim AS run
WORKDIR /usr/local/share/lemma
COPY packages.txt ./
COPY scripts/setup scripts/
RUN scripts/setup image && apt-get clean && rm -rf /var/lib/apt/lists/* scripts packages.txt
COPY --from=build /src/web web
COPY --from=build /src/.build/release/lemma /usr/local/bin/lemma

# Writes no file: the root may be read-only.
USER 10001:10001
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 CMD ["/usr/local/bin/lemma", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/lemma"]
CMD ["--help"]
