# The server as an image: `docker build --tag leasehold .`, then
# `docker run --publish 127.0.0.1:7400-7401:7400-7401 --volume leasehold:/data leasehold`.

# Builds everything; better-sqlite3 is compiled here where no prebuilt binary can be fetched, which the slim image below could not do.
FROM node:24-bookworm AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY proto/package.json proto/
COPY core/package.json core/
COPY server/package.json server/
COPY sdk/package.json sdk/
COPY cli/package.json cli/
RUN npm ci --no-audit --no-fund
COPY tsconfig.base.json ./
COPY proto/tsconfig.json proto/
COPY proto/gen proto/gen
COPY core core
COPY server server
COPY sdk sdk
COPY cli cli
RUN npx tsc -b sdk cli && npm prune --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json ./
COPY LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY proto/package.json proto/descriptor.binpb proto/
COPY --from=build /app/proto/dist proto/dist
COPY --from=build /app/core/package.json core/
COPY --from=build /app/core/dist core/dist
COPY --from=build /app/server/package.json server/
COPY --from=build /app/server/dist server/dist
COPY --from=build /app/sdk/package.json sdk/
COPY --from=build /app/sdk/dist sdk/dist
COPY --from=build /app/cli/package.json cli/
COPY --from=build /app/cli/dist cli/dist
COPY deploy/healthcheck.mjs deploy/

RUN install --directory --owner=node --group=node /data
VOLUME /data
USER node
# gRPC, and the Kubernetes API.
EXPOSE 7400 7401
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s CMD ["node", "deploy/healthcheck.mjs", "127.0.0.1:7400"]
# SIGTERM drains: the server answers what it has taken, closes the file and exits 0 within 5 s.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "cli/dist/main.js"]
CMD ["serve", "--listen", "0.0.0.0:7400", "--http-listen", "0.0.0.0:7401", "--store", "sqlite:/data/leasehold.db"]
