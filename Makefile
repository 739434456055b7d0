# make demo   build and run a three-node cluster in one process
# make test   run every test
# make image  build the container image around a static binary, pulling nothing

SHELL := /bin/bash
GO ?= go
BIN := bin/layercake

.PHONY: all build demo test image clean

all: build

build:
	@scripts/need build
	@mkdir -p bin
	$(GO) build -o $(BIN) ./cmd/layercake

demo:
	@scripts/need demo
	@mkdir -p bin
	$(GO) build -o $(BIN) ./cmd/layercake
	@exec $(BIN) demo $(DEMO)

test:
	@scripts/need test
	scripts/test

image:
	@scripts/need image
	@rm -rf dist && mkdir -p dist/root/data dist/root/tmp
	CGO_ENABLED=1 $(GO) build -trimpath -tags osusergo,netgo -ldflags '-s -w -linkmode external -extldflags -static' -o dist/root/layercake ./cmd/layercake
	docker build --target prebuilt -t layercake:latest .

clean:
	rm -rf bin dist
