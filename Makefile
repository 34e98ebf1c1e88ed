# `make test` is the whole check. Each part can be run alone.
.PHONY: test fmt vet lint vuln build race fuzz bench

test: fmt vet lint vuln build race

fmt: ## every file as gofmt has it
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1; }

vet:
	go vet ./...

lint:
	go tool staticcheck ./...

# The list of known vulnerabilities lives on the network: without it there is nothing to check against.
vuln:
	@out=$$(timeout 60 go tool govulncheck ./... 2>&1); code=$$?; \
	if [ $$code -eq 0 ]; then echo "govulncheck: nothing known"; \
	elif echo "$$out" | grep -q 'Vulnerability #'; then echo "$$out"; exit 1; \
	else echo "govulncheck: not run, its list cannot be reached from here"; fi

# Without cgo, as the program is shipped.
build:
	CGO_ENABLED=0 go build ./...

# The browsers and the databases of e2e take minutes, and on a slow machine more than go test grants unasked.
race:
	go test -race -timeout 20m ./...

# A minute for each fuzz target. The seeds of all of them run with every test.
fuzz:
	@for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime 60s $$pkg || exit 1; \
	  done; done

bench:
	go test -run '^$$' -bench . -benchmem ./...
