# SPDX-License-Identifier: Apache-2.0
# dmav3 with all it needs, on Debian 13. Its default command runs every test, as an ordinary user; it
# needs no privileges and no network:
#
#   docker build --tag dmav3 .
#   docker run --rm --network none dmav3
#   docker run --rm --volume "$PWD:/work" --workdir /work dmav3 pytest

FROM debian:13-slim AS packages
COPY ci/setup /opt/dmav3/ci/setup
RUN /opt/dmav3/ci/setup --packages && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
RUN useradd --create-home dmav3 && chown -R dmav3: /opt/dmav3

FROM packages AS build
COPY --chown=dmav3 . /opt/dmav3
USER dmav3
RUN cd /opt/dmav3 && ci/setup && rm -rf ~/.cache

FROM packages
COPY --from=build --chown=dmav3 /opt/dmav3 /opt/dmav3
USER dmav3
WORKDIR /opt/dmav3
ENV PATH=/opt/dmav3/.venv/bin:$PATH
CMD ["ci/test"]
