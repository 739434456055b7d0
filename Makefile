# make demo   build and run a three-node cluster in one process
# make test   run every test
# make faults the fault tests of docs/faults.md in their long form: some 20 minutes (FAULTS="-run TestFaultKill" for one)
# make sim    run the replication simulator over many seeds (SEEDS=1000; over the real store, which takes longer, SQLSEEDS)
# make image  build the container image around a static binary, pulling nothing
# make bench  measure side by side with PostgreSQL 15 (BENCH="-rounds 5 -seconds 10", -help lists the flags)
# make measure  the other figures of docs/benchmarks.md: catch-up, lag, bytes a row, a COPY of 1 GB (MEASURE="lag disk" for some parts)
# make charts   draw how cost grows with clients, rows, row size, nodes and batches into docs/charts (CHARTS="-rounds 3", -help lists the flags)
# make profiles  where the processor time of each workload goes, into docs/profiles.md (PROFILES="-seconds 10 -clients 32", -help lists the flags)

SHELL := /bin/bash
GO ?= go
BIN := bin/layercake

.PHONY: all build demo test faults sim image bench measure charts profiles clean

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

faults:
	@scripts/need test
	LAYERCAKE_FAULTS=long $(GO) test ./integration -count=1 -v -parallel 1 -timeout 3h $(if $(FAULTS),$(FAULTS),-run TestFault)

SEEDS ?= 1000
FROM ?= 1
SQLSEEDS ?= $(SEEDS)
sim:
	@scripts/need sim
	$(GO) test ./replication/core -run '^Test(Simulation|Linearizable|SimulationSQL)$$' -v -timeout 24h -args -seeds $(SEEDS) -from $(FROM) -sqlseeds $(SQLSEEDS)

image:
	@scripts/need image
	@rm -rf dist && mkdir -p dist/root/data dist/root/tmp
	CGO_ENABLED=1 $(GO) build -trimpath -tags osusergo,netgo -ldflags '-s -w -linkmode external -extldflags -static' -o dist/root/layercake ./cmd/layercake
	docker build --target prebuilt -t layercake:latest .

bench:
	@scripts/need bench
	$(GO) run ./bench $(BENCH)

measure:
	@scripts/need measure
	$(GO) run ./bench/measure $(MEASURE)

charts:
	@scripts/need charts
	$(GO) run ./bench/charts $(CHARTS)

profiles:
	@scripts/need profiles
	$(GO) run ./bench/profiles $(PROFILES)

clean:
	rm -rf bin dist
