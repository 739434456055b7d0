# Two images of one kind, FROM scratch and not run by root:
#   prebuilt  around the static binary that `make image` made: pulls nothing
#   image     built here from source: what `docker compose up` builds when there is no image yet

FROM scratch AS prebuilt
COPY --chown=65532:65532 dist/root/ /
USER 65532:65532
EXPOSE 5432 7400 7946 7946/udp 8080
HEALTHCHECK --interval=2s --timeout=3s --start-period=30s --retries=5 CMD ["/layercake", "health"]
ENTRYPOINT ["/layercake"]
CMD ["start"]

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN mkdir -p /root-fs/data /root-fs/tmp && CGO_ENABLED=1 go build -trimpath -tags osusergo,netgo \
    -ldflags '-s -w -linkmode external -extldflags -static' -o /root-fs/layercake ./cmd/layercake

FROM scratch AS image
COPY --from=build --chown=65532:65532 /root-fs/ /
USER 65532:65532
EXPOSE 5432 7400 7946 7946/udp 8080
HEALTHCHECK --interval=2s --timeout=3s --start-period=30s --retries=5 CMD ["/layercake", "health"]
ENTRYPOINT ["/layercake"]
CMD ["start"]
