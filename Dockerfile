# One image for every role; the command chooses: `api` (default), `worker`, or anything that the CLI understands.
FROM node:24.21.0-bookworm-slim AS base
WORKDIR /app
ENV NODE_ENV=production

FROM base AS packages
COPY package.json package-lock.json ./
COPY apps/api/package.json apps/api/
COPY apps/cli/package.json apps/cli/
COPY apps/worker/package.json apps/worker/
COPY packages/catalog/package.json packages/catalog/
COPY packages/client/package.json packages/client/
COPY packages/core/package.json packages/core/
COPY packages/drivers/package.json packages/drivers/
COPY packages/queue/package.json packages/queue/
COPY packages/storage/package.json packages/storage/
COPY packages/testing/package.json packages/testing/
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
      --workspace apps/api --workspace apps/cli --workspace apps/worker

FROM base
# PostgreSQL's own repository, as a server is dumped by the client programs of its version. MariaDB's are those of the
# distribution, which has none of MySQL.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates mariadb-client postgresql-common zstd \
 && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
 && apt-get install --yes --no-install-recommends postgresql-client-13 postgresql-client-14 postgresql-client-15 \
      postgresql-client-16 postgresql-client-17 postgresql-client-18 \
 && rm -rf /var/lib/apt/lists/* \
 && install --directory --owner node --group node --mode 0700 /var/lib/holdfast
COPY --from=packages /app ./
COPY LICENSE ./
COPY scripts/container-entrypoint.sh scripts/
COPY packages packages
COPY apps apps
USER node
ENV HOLDFAST_DATA_DIR=/var/lib/holdfast HOLDFAST_HOST=0.0.0.0 NODE_COMPILE_CACHE=/tmp/compile-cache \
    NODE_OPTIONS=--max-semi-space-size=1
EXPOSE 8420
ENTRYPOINT ["/app/scripts/container-entrypoint.sh"]
CMD ["api"]
# of the default role; whoever runs another one says how its health is asked
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HOLDFAST_PORT || 8420}/readyz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
