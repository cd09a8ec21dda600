# The same commands as package.json's scripts, for those who have `just` (node_modules/.bin/just does).
# Everything runs on the Node of node_modules/.bin, which pnpm puts first in PATH.

pnpm := env("SENTINELD_PNPM", "npx -y pnpm@12.21.0")

# Lists the recipes
default:
    @just --justfile "{{ justfile() }}" --list

# Compiles, bundles the programs into build/
build:
    {{ pnpm }} run build

# Starts collector and agent on one state directory, for development
start *ARGS:
    {{ pnpm }} run start {{ ARGS }}

# Types, programs, checks, tests; with names of tests only those tests
test *NAMES:
    {{ pnpm }} run test {{ NAMES }}

# Lint, formatting, boundaries, licences and the other checks that are not tests
check:
    {{ pnpm }} run check

lint:
    {{ pnpm }} run lint

# Formats everything in place
format:
    {{ pnpm }} run format

# What the privileged program can reach; `just reach --write` accepts it
reach *ARGS:
    {{ pnpm }} run reach {{ ARGS }}

# Known vulnerabilities in what is shipped
audit:
    {{ pnpm }} run audit

# What CI runs
ci:
    bash .ci/run
